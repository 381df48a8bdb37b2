"""What waits for a person is told again and again, ever more rarely: never for ever unseen."""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import Picture
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.steps import recoveries_of
from koboshi.domain.instant import Instant
from koboshi.domain.memory.events import Event, HostNoticeCleared, HostNoticed
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState

WAITING_FOR_A_PERSON = "waiting_for_a_person"
WAITS = frozenset(
    {
        IncidentState.HELD,
        IncidentState.UNPROVEN,
        IncidentState.NEEDS_HUMAN,
        IncidentState.QUARANTINED,
    }
)
FIRST_AFTER = timedelta(minutes=15)
"""It is told when it begins to wait; so long after that for the first time again."""
LONGEST = timedelta(hours=24)
"""Each pause is twice the one before, up to a day."""
SERVERS_HELD = "servers_held"
HELD_AT_REST = frozenset({IncidentState.SETTLED, IncidentState.PARKED, IncidentState.NEEDS_HUMAN})
"""States of an incident in which only its host's return, or an order, ends the wait of a held server."""
HELD_FIRST_AFTER = timedelta(hours=1)
HELD_EVERY = timedelta(hours=24)
NAMED = 5


def reminders(picture: Picture, host: HostName) -> Iterator[Event]:
    """Tell once more of what waits on `host`, when it is time."""
    yield from _of_the_incident(picture, host)
    yield from _of_held_servers(picture, host)


def _of_held_servers(picture: Picture, host: HostName) -> Iterator[Event]:
    """Tell of servers whose host does not come back: what is held, since when, and the two ways out."""
    known = picture.state.notices.get((host, SERVERS_HELD))
    incident = picture.state.open_incident(host)
    recoveries = recoveries_of(picture, incident) if incident is not None else ()
    held = [r for r in recoveries if r.state is RecoveryState.HELD]
    if incident is None or incident.state not in HELD_AT_REST or not held:
        if known is not None:
            yield HostNoticeCleared(host=host, topic=SERVERS_HELD)
        return
    since = min((r.moved_at for r in held), key=lambda at: at.boot)
    waited, pause = picture.now.since(since), HELD_FIRST_AFTER
    if known is not None:
        waited, pause = picture.now.since(known.since), HELD_EVERY
    if waited >= pause:
        text = _held_text(picture, incident, held, since)
        yield HostNoticed(host=host, topic=SERVERS_HELD, text=text)


def _held_text(picture: Picture, incident: Incident, held: list[Recovery], since: Instant) -> str:
    names = ", ".join(
        f"{r.candidate.name} ({' and '.join(r.candidate.local_disks) or r.reason})"
        for r in held[:NAMED]
    )
    more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    count = "1 server is" if len(held) == 1 else f"{len(held)} servers are"
    return (
        f"{count} held on {incident.host} for {_how_long(picture, since)}: {names}{more}. They return with "
        f"their disks when it does (koboshi incident show {incident.id}); who cannot wait gives up the "
        f"disks of one: koboshi server rebuild {held[0].server}"
    )


def _of_the_incident(picture: Picture, host: HostName) -> Iterator[Event]:
    known = picture.state.notices.get((host, WAITING_FOR_A_PERSON))
    incident = picture.state.open_incident(host)
    if incident is None or incident.state not in WAITS:
        if known is not None:
            yield HostNoticeCleared(host=host, topic=WAITING_FOR_A_PERSON)
        return
    waited = picture.now.since(incident.moved_at)
    pause = FIRST_AFTER
    if known is not None and known.since.is_after(incident.moved_at):
        waited = picture.now.since(known.since)
        pause = min(max(FIRST_AFTER, known.since.since(incident.moved_at)), LONGEST)
    if waited >= pause:
        yield HostNoticed(host=host, topic=WAITING_FOR_A_PERSON, text=_text(picture, incident))


def _text(picture: Picture, incident: Incident) -> str:
    how_long = _how_long(picture, incident.moved_at)
    return (
        f"{incident.host} still waits for a person, for {how_long}: it is {incident.state}: "
        f"{incident.reason}"
    )


def _how_long(picture: Picture, since: Instant) -> str:
    minutes = picture.now.since(since).total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 180 else f"{minutes / 60:.0f} hours"  # noqa: PLR2004 three hours read better so
