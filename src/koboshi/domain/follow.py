"""What became of each evacuation: read from its records, its host and its task state.

A server that reads ACTIVE is not there yet: Nova writes that first, the host afterwards, and the
record last (nova 34 compute/manager.py: _do_rebuild_instance, finish_evacuation). Only record, host
and task state together are an end, and the hypervisor's own word makes it certain.
"""

from datetime import timedelta

from koboshi.domain.cloud import (
    ARRIVED_STATUSES,
    FAILED_STATUSES,
    Migration,
    Running,
)
from koboshi.domain.commands import Command, Evacuate, Outcome, StopServer
from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.events import CommandAccepted, CommandEnded, Event, RecoveryMoved
from koboshi.domain.guard import tells_of_orphan
from koboshi.domain.incident import Incident
from koboshi.domain.instant import Instant, latest
from koboshi.domain.proof import why_host_not_proven_now
from koboshi.domain.recovery import Recovery, RecoveryState
from koboshi.domain.rules import MAX_POSTS, UNKNOWN_READS, UNKNOWN_WAIT
from koboshi.domain.stale import nova_now
from koboshi.domain.steps import is_in_service
from koboshi.domain.verdict import Control, Verdict, seconds
from koboshi.domain.world import ServerRead

DESTINATION_GRACE = timedelta(seconds=60)
CONFIRM_DEADLINE = timedelta(seconds=60)
SETTLE_DEADLINE = timedelta(seconds=120)
STOP_AGAIN_AFTER = timedelta(seconds=30)
NO_RECORD_DEADLINE = timedelta(seconds=60)
FAULT_GRACE = timedelta(seconds=10)
"""Nova ends the record first and writes the server's fault later (compute/manager.py: rebuild_instance)."""

_S = RecoveryState


def follow(picture: Picture, recovery: Recovery) -> Decision:
    """Return the next step of a recovery whose request was sent."""
    match recovery.state:
        case _S.UNKNOWN:
            return _resolve(picture, recovery)
        case _S.BUILDING:
            return _building(picture, recovery)
        case _S.CONFIRMING:
            return _confirm(picture, recovery)
        case _S.SETTLING:
            return _settle(picture, recovery)
        case _S.STUCK:
            return _stuck(picture, recovery)
        case _S.HELD:
            return _held(picture, recovery)
        case _:
            return NOTHING


def _move(
    recovery: Recovery,
    to: RecoveryState,
    reason: str,
    ended: Outcome | None = None,
    commands: tuple[Command, ...] = (),
) -> Decision:
    events: list[Event] = []
    if ended is not None and recovery.command is not None:
        events.append(CommandEnded(command=recovery.command, outcome=ended, detail=reason))
    events.append(
        RecoveryMoved(incident=recovery.incident, server=recovery.server, to=to, reason=reason)
    )
    return Decision(events=tuple(events), commands=commands)


def _incident(picture: Picture, recovery: Recovery) -> Incident:
    return picture.state.incidents[recovery.incident]


def _own_records(picture: Picture, recovery: Recovery) -> tuple[Migration, ...] | None:
    """Return the records that our request made; None when they were not read since it was sent."""
    read = picture.world.from_host.get(_incident(picture, recovery).host)
    if read is None or not read.at.is_after(recovery.moved_at):
        return None
    return tuple(
        r
        for r in read.records
        if r.server == recovery.server and r.is_evacuation and r.id not in recovery.known_records
    )


def _arrived(picture: Picture, recovery: Recovery) -> Migration | None:
    """Return the record that says that our request arrived.

    Nova's conductor works on the oldest record that is still `accepted`, not on the newest: a record
    that an earlier request left open may be the one that ends (nova 34 conductor/manager.py).
    """
    read = picture.world.from_host.get(_incident(picture, recovery).host)
    return next(
        (
            r
            for r in (read.records if read else ())
            if r.server == recovery.server
            and r.is_evacuation
            and r.status in ARRIVED_STATUSES
            and (r.id not in recovery.known_records or r.id in recovery.open_records)
        ),
        None,
    )


