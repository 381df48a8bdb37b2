"""The picture for a decision: everything judged, what has not changed since the last one once only."""

from collections.abc import Hashable, Mapping
from datetime import timedelta
from typing import TypeVar

from koboshi.domain.decision import Picture
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, same
from koboshi.domain.judging.calm import Calm, calm, never_calm, topics_by_host
from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.verdict import Judge, Judgement
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.window import windows
from koboshi.domain.restraint.brake import Brake
from koboshi.domain.restraint.brownout import Brownouts
from koboshi.domain.rules import Rules

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def take_picture(
    world: World, state: State, rules: Rules, now: Instant, before: Picture | None = None
) -> Picture:
    """Return everything that a decision may look at, judged.

    `before` is an earlier picture: hosts that were calm in it, and of which nothing changed since,
    are not judged again. It changes no verdict and no decision, only what they cost.
    """
    if before is None or not _continues(before, world, rules):
        hosts, judgements, quiet = sorted(world.services), dict[HostName, Judgement](), {}
        quiet_until = timedelta.max
    else:
        hosts = sorted(_to_be_judged(before, world, state, now))
        judgements, quiet = dict(before.judgements), dict(before.quiet)
        quiet_until = before.quiet_until
    past = never_calm(world, state)
    topics = topics_by_host(state)
    brownouts = Brownouts(world, state, rules, now, hosts)
    judge = Judge(world, state, rules, now, brownouts)
    restless: list[HostName] = []
    for host in hosts:
        was = quiet.pop(host, None)
        found = (
            None
            if host in past
            else calm(host, world, state, rules, now, topics.get(host, frozenset()))
        )
        if found is None:
            restless.append(host)
        else:
            quiet[host] = found
            quiet_until = min(quiet_until, found.until)
        if not _same(was, found):
            judgements[host] = judge.of(host)
    if quiet_until <= now.boot:  # of a host that was looked at just now, or is not quiet any more
        quiet_until = min((c.until for c in quiet.values()), default=timedelta.max)
    return Picture(
        world=world,
        state=state,
        rules=rules,
        now=now,
        judgements=judgements,
        quiet=quiet,
        quiet_until=quiet_until,
        restless=tuple(restless),
        windows=windows(before.windows if before else {}, world, state, rules, now),
        brake=Brake(judgements, world, state, rules, now, restless, brownouts),
    )


def _continues(before: Picture, world: World, rules: Rules) -> bool:
    """Return whether the earlier picture is of the same hosts, watched without a gap since."""
    then = before.world
    return (
        before.rules is rules
        and same(then.began_at, world.began_at)
        and then.fenced is world.fenced
        and (then.protected is world.protected or then.protected == world.protected)
        and (then.services is world.services or then.services.keys() == world.services.keys())
    )


def _to_be_judged(before: Picture, world: World, state: State, now: Instant) -> set[HostName]:
    """Return every host but those that are calm still."""
    then, was = before.world, before.state
    if then.services is not world.services:
        return set(world.services)
    if then.further.keys() != world.further.keys():
        return set(world.services)
    changed = (
        _changed(then.probes, world.probes)
        | _changed(then.power, world.power)
        | _changed(then.identities, world.identities)
        | _changed(then.mistaken, world.mistaken)
        | _changed(then.samples, world.samples)
        | _changed(then.kdumps, world.kdumps)
        | _changed(was.trusted, state.trusted)
        | {host for host, _network in _changed(was.trusted_further, state.trusted_further)}
        | {host for host, _topic in _changed(was.notices, state.notices)}
        | never_calm(world, state)
    )
    for name, tracks in world.further.items():
        changed |= _changed(then.further[name], tracks)
    if then.agents is not world.agents:  # they speak for a host only where Nova does not know
        changed |= {h for h, calm in before.quiet.items() if calm.nova is not Control.FRESH}
    if before.quiet_until <= now.boot:
        changed |= {host for host, calm in before.quiet.items() if calm.until <= now.boot}
    return (changed & world.services.keys()).union(before.restless)


def _changed(before: Mapping[K, V], after: Mapping[K, V]) -> set[K]:
    if before is after:
        return set()
    changed = {key for key, value in after.items() if before.get(key) is not value}
    if len(before) == len(after) and changed <= before.keys():
        return changed  # nothing is new, so nothing is gone
    return changed | (before.keys() - after.keys())


def _same(was: Calm | None, found: Calm | None) -> bool:
    """Return whether a host is as calm as it was, and so judged as it was."""
    return was is not None and found is not None and was.says_the_same(found)
