"""The policy of a server by what the daemon has read; None while too little of it was."""

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.world import World
from koboshi.domain.policies.resolving import Policy, policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.rules import Rules


def sources_in(world: World, rules: Rules) -> Sources | None:
    """Return where statements about servers are; None while the aggregates were not read."""
    if world.aggregates is None:
        return None
    images = {i: read.image for i, read in world.images.items() if read.image is not None}
    return Sources(images=images, aggregates=world.aggregates, rules=rules.policy)


def observed_policy(server: Server, world: World, rules: Rules) -> Policy | None:
    """Return what is wanted for a server."""
    sources = sources_in(world, rules)
    return policy_of(server, sources, rules) if sources is not None else None