def _read_since(picture: Picture, recovery: Recovery, since: Instant) -> ServerRead | None:
    read = picture.world.servers.get(recovery.server)
    return read if read is not None and read.at.is_after(since) else None


def _two_records(recovery: Recovery) -> Decision:
    return _move(
        recovery,
        _S.ORPHAN_SUSPECTED,
        "two evacuations of it were begun: look for its domain on every host, and stop all but one",
        Outcome.FAILED,
    )


def _resolve(picture: Picture, recovery: Recovery) -> Decision:
    """Find out by reading whether a request whose answer was lost had its effect."""
    records = _own_records(picture, recovery)
    if records is None or recovery.command is None:
        return NOTHING
    if len(records) > 1:
        return _two_records(recovery)
    if records:
        return Decision(
            events=(
                CommandAccepted(
                    command=recovery.command,
                    detail=f"Nova has record {records[0].id} of it: the request had arrived",
                ),
            ),
        )
    read = picture.world.from_host[_incident(picture, recovery).host]
    since = latest(recovery.moved_at, read.unbroken_since)
    if read.count < UNKNOWN_READS or read.at.since(since) < UNKNOWN_WAIT:
        return NOTHING
    return _ask_again(picture, recovery, since)


def _ask_again(picture: Picture, recovery: Recovery, since: Instant) -> Decision:
    """Send the same request to the same destination: nothing else may follow a lost one."""
    incident = _incident(picture, recovery)
    opened = picture.state.commands.get(recovery.command) if recovery.command else None
    server = _read_since(picture, recovery, since)
    if opened is None or not isinstance(opened.command, Evacuate) or server is None:
        return NOTHING
    if server.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile", Outcome.UNRESOLVED)
    if server.server.host != incident.host:
        return _move(
            recovery, _S.GONE, f"it is on {server.server.host} already", Outcome.UNRESOLVED
        )
    if _is_home(picture, incident):
        return _home_again(recovery)
    if recovery.posts >= MAX_POSTS:
        return _move(recovery, _S.STUCK, "no request of three left a trace in Nova")
    if why_host_not_proven_now(incident, picture.world, picture.now):
        return NOTHING
    isolation = incident.isolation
    again = Evacuate(
        id=picture.new_command_id(incident, f"evacuate-{recovery.server}"),
        incident=incident.id,
        host=incident.host,
        server=recovery.server,
        destination=opened.command.destination,
        rebuilds=opened.command.rebuilds,
        known_records=opened.command.known_records,
        open_records=opened.command.open_records,
        baseline=isolation.baseline if isolation else None,
    )
    ended = CommandEnded(
        command=opened.command.id,
        outcome=Outcome.UNRESOLVED,
        detail=(
            f"no trace of it in Nova for {seconds(UNKNOWN_WAIT)}: it may be asked again, to "
            f"{again.destination} only"
        ),
    )
    return Decision(events=(ended,), commands=(again,))


def _is_home(picture: Picture, incident: Incident) -> bool:
    """Return whether Nova takes no evacuation from the host any more: it is up and in service."""
    judgement = picture.judgements.get(incident.host)
    return (
        judgement is not None
        and judgement.verdict is Verdict.UP
        and judgement.control is Control.FRESH
        and is_in_service(picture, incident)
    )


def _home_again(recovery: Recovery) -> Decision:
    return _move(
        recovery,
        _S.HELD,
        "its host is in service again, and no request for it left a trace: it is where its data is",
        Outcome.UNRESOLVED,
    )


