"""Servers that waited for their disks: started on their host again, when its hypervisor says they are off.

Nova's database is older than the failure: only the hypervisor knows what runs (`GET diagnostics`).
What the owner had stopped stays off.
"""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Running, Server
from koboshi.domain.home.guard_start import REBOOTED_STATES
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.steps import is_unreachable, move, recoveries_of
from koboshi.domain.instant import latest, seconds
from koboshi.domain.memory.commands import Command, RebootServer, StartServer
from koboshi.domain.memory.events import Event
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment
from koboshi.domain.recoveries.tracing import step_to

SETTLED_FOR = timedelta(seconds=20)
"""A returned nova-compute turns ACTIVE into SHUTOFF by itself, up to 18 s after it is up (measured)."""
START_WITHIN = timedelta(seconds=60)
"""How long a start or a reboot may take to show before it is judged anew."""
MAX_STARTS = 3
MAX_REBOOTS = 1
"""Another one would stop a guest that the first has started late: only a person sends it."""

_S = IncidentState


def waits_for_its_host(recovery: Recovery) -> bool:
    """Return whether a server is to be started with its host: it ran before, and is protected."""
    return (
        recovery.state is RecoveryState.HELD
        and recovery.candidate.vm_state == "active"
        and recovery.candidate.treatment is not Treatment.IGNORE
    )


def asked_while_restoring(picture: Picture, incident: Incident) -> frozenset[ServerId]:
    """Return the servers to be read by id and asked of their hypervisor now: a few at a time."""
    if incident.state is not _S.RESTORING or not _is_settled(picture, incident):
        return frozenset()
    waiting = [r for r in recoveries_of(picture, incident) if waits_for_its_host(r)]
    begun = [r.server for r in waiting if r.start_asked_at is not None]
    fresh = [r.server for r in waiting if r.start_asked_at is None]
    return frozenset(begun + fresh[: picture.rules.starts_per_host])


def restore(picture: Picture, incident: Incident) -> Decision:
    """Start what ran before and does not run now; go on when all of it has come to an end."""
    if is_unreachable(picture, incident):
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{incident.host} fell silent again on its way home: look at it. When it comes back, Koboshi "
            "goes on",
        )
    waiting = [r for r in recoveries_of(picture, incident) if waits_for_its_host(r)]
    if not waiting:
        return move(incident, _S.ENABLING, "every server that waited for it has come to an end")
    if not _is_settled(picture, incident):
        return NOTHING
    events: list[Event] = []
    commands: list[Command] = []
    budget = _budget(picture, incident)
    here = sum(r.start_asked_at is not None for r in waiting)
    for recovery in waiting:
        decision = _one(picture, incident, recovery)
        events.extend(decision.events)
        if decision.commands and recovery.start_asked_at is None:
            if here >= picture.rules.starts_per_host or budget <= 0:
                continue
            here, budget = here + 1, budget - 1
        commands.extend(decision.commands)
    return Decision(events=tuple(events), commands=tuple(commands))


def _is_settled(picture: Picture, incident: Incident) -> bool:
    """Return whether the service is up, and has been long enough for Nova to see what runs."""
    track = picture.world.services.get(incident.host)
    return (
        track is not None
        and track.service.up is True
        and picture.now.since(latest(incident.moved_at, picture.world.began_at)) >= SETTLED_FOR
    )


def _budget(picture: Picture, incident: Incident) -> int:
    """Return how many more servers this host may start in this look: the hosts share what is left."""
    hosts = [i for i in picture.state.open_incidents() if i.state is _S.RESTORING]
    starting = sum(
        r.start_asked_at is not None and waits_for_its_host(r)
        for i in hosts
        for r in recoveries_of(picture, i)
    )
    left = max(0, picture.rules.starts_at_once - starting)
    share, more = divmod(left, len(hosts))
    return share + (hosts.index(incident) < more)


def _one(picture: Picture, incident: Incident, recovery: Recovery) -> Decision:
    if picture.state.is_busy(f"server:{recovery.server}"):
        return NOTHING
    since = recovery.start_asked_at or incident.moved_at.later(SETTLED_FOR)
    read = picture.world.servers.get(recovery.server)
    heard = picture.world.running.get(recovery.server)
    if read is None or not read.at.is_after(since):
        return NOTHING
    if read.server is None:
        return step_to(recovery, RecoveryState.GONE, "it was deleted meanwhile")
    if read.server.task_state and picture.now.since(since) >= picture.rules.stuck_after:
        return step_to(
            recovery,
            RecoveryState.STUCK,
            f"Nova has had it in {read.server.task_state} for {seconds(picture.now.since(since))}: it is "
            f"not waited for any longer. Look at it on {incident.host}",
        )
    if read.server.host != incident.host:
        moved = f"somebody moved it to {read.server.host or 'no host'}"
        return step_to(recovery, RecoveryState.GONE, moved) if _at_rest(read.server) else NOTHING
    if heard is None or not heard.at.is_after(since) or not _at_rest(read.server):
        return NOTHING
    if heard.running is Running.YES and read.server.vm_state == "active":
        return step_to(
            recovery, RecoveryState.DONE, f"it runs on {incident.host} again, with its disks"
        )
    if heard.running is not Running.NO:
        return NOTHING
    if recovery.start_asked_at and picture.now.since(recovery.start_asked_at) < START_WITHIN:
        return NOTHING
    commands = tuple(_start(picture, incident, recovery, read.server))
    if commands:
        return Decision(commands=commands)
    tried = f"{recovery.starts} starts and {recovery.reboots} HARD reboots"
    return step_to(
        recovery,
        RecoveryState.STUCK,
        f"its hypervisor does not run it, and Nova has it {read.server.vm_state} after {tried}"
        + (f" ({read.server.fault})" if read.server.fault else "")
        + f": look at it on {incident.host}",
    )


def _at_rest(server: Server) -> bool:
    return server.task_state is None


def _start(
    picture: Picture, incident: Incident, recovery: Recovery, server: Server
) -> Iterator[Command]:
    """Return the one command that brings it back, if there is one left."""
    why = "it ran before its host failed, and its hypervisor does not run it"
    if server.vm_state == "stopped" and recovery.starts < MAX_STARTS:
        yield StartServer(
            id=picture.new_command_id(incident, f"start-{recovery.server}"),
            incident=incident.id,
            server=recovery.server,
            host=incident.host,
            why=why,
        )
    elif server.vm_state in REBOOTED_STATES and recovery.reboots < MAX_REBOOTS:
        yield RebootServer(
            id=picture.new_command_id(incident, f"reboot-{recovery.server}"),
            incident=incident.id,
            server=recovery.server,
            host=incident.host,
            why=f"{why}, though Nova has it {server.vm_state}",
        )
