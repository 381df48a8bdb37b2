"""The end of a wait: a server that its policy holds for a while is rebuilt, if its host is still off.

The time counts from when the journal first knew the server on its dead host. It ends only while the
power reads off, then and there: a host that comes back brings the data, and after a power-on of ours
nothing of it is evacuated any more.
"""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import BY_POWER, Incident
from koboshi.domain.judging.evidence import distrusting
from koboshi.domain.memory.events import DataLossCommitted, RecoveryMoved
from koboshi.domain.names import HostName
from koboshi.domain.policies.terms import words_of
from koboshi.domain.recoveries.rebuild_order import ORDERABLE, why_not_rebuild
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment
from koboshi.domain.rules import PROOF_MAX_AGE

LOOK_BEFORE = timedelta(seconds=15)
"""So long before a wait ends the power of its host is read again and again."""


def waits_on(picture: Picture, incident: Incident, less: timedelta = timedelta()) -> list[Recovery]:
    """Return the servers whose wait for their host is over, or will be in so long."""
    if incident.state not in ORDERABLE:
        return []
    return [
        r
        for r in picture.state.recoveries.get(incident.id, {}).values()
        if r.state is RecoveryState.HELD
        and r.candidate.treatment is Treatment.HOLD
        and r.candidate.rebuild_after is not None
        and picture.now.surely_since(r.seen_at) >= r.candidate.rebuild_after - less
    ]


def hosts_waited_for(picture: Picture) -> frozenset[HostName]:
    """Return the hosts whose power decides now, or soon, whether a server is rebuilt."""
    incidents = picture.state.open_incidents()
    return frozenset(i.host for i in incidents if waits_on(picture, i, LOOK_BEFORE))


def end_waits(picture: Picture) -> Decision:
    """Give up the disks of servers that have waited for as long as their policy says."""
    if picture.why_not_acting:
        return NOTHING
    for incident in picture.state.open_incidents():
        for recovery in waits_on(picture, incident):
            if reads_off(picture, incident) and not why_not_rebuild(picture, incident, recovery):
                return _given_up(incident, recovery)
    return NOTHING


def reads_off(picture: Picture, incident: Incident) -> bool:
    """Return whether the host's power reads off now; nothing else ends a wait."""
    track = picture.world.power.get(incident.host)
    if track is None or incident.proof is None or incident.proof.kind not in BY_POWER:
        return False
    newest = distrusting(track, picture.state.devices.distrusted(incident.host)).newest
    return newest.power is Power.OFF and picture.now.since(newest.at) <= PROOF_MAX_AGE


def _given_up(incident: Incident, recovery: Recovery) -> Decision:
    candidate = recovery.candidate
    waited = words_of(candidate.rebuild_after or timedelta())
    reason = f"it has waited {waited}, and {incident.host} is still off: it is rebuilt"
    return Decision(
        events=(
            DataLossCommitted(
                incident=incident.id,
                server=recovery.server,
                disks=candidate.local_disks,
                policy=f"{reason} ({candidate.reason})",
            ),
            RecoveryMoved(
                incident=incident.id,
                server=recovery.server,
                to=RecoveryState.QUEUED,
                reason=reason,
            ),
        )
    )