def _building(picture: Picture, recovery: Recovery) -> Decision:
    records = _own_records(picture, recovery)
    if records is None:
        return NOTHING
    if len(records) > 1:
        return _two_records(recovery)
    waited = picture.now.since(recovery.moved_at)
    if not records:
        if waited > NO_RECORD_DEADLINE:
            return _move(recovery, _S.STUCK, "Nova took the request, but shows no record of it")
        return NOTHING
    if arrived := _arrived(picture, recovery):
        return _move(recovery, _S.CONFIRMING, f"record {arrived.id} is {arrived.status}")
    record = records[0]
    if record.status in FAILED_STATUSES:
        return _failed(picture, recovery, record)
    destination = record.destination or recovery.destination
    judgement = picture.judgements.get(destination) if destination else None
    if (
        judgement is not None
        and judgement.verdict not in {Verdict.UP, Verdict.UNKNOWN}
        and waited > DESTINATION_GRACE
    ):
        return _move(
            recovery,
            _S.STUCK,
            f"its destination {destination} is {judgement.verdict} half-way: the server may run there "
            f"already. Nothing is repeated until {destination} is proven dead",
        )
    if waited > picture.rules.stuck_after:
        return _move(
            recovery,
            _S.STUCK,
            f"record {record.id} is {record.status} for {seconds(waited)}: Nova times nothing out. Look "
            f"at nova-compute on {destination}",
        )
    return NOTHING


def _failed(picture: Picture, recovery: Recovery, record: Migration) -> Decision:
    """Judge a failed record by the server's own fault: some failures leave a copy running."""
    read = _read_since(picture, recovery, recovery.moved_at)
    if read is None or not _fault_is_written(picture, record):
        return NOTHING
    if read.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile", Outcome.FAILED)
    destination = record.destination or recovery.destination
    if tells_of_orphan(read.server):
        return _move(
            recovery,
            _S.ORPHAN_SUSPECTED,
            f"Nova says '{read.server.fault}': a copy may run on {destination}. Look there with 'virsh "
            "list --all' before anything else is done to this server",
            Outcome.FAILED,
        )
    why = (
        f"the evacuation to {destination} ended {record.status}: "
        f"{read.server.fault or 'no fault told'}"
    )
    if recovery.posts >= MAX_POSTS:
        return _move(recovery, _S.GIVEN_UP, f"{why} ({recovery.posts} tries)", Outcome.FAILED)
    return _move(recovery, _S.QUEUED, why, Outcome.FAILED)


def _ended_while_stuck(picture: Picture, recovery: Recovery, record: Migration) -> Decision:
    """Judge a record that ended late: only Nova's own fault says that nothing of it runs.

    A record that a person ended in the database ends nothing on the destination.
    """
    read = _read_since(picture, recovery, recovery.moved_at)
    if read is None or not _fault_is_written(picture, record):
        return NOTHING
    if read.server is None or (read.server.vm_state == "error" and read.server.fault):
        return _failed(picture, recovery, record)
    destination = record.destination or recovery.destination
    return _move(
        recovery,
        _S.ORPHAN_SUSPECTED,
        f"its record was ended without a fault of Nova's: it may run on {destination}. Look there with "
        "'virsh list --all' before anything else is done to this server",
        Outcome.FAILED,
    )


def _fault_is_written(picture: Picture, record: Migration) -> bool:
    """Return whether Nova has had time to write the fault, by Nova's own clock."""
    now = nova_now(picture.world)
    return now is not None and (record.updated_at is None or now - record.updated_at >= FAULT_GRACE)


def _confirm(picture: Picture, recovery: Recovery) -> Decision:
    read = _read_since(picture, recovery, recovery.moved_at)
    if read is None:
        return NOTHING
    if landed := _landed(picture, recovery, read):
        return landed
    if picture.now.since(recovery.moved_at) > CONFIRM_DEADLINE and read.server is not None:
        task = read.server.task_state or "none"
        return _move(
            recovery,
            _S.STUCK,
            f"its record is done, but its host reads {read.server.host} and its task {task}",
        )
    return NOTHING


def _landed(picture: Picture, recovery: Recovery, read: ServerRead) -> Decision:
    """Return what a server whose record is done came to, once its host and its task say so."""
    if read.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile", Outcome.DONE)
    if read.server.task_state is not None:
        return NOTHING
    arrived = _arrived(picture, recovery)
    destination = (arrived.destination if arrived else None) or recovery.destination
    if read.server.host == destination:
        return _move(recovery, _S.SETTLING, f"it is on {destination} in Nova", Outcome.DONE)
    if read.server.host == _incident(picture, recovery).host:
        return NOTHING  # the host field comes late
    moved = f"somebody moved it on from {destination} to {read.server.host or 'no host'}"
    return _move(recovery, _S.GONE, moved, Outcome.DONE)


