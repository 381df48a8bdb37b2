"""For which hosts an incident opens by itself: silent ones, and by policy those that are down inside."""

from koboshi.domain.decision import Picture
from koboshi.domain.facts.ownership import MARKER_PREFIX, disabled_by_operator
from koboshi.domain.judging.quarantine import can_be_switched
from koboshi.domain.judging.verdict import Judgement, Verdict
from koboshi.domain.restraint.brake import is_confirmed


def _is_fenced_by_policy(picture: Picture, judgement: Judgement) -> bool:
    """Return whether the operator wants a host that answers fenced, and it can be."""
    return (
        picture.rules.fence_down_inside
        and judgement.verdict is Verdict.DOWN_INSIDE
        and can_be_switched(judgement.host, picture.world, picture.state)
    )


def opens_incident(picture: Picture, judgement: Judgement) -> bool:
    """Return whether the host is in trouble, in nobody's hand yet, and in service."""
    host = judgement.host
    service = picture.world.services[host].service
    return (
        (is_confirmed(judgement) or _is_fenced_by_policy(picture, judgement))
        and service.id is not None
        and picture.state.open_incident(host) is None
        and host not in picture.state.found_down
        and not service.forced_down
        and not disabled_by_operator(host, picture.world)
        and not (service.disabled_reason or "").startswith(MARKER_PREFIX)
    )
