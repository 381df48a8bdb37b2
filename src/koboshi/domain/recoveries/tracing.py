"""What Nova shows of one server's evacuation, and how a step of its recovery is told."""

from koboshi.domain.decision import Decision, Picture
from koboshi.domain.facts.cloud import (
    ARRIVED_STATUSES,
    Migration,
)
from koboshi.domain.facts.world import ServerRead
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command, Outcome
from koboshi.domain.memory.events import CommandEnded, Event, RecoveryMoved
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState

_S = RecoveryState


def step_to(
    recovery: Recovery,
    to: RecoveryState,
    reason: str,
    ended: Outcome | None = None,
    commands: tuple[Command, ...] = (),
) -> Decision:
    """Return the step to `to`, which also ends the open command where `ended` says how."""
    events: list[Event] = []
    if ended is not None and recovery.command is not None:
        events.append(CommandEnded(command=recovery.command, outcome=ended, detail=reason))
    events.append(
        RecoveryMoved(incident=recovery.incident, server=recovery.server, to=to, reason=reason)
    )
    return Decision(events=tuple(events), commands=commands)


def incident_of(picture: Picture, recovery: Recovery) -> Incident:
    """Return the incident of the server's host."""
    return picture.state.incidents[recovery.incident]


def own_records(picture: Picture, recovery: Recovery) -> tuple[Migration, ...] | None:
    """Return the records that our request made; None when they were not read since it was sent."""
    read = picture.world.from_host.get(incident_of(picture, recovery).host)
    if read is None or not read.at.is_after(recovery.moved_at):
        return None
    return tuple(
        r
        for r in read.records
        if r.server == recovery.server and r.is_evacuation and r.id not in recovery.known_records
    )


def arrived_record(picture: Picture, recovery: Recovery) -> Migration | None:
    """Return the record that says that our request arrived.

    Nova's conductor works on the oldest record that is still `accepted`, not on the newest: a record
    that an earlier request left open may be the one that ends (nova 34 conductor/manager.py).
    """
    read = picture.world.from_host.get(incident_of(picture, recovery).host)
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


def read_since(picture: Picture, recovery: Recovery, since: Instant) -> ServerRead | None:
    """Return the server as it was read by id after `since`; None while it was not."""
    read = picture.world.servers.get(recovery.server)
    return read if read is not None and read.at.is_after(since) else None


def two_records(recovery: Recovery) -> Decision:
    """Return the end of a recovery of which Nova works on two evacuations: hands off."""
    return step_to(
        recovery,
        _S.ORPHAN_SUSPECTED,
        "two evacuations of it were begun: look for its domain on every host, and stop all but one",
        Outcome.FAILED,
    )
