"""After the recovery: the incident stays open (latched) until its host was brought home."""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Running
from koboshi.domain.home.powering import comes_back, go_home, may_settle_again
from koboshi.domain.home.returning import BEATS
from koboshi.domain.incidents.confirm_dead import is_untouched, may_go_on
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.laid_down import is_laid_down, take_up
from koboshi.domain.incidents.listing import list_new_servers
from koboshi.domain.incidents.steps import (
    hold_waiting,
    is_anything_unfinished,
    is_given_back,
    is_healthy_for_long,
    is_only_a_late_message,
    is_unreachable,
    is_up,
    life_of,
    move,
    recoveries_of,
)
from koboshi.domain.judging.proof import is_ours
from koboshi.domain.memory.events import Event, RecoveryMoved
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import WAITING, RecoveryState

_S = IncidentState

AT_REST = frozenset({_S.SETTLED, _S.PARKED, _S.NEEDS_HUMAN, _S.FOREIGN, _S.ENABLING})
_MAY_RECOVER = frozenset({_S.SETTLED, _S.PARKED})
"""States in which another server of it may still be evacuated: the host is off."""
ASKED_BEFORE = timedelta(seconds=30)
"""So long before its host counts as home a held server's hypervisor is asked, again and again."""


def until_home(picture: Picture, incident: Incident) -> Decision:
    """Close when the host is in service and healthy; look for servers that came late, then go home."""
    if taken := take_up(picture, incident):
        return taken
    left = incident.state in {_S.NEEDS_HUMAN, _S.FOREIGN} and not is_laid_down(picture, incident)
    if left and (
        held := hold_waiting(
            picture, incident, f"its incident is {incident.state}: left to a person"
        )
    ):
        return Decision(events=held)
    if is_untouched(picture.state, incident) and may_go_on(picture, incident):
        return move(incident, _S.CONFIRMED, "a person says that the host is dead")
    if is_anything_unfinished(picture, incident):
        return NOTHING
    if _is_deleted(picture, incident):
        return move(incident, _S.CLOSED, "Nova lists no compute service of this host any more")
    if is_given_back(picture, incident):
        return _in_service(picture, incident)
    if incident.state is _S.NEEDS_HUMAN:
        return _after_a_person(picture, incident)
    if incident.state not in _MAY_RECOVER:
        return NOTHING
    waits = any(r.state in WAITING for r in recoveries_of(picture, incident))
    if life := life_of(picture, incident):
        # Its proof is void, and without a new one nothing more of it could ever be recovered.
        if is_only_a_late_message(picture, incident) and (
            waits or list_new_servers(picture, incident)
        ):
            return move(incident, _S.SOURCE_BACK, life)
        if picture.rules.comes_home and not is_only_a_late_message(picture, incident):
            return comes_back(picture, incident, life)
    if waits:
        return move(incident, _S.RECOVERING, "another of its servers can be recovered")
    if late := list_new_servers(picture, incident):
        return late
    return go_home(picture, incident) if picture.rules.comes_home else NOTHING


def _after_a_person(picture: Picture, incident: Incident) -> Decision:
    """Go on by itself when a person did what was asked: the host lives anew, or may be switched on."""
    track, isolation = picture.world.services.get(incident.host), incident.isolation
    if not picture.rules.comes_home:
        return NOTHING
    if track is None or isolation is None or not is_ours(isolation, track.service):
        return NOTHING
    probe = picture.world.probes.get(incident.host)
    answers = probe.answering_since if probe else None
    if answers and answers.is_after(incident.moved_at):
        return comes_back(picture, incident, "its management address answers again")
    beats = track.advanced_at is not None and track.advanced_at.is_after(incident.moved_at)
    if answers and beats and incident.home.beats < BEATS:
        return comes_back(picture, incident, "its nova-compute reports again")
    if may_settle_again(picture, incident):
        return move(incident, _S.SETTLED, "what kept it off is over")
    return NOTHING


