"""From a record that is done to a server that runs: host, task state, hypervisor.

A server that reads ACTIVE is not there yet: Nova writes that first, the host afterwards, and the
record last (nova 34 compute/manager.py: _do_rebuild_instance, finish_evacuation). Only record, host
and task state together are an end, and the hypervisor's own word makes it certain.
"""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Running
from koboshi.domain.facts.world import ServerRead
from koboshi.domain.memory.commands import Outcome, StopServer
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.tracing import (
    arrived_record,
    incident_of,
    read_since,
    step_to,
)

CONFIRM_DEADLINE = timedelta(seconds=60)
SETTLE_DEADLINE = timedelta(seconds=120)
STOP_AGAIN_AFTER = timedelta(seconds=30)

_S = RecoveryState


ORDERS = frozenset({"rebooting", "rebooting_hard", "powering-on", "rescuing"})
"""Tasks whose message went to the dead host: Nova names it until the evacuation has ended."""
_CURE = (
    "Before that host starts again, set the server's state (openstack server set --state active), or it "
    "is started there, too"
)


def confirm(picture: Picture, recovery: Recovery) -> Decision:
    """Wait for host and task state to follow a record that is done."""
    read = read_since(picture, recovery, recovery.moved_at)
    if read is None:
        return NOTHING
    if end := landed(picture, recovery, read):
        return end
    if picture.now.since(recovery.moved_at) > CONFIRM_DEADLINE and read.server is not None:
        task, host = (
            read.server.task_state or "none",
            picture.state.incidents[recovery.incident].host,
        )
        owner = (
            f": an order of its owner's that waits for {host}. {_CURE}" if task in ORDERS else ""
        )
        return step_to(
            recovery,
            _S.STUCK,
            f"its record is done, but its host reads {read.server.host} and its task {task}{owner}",
        )
    return NOTHING


def landed(picture: Picture, recovery: Recovery, read: ServerRead) -> Decision:
    """Return what a server whose record is done came to, once its host and its task say so."""
    if read.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile", Outcome.DONE)
    if read.server.task_state is not None:
        return NOTHING
    arrived = arrived_record(picture, recovery)
    destination = (arrived.destination if arrived else None) or recovery.destination
    if read.server.host == destination:
        return step_to(recovery, _S.SETTLING, f"it is on {destination} in Nova", Outcome.DONE)
    if read.server.host == incident_of(picture, recovery).host:
        return NOTHING  # the host field comes late
    moved = f"somebody moved it on from {destination} to {read.server.host or 'no host'}"
    return step_to(recovery, _S.GONE, moved, Outcome.DONE)


def running_since(picture: Picture, recovery: Recovery) -> Running | None:
    """Return the hypervisor's word since the recovery's last step; None while there is none."""
    read = picture.world.running.get(recovery.server)
    return read.running if read is not None and read.at.is_after(recovery.moved_at) else None


def settle(picture: Picture, recovery: Recovery) -> Decision:
    """Done when its hypervisor says that it runs; what had been stopped is stopped again."""
    running = running_since(picture, recovery)
    was_stopped = recovery.candidate.vm_state == "stopped"
    if running is None:
        return NOTHING
    if running is Running.YES and not was_stopped:
        word = f"its hypervisor on {recovery.destination} runs it"
        return step_to(recovery, _S.DONE, word)
    read = read_since(picture, recovery, recovery.moved_at)
    if read is None:
        return NOTHING
    if read.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile")
    host, vm_state = read.server.host, read.server.vm_state
    if was_stopped and vm_state == "stopped":
        return step_to(recovery, _S.DONE, f"stopped on {host}, as it was before")
    if picture.now.since(recovery.moved_at) <= SETTLE_DEADLINE:
        return _stop_again(picture, recovery) if was_stopped else NOTHING
    if running is Running.YES:
        return step_to(
            recovery, _S.DONE, f"it runs on {host}, though it was stopped before: stop it"
        )
    if running is Running.UNKNOWN and vm_state == "active":
        word = f"Nova has it active on {host}; its hypervisor gave no clear answer"
        return step_to(recovery, _S.DONE, word)
    return step_to(
        recovery,
        _S.STUCK,
        f"Nova has it {vm_state} on {host}, but its hypervisor does not run it: look at it there",
    )


def _stop_again(picture: Picture, recovery: Recovery) -> Decision:
    asked_at = recovery.stop_asked_at
    if asked_at is not None and picture.now.since(asked_at) < STOP_AGAIN_AFTER:
        return NOTHING
    incident = incident_of(picture, recovery)
    command = StopServer(
        id=picture.new_command_id(incident, f"stop-{recovery.server}"),
        incident=incident.id,
        server=recovery.server,
    )
    return NOTHING if picture.state.is_busy(command.subject) else Decision(commands=(command,))
