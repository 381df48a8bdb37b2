"""Declared domains: hosts that can fail together for one cause, and when that explains a silence.

Silence of a whole rack is usually its switch, and fencing would kill healthy hosts. So a domain
widens the brake's limit only where each of its hosts is known to be dead by more than one network.
"""

from collections.abc import Mapping

from koboshi.domain.facts.world import World
from koboshi.domain.judging.networks import LARGEST_PART, LEAST_DOMAINS, Network
from koboshi.domain.judging.verdict import Judgement, is_plainly_off
from koboshi.domain.memory.state import State
from koboshi.domain.names import DomainName, HostName


def domain_that_failed(
    suspects: frozenset[HostName],
    counted: frozenset[HostName],
    judgements: Mapping[HostName, Judgement],
    world: World,
    state: State,
) -> DomainName | None:
    """Return the one domain whose death explains all `suspects` but one; None without such a one.

    `counted` are the hosts of the cell. Each silent host of the domain must have been off before we
    acted, or be silent on two networks that share no switch.
    """
    if len(world.domains) < LEAST_DOMAINS:
        return None
    for name, hosts in sorted(world.domains.items()):
        inside = suspects & hosts
        if (
            len(inside) > 1
            and len(suspects - hosts) <= 1
            and LARGEST_PART * len(hosts & counted) <= len(counted)
            and all(is_surely_gone(judgements[h], world, state) for h in inside)
        ):
            return name
    return None


def is_surely_gone(judgement: Judgement, world: World, state: State) -> bool:
    """Return whether no switch can be to blame for the host's silence."""
    return _was_off(judgement, world, state) or (
        judgement.network is Network.SILENT
        and any(judgement.further.get(n) is Network.SILENT for n in world.independent)
    )


def _was_off(judgement: Judgement, world: World, state: State) -> bool:
    """Return whether its power reads off, and not by our own hand."""
    incident = state.open_incident(judgement.host)
    ours = incident.fence_attempts if incident else judgement.host in state.fences
    return not ours and is_plainly_off(judgement.host, world, state, judgement.power)
