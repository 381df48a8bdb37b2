"""Servers whose arrival may have killed a host: the next one must not die of the same, nor a third.

A guest that makes its hypervisor panic is carried by an evacuation from host to host. Whatever a host
had received in the ten minutes before its death is suspected: it goes last, alone, onto a host
without critical servers, and once more at most.
"""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import Decision, Picture
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.memory.events import Event, PoisonSuspected
from koboshi.domain.memory.state import State
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import HOLDS_A_SLOT, ON_ITS_WAY, Recovery, RecoveryState

WITHIN = timedelta(minutes=10)
MOST_DEATHS = 2
"""After so many deaths a server is sent nowhere any more."""
_CAME = ON_ITS_WAY | HOLDS_A_SLOT
_WAS_THERE = frozenset(
    {RecoveryState.QUEUED, RecoveryState.GIVEN_UP, RecoveryState.DONE, RecoveryState.GONE}
)


def suspect_poison(picture: Picture) -> Decision:
    """Return which servers the hosts had received that died of late."""
    events: list[Event] = []
    for incident in picture.state.open_incidents():
        if incident.proof is not None:
            events.extend(_suspects(picture.state, incident))
    return Decision(events=tuple(events))


def _suspects(state: State, incident: Incident) -> Iterator[PoisonSuspected]:
    for recoveries in state.recoveries.values():
        for recovery in recoveries.values():
            if (
                recovery.destination == incident.host
                and recovery.incident != incident.id
                and incident.host not in state.poison.get(recovery.server, ())
                and _came_before(recovery, incident)
            ):
                yield PoisonSuspected(
                    incident=incident.id, server=recovery.server, host=incident.host
                )


def _came_before(recovery: Recovery, incident: Incident) -> bool:
    """Return whether the host was making the server when it died, or had it for a short while."""
    if recovery.state in _CAME:
        return True
    late = incident.opened_at.since(recovery.moved_at) > WITHIN
    return recovery.state in _WAS_THERE and recovery.posts > 0 and not late


def is_suspect(state: State, server: ServerId) -> bool:
    """Return whether a host has died shortly after it had received the server."""
    return bool(state.poison.get(server))


def why_nowhere_any_more(state: State, server: ServerId) -> str | None:
    """Return why a server is sent nowhere any more; None while it may be sent."""
    deaths = sorted(state.poison.get(server, ()))
    if len(deaths) < MOST_DEATHS:
        return None
    return (
        f"{' and '.join(deaths)} died within ten minutes of receiving it: it may have killed them, and is "
        "sent to no third host. Look at what it runs, and evacuate it by hand"
    )
