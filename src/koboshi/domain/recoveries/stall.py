"""A recovery that does not get on, though nothing of it has failed: a person must hear of it."""

from datetime import timedelta

from koboshi.domain.decision import Picture
from koboshi.domain.incidents.incident import SHOULD_GET_ON, Incident, IncidentState
from koboshi.domain.incidents.listing import not_listed_yet
from koboshi.domain.incidents.steps import idle_for, nova_s_trouble
from koboshi.domain.judging.proof import why_host_not_proven_now
from koboshi.domain.judging.verdict import seconds
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import HOLDS_A_SLOT, ON_ITS_WAY, WAITING, RecoveryState
from koboshi.domain.recoveries.stranded import may_hide_tpm

STALLED_AFTER = timedelta(minutes=3)
NAMED = 3

_NOVA_WORKS = (ON_ITS_WAY | HOLDS_A_SLOT) - {RecoveryState.STUCK, RecoveryState.UNKNOWN}


def stalled_notice(picture: Picture, host: HostName) -> str | None:
    """Return what holds up the recovery of `host`; None while it gets on."""
    incident = picture.state.open_incident(host)
    if (
        incident is None
        or picture.why_not_acting is not None
        or incident.state not in SHOULD_GET_ON
        or idle_for(picture, incident) < STALLED_AFTER
    ):
        return None
    recoveries = picture.state.recoveries.get(incident.id, {}).values()
    if any(r.state in _NOVA_WORKS for r in recoveries):
        return None
    waiting = [r for r in recoveries if r.state in WAITING]
    told = f"{len(waiting)} servers wait" if waiting else "nothing waits"
    return (
        f"the recovery of {host} has not got on for {seconds(STALLED_AFTER)} ({incident.state}; {told}): "
        f"{_why(picture, incident, [r.reason for r in waiting])}"
    )


def _why(picture: Picture, incident: Incident, reasons: list[str]) -> str:
    if trouble := nova_s_trouble(picture, incident):
        return trouble
    if incident.state is IncidentState.RECOVERING:
        if late := not_listed_yet(picture, incident):
            names = ", ".join(sorted(s.name for s in late)[:NAMED])
            hosts = picture.world.tpm_hosts
            hidden = any(may_hide_tpm(s, incident.host, hosts) for s in late)
            why = " (one that has a vTPM must never be sent)" if hidden else ""
            return (
                f"{len(late)} of its servers ({names}) wait for what Glance and Cinder say of their images "
                f"and volumes{why}: bring those back"
            )
        proof = why_host_not_proven_now(incident, picture.world, picture.now)
        return proof or next(iter(reasons), "see which of its servers are stuck")
    return f"{incident.reason}; see 'koboshi incident show {incident.id}'"
