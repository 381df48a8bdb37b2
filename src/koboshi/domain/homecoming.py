"""After the recovery: the incident stays open (latched) until its host was brought home."""

from collections.abc import Iterator

from koboshi.domain.confirm_dead import is_untouched, may_go_on
from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.events import Event, RecoveryMoved
from koboshi.domain.incident import Incident, IncidentState
from koboshi.domain.listing import list_new_servers
from koboshi.domain.recovery import WAITING, RecoveryState
from koboshi.domain.steps import (
    hold_waiting,
    is_anything_unfinished,
    is_healthy_for_long,
    is_in_service,
    is_only_a_late_message,
    is_unreachable,
    is_up,
    life_of,
    move,
    recoveries_of,
)

_S = IncidentState


def until_home(picture: Picture, incident: Incident) -> Decision:
    """Close when the host is in service and healthy; look for servers that came late."""
    if incident.state is not _S.SETTLED and (
        held := hold_waiting(
            picture, incident, f"its incident is {incident.state}: left to a person"
        )
    ):
        return Decision(events=held)
    if is_untouched(picture, incident) and may_go_on(picture, incident):
        return move(incident, _S.CONFIRMED, "a person says that the host is dead")
    if is_anything_unfinished(picture, incident):
        return NOTHING
    if _is_deleted(picture, incident):
        return move(incident, _S.CLOSED, "Nova lists no compute service of this host any more")
    if is_in_service(picture, incident):
        return _in_service(picture, incident)
    if incident.state is not _S.SETTLED:
        return NOTHING
    waits = any(r.state in WAITING for r in recoveries_of(picture, incident))
    if life := life_of(picture, incident):
        # Its proof is void, and without a new one nothing more of it could ever be recovered.
        if is_only_a_late_message(picture, incident) and (
            waits or list_new_servers(picture, incident)
        ):
            return move(incident, _S.SOURCE_BACK, life)
        return NOTHING
    if waits:
        return move(incident, _S.RECOVERING, "another of its servers can be recovered")
    return list_new_servers(picture, incident)


def _in_service(picture: Picture, incident: Incident) -> Decision:
    if is_healthy_for_long(picture, incident):
        return move(
            incident,
            _S.CLOSED,
            "the host is enabled, answers, and reports again",
            *_came_home(picture, incident),
        )
    if incident.state is _S.FOREIGN:  # whoever took it has given it back
        if is_up(picture, incident):
            return move(incident, _S.CLOSED, "the host is in service again")
        return NOTHING
    if is_unreachable(picture, incident):
        return _fails_still(picture, incident)
    return NOTHING


def _fails_still(picture: Picture, incident: Incident) -> Decision:
    """Go on with a host in service that is silent: anew, or because it can be fenced by now.

    One that never left service and never answered is the same failure, and waits for its person.
    """
    settled = incident.state is _S.SETTLED  # it had lived right before
    if settled or incident.isolation is not None or _has_lived(picture, incident):
        return move(
            incident,
            _S.CLOSED,
            "the host was in service again, and fails anew: a new incident follows",
        )
    if incident.state is _S.NEEDS_HUMAN and incident.host in picture.world.fenced:
        return move(incident, _S.CONFIRMED, "the host is still silent, and can be fenced now")
    return NOTHING


def _has_lived(picture: Picture, incident: Incident) -> bool:
    """Return whether the host gave a sign of life since its incident came to rest."""
    probe = picture.world.probes.get(incident.host)
    heartbeat = picture.world.services.get(incident.host)
    signs = (
        probe.kernel_at if probe else None,
        heartbeat.advanced_at if heartbeat else None,
    )
    return any(at is not None and at.is_after(incident.moved_at) for at in signs)


def _is_deleted(picture: Picture, incident: Incident) -> bool:
    """Return whether the host's row is gone for good: dropped after it had vanished for long."""
    world = picture.world
    return incident.host not in world.services and world.services_read_at is not None


def _came_home(picture: Picture, incident: Incident) -> Iterator[Event]:
    """Tell of the servers that waited for their host and run there again."""
    sweep = picture.world.sweep
    if sweep is None or not sweep.at.is_after(incident.moved_at):
        return
    active = {s for s, seen in sweep.on(incident.host).items() if seen.vm_state == "active"}
    for recovery in recoveries_of(picture, incident):
        if recovery.state is RecoveryState.HELD and recovery.server in active:
            yield RecoveryMoved(
                incident=incident.id,
                server=recovery.server,
                to=RecoveryState.DONE,
                reason=f"it runs on {incident.host} again, with its disks",
            )