def _in_service(picture: Picture, incident: Incident) -> Decision:
    if is_healthy_for_long(picture, incident):
        if _is_asking(picture, incident):
            return NOTHING
        return move(
            incident,
            _S.CLOSED,
            _at_home(incident),
            *_came_home(picture, incident),
        )
    if incident.state is _S.FOREIGN:  # whoever took it has given it back
        if is_up(picture, incident):
            return move(incident, _S.CLOSED, "the host is in service again")
        return NOTHING
    if is_unreachable(picture, incident):
        return _fails_still(picture, incident)
    return NOTHING


def _at_home(incident: Incident) -> str:
    if incident.handed_over is None:
        return "the host is enabled, answers, and reports again"
    return "the host answers and reports again, and is left disabled as its operator had it"


def _fails_still(picture: Picture, incident: Incident) -> Decision:
    """Go on with a host in service that is silent: anew when it has lived, else as a person decides.

    Whoever enables a host that is still dead is respected: nothing is done to it before it lives.
    One that never left service and never answered is the same failure, and waits for its person.
    """
    host = incident.host
    if _has_lived(picture, incident):
        return move(
            incident,
            _S.CLOSED,
            "the host was in service again, and fails anew: a new incident follows",
        )
    if incident.state in _MAY_RECOVER:
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"somebody enabled {host} in Nova, and it is silent still: Koboshi does nothing more to it "
            f"until it has lived again. Bring it home, or disable it: openstack compute service set "
            f"--disable {host} nova-compute",
        )
    if (
        incident.state is _S.NEEDS_HUMAN
        and incident.isolation is None
        and incident.proof is None
        and host in picture.world.fenced
    ):
        return move(incident, _S.CONFIRMED, "the host is still silent, and can be fenced now")
    return NOTHING


def _has_lived(picture: Picture, incident: Incident) -> bool:
    """Return whether the host gave a sign of life since its incident came to rest."""
    probe = picture.world.probes.get(incident.host)
    heartbeat = picture.world.services.get(incident.host)
    further = (tracks.get(incident.host) for tracks in picture.world.further.values())
    signs = (
        probe.kernel_at if probe else None,
        heartbeat.advanced_at if heartbeat else None,
        *(track.kernel_at for track in further if track is not None),
    )
    return any(at is not None and at.is_after(incident.moved_at) for at in signs)


def _is_deleted(picture: Picture, incident: Incident) -> bool:
    """Return whether the host's row is gone for good: dropped after it had vanished for long."""
    world = picture.world
    return incident.host not in world.services and world.services_read_at is not None


def asked_at_home(picture: Picture, incident: Incident) -> frozenset[ServerId]:
    """Return the held servers that Nova calls active on their host: only its hypervisor knows.

    Nova's word may be older than the failure. They are asked when the host is about to be home.
    """
    sweep = picture.world.sweep
    if (
        sweep is None
        or not sweep.at.is_after(incident.moved_at)
        or incident.state not in AT_REST
        or not is_given_back(picture, incident)
        or not is_healthy_for_long(picture, incident, but_for=ASKED_BEFORE)
    ):
        return frozenset()
    active = {s for s, seen in sweep.on(incident.host).items() if seen.vm_state == "active"}
    held = (r for r in recoveries_of(picture, incident) if r.state is RecoveryState.HELD)
    return frozenset(r.server for r in held if r.server in active)


def _is_asking(picture: Picture, incident: Incident) -> bool:
    """Return whether a hypervisor has not answered yet: that takes seconds, whatever it says."""
    return any(_heard(picture, s) is None for s in asked_at_home(picture, incident))


def _heard(picture: Picture, server: ServerId) -> Running | None:
    read = picture.world.running.get(server)
    fresh = read is not None and picture.now.since(read.at) <= ASKED_BEFORE
    return read.running if read is not None and fresh else None


def _came_home(picture: Picture, incident: Incident) -> Iterator[Event]:
    """Tell of the servers that waited for their host and run there again, as its hypervisor says."""
    asked = asked_at_home(picture, incident)
    for recovery in recoveries_of(picture, incident):
        if recovery.server in asked and _heard(picture, recovery.server) is Running.YES:
            yield RecoveryMoved(
                incident=incident.id,
                server=recovery.server,
                to=RecoveryState.DONE,
                reason=f"it runs on {incident.host} again, with its disks",
            )
