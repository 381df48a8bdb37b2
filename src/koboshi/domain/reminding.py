"""An incident that waits for a person is told again and again, ever more rarely: never for ever unseen."""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import Picture
from koboshi.domain.events import Event, HostNoticeCleared, HostNoticed
from koboshi.domain.incident import Incident, IncidentState
from koboshi.domain.names import HostName

WAITING_FOR_A_PERSON = "waiting_for_a_person"
WAITS = frozenset({IncidentState.HELD, IncidentState.UNPROVEN, IncidentState.NEEDS_HUMAN})
FIRST_AFTER = timedelta(minutes=15)
"""It is told when it begins to wait; so long after that for the first time again."""
LONGEST = timedelta(hours=24)
"""Each pause is twice the one before, up to a day."""


def reminders(picture: Picture, host: HostName) -> Iterator[Event]:
    """Tell once more of the incident of `host` that waits, when it is time."""
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
    minutes = picture.now.since(incident.moved_at).total_seconds() / 60
    how_long = f"{minutes:.0f} minutes" if minutes < 180 else f"{minutes / 60:.0f} hours"  # noqa: PLR2004 three hours read better so
    return (
        f"{incident.host} still waits for a person, for {how_long}: it is {incident.state}: "
        f"{incident.reason}"
    )
