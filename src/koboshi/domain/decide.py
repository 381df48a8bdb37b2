"""The decision: what follows from the world, the memory, the rules and the time.

Pure: no I/O, no clock, no randomness. The engine calls it again until nothing more follows.
"""

from koboshi.domain.advance import advance
from koboshi.domain.decision import Decision, Picture, together
from koboshi.domain.follow import follow
from koboshi.domain.instant import Instant
from koboshi.domain.plan import give_up_without_room, plan
from koboshi.domain.rules import Rules
from koboshi.domain.state import State
from koboshi.domain.verdict import judge_all
from koboshi.domain.watch import watch_hosts
from koboshi.domain.world import World


def take_picture(world: World, state: State, rules: Rules, now: Instant) -> Picture:
    """Return everything that a decision may look at, judged."""
    return Picture(
        world=world,
        state=state,
        rules=rules,
        now=now,
        judgements=judge_all(world, state, rules, now),
    )


def decide(picture: Picture) -> Decision:
    """Return what to remember and what to do now.

    At most one kind of step at a time, so that each rests on a state that is already journalled:
    first hosts, then incidents, then what became of requests, and new requests last.
    """
    state = picture.state
    if watched := watch_hosts(picture):
        return watched
    if advanced := together(advance(picture, i) for i in state.open_incidents()):
        return advanced
    followed = together(
        follow(picture, recovery)
        for incident in state.open_incidents()
        for recovery in state.recoveries.get(incident.id, {}).values()
    )
    if followed:
        return followed
    return plan(picture) or give_up_without_room(picture)