def _running_since(picture: Picture, recovery: Recovery) -> Running | None:
    read = picture.world.running.get(recovery.server)
    return read.running if read is not None and read.at.is_after(recovery.moved_at) else None


def _settle(picture: Picture, recovery: Recovery) -> Decision:
    """Done when its hypervisor says that it runs; what had been stopped is stopped again."""
    running = _running_since(picture, recovery)
    read = _read_since(picture, recovery, recovery.moved_at)
    if running is None or read is None:
        return NOTHING
    if read.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile")
    late = picture.now.since(recovery.moved_at) > SETTLE_DEADLINE
    host, vm_state = read.server.host, read.server.vm_state
    if recovery.candidate.vm_state == "stopped":
        if vm_state == "stopped":
            return _move(recovery, _S.DONE, f"stopped on {host}, as it was before")
        if not late:
            return _stop_again(picture, recovery)
    if running is Running.YES:
        stopped = " (it was stopped before: stop it)" if late else ""
        return _move(recovery, _S.DONE, f"its hypervisor on {host} runs it{stopped}")
    if not late:
        return NOTHING
    if running is Running.UNKNOWN and vm_state == "active":
        return _move(
            recovery, _S.DONE, f"Nova has it active on {host}; its hypervisor gave no clear answer"
        )
    return _move(
        recovery,
        _S.STUCK,
        f"Nova has it {vm_state} on {host}, but its hypervisor does not run it: look at it there",
    )


def _stop_again(picture: Picture, recovery: Recovery) -> Decision:
    asked_at = recovery.stop_asked_at
    if asked_at is not None and picture.now.since(asked_at) < STOP_AGAIN_AFTER:
        return NOTHING
    incident = _incident(picture, recovery)
    command = StopServer(
        id=picture.new_command_id(incident, f"stop-{recovery.server}"),
        incident=incident.id,
        server=recovery.server,
    )
    return NOTHING if picture.state.is_busy(command.subject) else Decision(commands=(command,))


def _held(picture: Picture, recovery: Recovery) -> Decision:
    """Leave `held` when the server is not on its host any more, read by id: a listing may lie."""
    read = _read_since(picture, recovery, recovery.moved_at)
    if read is None:
        return NOTHING
    if read.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile")
    if read.server.host != _incident(picture, recovery).host and read.server.task_state is None:
        return _move(recovery, _S.GONE, f"somebody moved it to {read.server.host or 'no host'}")
    return NOTHING


def _stuck(picture: Picture, recovery: Recovery) -> Decision:
    """Leave `stuck` when the record ends after all, or its destination is proven dead."""
    if recovery.command is None:  # its evacuation ended well; only its hypervisor did not run it
        if _running_since(picture, recovery) is Running.YES:
            return _move(recovery, _S.DONE, "its hypervisor runs it now")
        return NOTHING
    found = _read_since(picture, recovery, recovery.moved_at)
    if found is not None and found.server is None:
        return _move(recovery, _S.GONE, "it was deleted meanwhile", Outcome.FAILED)
    records = _own_records(picture, recovery)
    if records is None:
        return NOTHING
    if len(records) > 1:
        return _two_records(recovery)
    if not records:
        home = found is not None and _is_home(picture, _incident(picture, recovery))
        return _home_again(recovery) if home else NOTHING
    record = records[0]
    if _arrived(picture, recovery):
        read = _read_since(picture, recovery, recovery.moved_at)
        return _landed(picture, recovery, read) if read else NOTHING
    if record.status in FAILED_STATUSES:
        return _ended_while_stuck(picture, recovery, record)
    destination = record.destination or recovery.destination
    if destination is None:
        return NOTHING
    there = picture.state.open_incident(destination)
    if there is None or why_host_not_proven_now(there, picture.world, picture.now):
        return NOTHING
    if recovery.posts >= MAX_POSTS:
        return _move(recovery, _S.GIVEN_UP, f"{destination} died too", Outcome.FAILED)
    return _move(
        recovery, _S.QUEUED, f"{destination} is proven dead: no copy runs there", Outcome.FAILED
    )
