"""The last step home: only our own disable is cleared, and the host is watched until it is healthy."""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture, Refused
from koboshi.domain.home.guard_home import bombs_of, cures, named, stays_disabled
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.steps import is_given_back, is_unreachable, may_ask_nova, move
from koboshi.domain.memory.commands import EnableService, RestoreDisable
from koboshi.domain.memory.events import HostReleased
from koboshi.domain.names import HostName, ServiceId

RECORDS_MAX_AGE = timedelta(seconds=20)

_S = IncidentState


def failures_of(picture: Picture, incident: Incident) -> int:
    """Return how often the host has failed of late, this time included."""
    return sum(
        i.host == incident.host
        and i.isolation is not None
        and incident.opened_at.since(i.opened_at) <= picture.rules.flapping
        for i in picture.state.incidents.values()
    )


def enable(picture: Picture, incident: Incident) -> Decision:
    """Enable what we disabled; a host that fails again and again waits for a person's word.

    One that an operator had disabled before is given back to them as it was.
    """
    host, track = incident.host, picture.world.services.get(incident.host)
    if track is None or track.service.up is None or not track.read_at.is_after(incident.moved_at):
        return NOTHING
    service, isolation = track.service, incident.isolation
    if service.enabled or isolation is None or service.id is None:
        return NOTHING
    if is_unreachable(picture, incident):
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{host} fell silent again before it was enabled: look at it. When it comes back, Koboshi "
            "goes on",
        )
    if service.disabled_reason != isolation.marker:
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{host} is home, but somebody else disabled it "
            f"({service.disabled_reason or 'without a reason'}): enabling it is theirs",
        )
    read = picture.world.from_host.get(host)
    if read is None or picture.now.since(read.at) > RECORDS_MAX_AGE:
        return NOTHING
    if bombs := bombs_of(read.records):
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{host} is home, but is not enabled: {named(bombs)}, and the next start of its nova-compute "
            f"would destroy those guests. Make sure that nobody works on them, then {cures(bombs)}",
        )
    if stays_disabled(incident):
        return _leave_disabled(picture, incident, service.id)
    failures = failures_of(picture, incident)
    if failures > 1 and not incident.home.released_by:
        hours = picture.rules.flapping.total_seconds() / 3600
        return move(
            incident,
            _S.QUARANTINED,
            f"{host} failed {failures} times within {hours:.0f} h: it stays disabled until you are sure "
            f"of it: koboshi host release {host} (or enable it in Nova)",
        )
    if not may_ask_nova(picture, incident):
        return NOTHING
    command = EnableService(
        id=picture.new_command_id(incident, "enable"),
        incident=incident.id,
        host=host,
        service=service.id,
        marker=isolation.marker,
    )
    return Decision(commands=(command,))


def _leave_disabled(picture: Picture, incident: Incident, service: ServiceId) -> Decision:
    """Give a host that an operator had disabled back to them: enabling it is theirs."""
    if incident.isolation is None or not may_ask_nova(picture, incident):
        return NOTHING
    command = RestoreDisable(
        id=picture.new_command_id(incident, "disable"),
        incident=incident.id,
        host=incident.host,
        service=service,
        marker=incident.isolation.marker,
        reason=incident.handed_over or "",
    )
    return Decision(commands=(command,))


def await_release(picture: Picture, incident: Incident) -> Decision:
    """Leave quarantine by a person's word, or when somebody enables the host."""
    if incident.home.released_by:
        why = f"released by {incident.home.released_by}"
        return move(incident, _S.ENABLING, why)
    if is_given_back(picture, incident):
        return move(incident, _S.ENABLING, "somebody enabled it in Nova")
    return NOTHING


def release(picture: Picture, host: HostName, by: str) -> Decision | Refused:
    """Return what follows from `by` saying that a quarantined host may serve again."""
    incident = picture.state.open_incident(host)
    if incident is None or incident.state is not _S.QUARANTINED:
        state = "has no open incident" if incident is None else f"is {incident.state}"
        return Refused(
            reason=f"{host} is not quarantined: it {state}",
            cure=f"see 'koboshi host explain {host}' for what it waits for",
        )
    return Decision(events=(HostReleased(incident=incident.id, host=host, by=by),))
