"""From proof to servers that are safe: isolate the host, list its servers, watch for its life."""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.ownership import marker_of
from koboshi.domain.incidents.fencing import FENCE_ATTEMPTS, fence
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.listing import list_new_servers, not_listed_yet
from koboshi.domain.incidents.steps import (
    hold_waiting,
    is_anything_moving,
    is_only_a_late_message,
    life_of,
    move,
    operators_hand,
    recoveries_of,
)
from koboshi.domain.judging.proof import is_ours
from koboshi.domain.judging.quarantine import has_trusted_device
from koboshi.domain.memory.commands import Isolate
from koboshi.domain.recoveries.recovery import ON_ITS_WAY, WAITING, RecoveryState

ISOLATE_AGAIN_AFTER = timedelta(seconds=2)
ISOLATE_CALMLY_AFTER = timedelta(minutes=1)
ISOLATE_CALMLY_EVERY = timedelta(seconds=20)

_S = IncidentState


def isolate(picture: Picture, incident: Incident) -> Decision:
    """Force the service down and disable it, until it reads back so."""
    if life := life_of(picture, incident):
        return move(incident, _S.SOURCE_BACK, life)
    if incident.isolation is not None:
        return move(incident, _S.RECOVERING, "Nova holds it down and disabled; reading its servers")
    if hand := operators_hand(picture, incident):
        return move(incident, _S.FOREIGN, hand)
    if picture.state.is_busy(f"host:{incident.host}"):
        return NOTHING
    heartbeat = picture.world.services.get(incident.host)
    if heartbeat is None or heartbeat.service.id is None:
        return NOTHING
    command = Isolate(
        id=picture.new_command_id(incident, "isolate"),
        incident=incident.id,
        host=incident.host,
        service=heartbeat.service.id,
        marker=marker_of(picture.rules.install, incident),
    )
    if incident.state is _S.PROVEN:
        return move(incident, _S.ISOLATING, "forcing its compute service down", commands=(command,))
    return Decision(commands=(command,)) if _is_due_again(picture, incident) else NOTHING


def _is_due_again(picture: Picture, incident: Incident) -> bool:
    """Return whether the PUT should be repeated: soon at first, then calmly, and for ever."""
    asked_at = picture.state.isolations.get(incident.host, incident.moved_at)
    calm = picture.now.since(incident.moved_at) > ISOLATE_CALMLY_AFTER
    pause = ISOLATE_CALMLY_EVERY if calm else ISOLATE_AGAIN_AFTER
    return picture.now.since(asked_at) >= pause


def recover(picture: Picture, incident: Incident) -> Decision:
    """List the servers, watch for signs of life, and settle when nothing is on its way."""
    if life := life_of(picture, incident):
        return move(incident, _S.SOURCE_BACK, life)
    heartbeat = picture.world.services.get(incident.host)
    if (
        incident.isolation is not None
        and heartbeat is not None
        and heartbeat.service.id is not None  # a cell that does not answer: nothing is known
        and not is_ours(incident.isolation, heartbeat.service)
    ):
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"somebody changed the compute service of {incident.host} in Nova: Koboshi sends nothing "
            "more for it until it has lived again. What is on its way is still followed; the rest waits for you",
        )
    if listed := list_new_servers(picture, incident):
        return listed
    if not incident.servers_listed or is_anything_moving(picture, incident):
        return NOTHING
    if not_listed_yet(picture, incident):
        return NOTHING
    unfinished = ON_ITS_WAY | WAITING
    recoveries = recoveries_of(picture, incident)
    if any(r.state in unfinished for r in recoveries):
        return NOTHING
    counts = {state: sum(r.state is state for r in recoveries) for state in RecoveryState}
    told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    return move(incident, _S.SETTLED, f"no server is on its way any more: {told or 'it had none'}")


def source_back(picture: Picture, incident: Incident) -> Decision:
    """Fence again while something may be building, or when only a late message moved.

    A host that comes back while nothing is on its way keeps its servers: they wait for it.
    """
    moving = is_anything_moving(picture, incident)
    if moving or is_only_a_late_message(picture, incident):
        if incident.host not in picture.world.fenced:
            return NOTHING  # nothing new is sent; what is on its way is followed to its end
        believed = has_trusted_device(incident.host, picture.world, picture.state)
        if believed and incident.fence_attempts < FENCE_ATTEMPTS:
            return fence(picture, incident, f"{incident.reason}: switching it off again")
        if moving:
            return NOTHING
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{incident.reason}, again and again, though its power reads off: look at {incident.host}",
        )
    held = hold_waiting(
        picture, incident, "its host came back before its turn: it is started where its data is"
    )
    return move(incident, _S.SETTLED, f"{incident.reason}; nothing was on its way", *held)
