"""The decision: what follows from the world, the memory, the rules and the time.

Pure: no I/O, no clock, no randomness. The engine calls it again until nothing more follows.
"""

from collections.abc import Iterator

from koboshi.domain.alone.health import watch_health
from koboshi.domain.alone.starting import watch_stops
from koboshi.domain.decision import Decision, Picture, together
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.watch import watch_hosts
from koboshi.domain.recoveries.follow import follow
from koboshi.domain.recoveries.plan import give_up_without_room, plan
from koboshi.domain.recoveries.poison import suspect_poison
from koboshi.domain.recoveries.waited import end_waits
from koboshi.domain.restraint.holding import keep_holds


def _followed(picture: Picture) -> Iterator[Decision]:
    """Follow every request; what would take a command rests while Koboshi must not act."""
    acts = picture.why_not_acting is None
    for incident in picture.state.open_incidents():
        for recovery in picture.state.recoveries.get(incident.id, {}).values():
            decision = follow(picture, recovery)
            if acts or not decision.commands:
                yield decision


def decide(picture: Picture) -> Decision:
    """Return what to remember and what to do now.

    At most one kind of step at a time, so that each rests on a state that is already journalled:
    first what holds everything back, then hosts, then incidents, then what became of requests, then servers that stopped alone, and new requests last.
    """
    state = picture.state
    if held := keep_holds(picture):
        return held
    if watched := watch_hosts(picture):
        return watched
    if advanced := together(advance(picture, i) for i in state.open_incidents()):
        return advanced
    if suspected := suspect_poison(picture):
        return suspected
    if followed := together(_followed(picture)):
        return followed
    if alone := watch_stops(picture) or watch_health(picture):
        return alone
    return end_waits(picture) or plan(picture) or give_up_without_room(picture)
