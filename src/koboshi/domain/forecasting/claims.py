"""Can any n hosts die at once, and every server that would return find room? Proved, or how not.

Three answers and nothing between: proved (by a bound that holds for every set, or by playing each
set through), refuted by a set that is named, or not refuted by so many samples.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import nlargest
from itertools import combinations
from math import comb
from typing import Final

from koboshi.domain.facts.cloud import Demand, Room
from koboshi.domain.forecasting.capacity import Field, Spot, Turn, stays_behind
from koboshi.domain.forecasting.survival import Survival
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.fitting import lacks, why_not_there
from koboshi.domain.recoveries.recovery import Candidate

EVERY_SET_UP_TO: Final = 2_000
"""So many sets are played through one by one; of more, samples."""
SAMPLES: Final = 200
WORST: Final = 8
"""Of so many of the fullest hosts every set is among the samples."""

Draw = Callable[[Sequence[HostName], int], Sequence[HostName]]
"""Draws n different hosts: chance comes from outside."""


class Verdict(StrEnum):
    """What is known of a claim."""

    PROVED = "proved"
    NOT_REFUTED = "not_refuted"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whether any n hosts may die at once and all that would return have room."""

    hosts: int
    verdict: Verdict
    how: str
    domain: str = ""
    """Of which declared domain it speaks, all of whose hosts die; empty for any n hosts."""
    tried: int = 0
    by: tuple[HostName, ...] = ()
    """The set that refutes it."""
    missing: tuple[Turn, ...] = ()
    """The servers of that set without a place."""


def any_may_die(
    survival: Survival,
    number: int,
    draw: Draw,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> Claim:
    """Return what is known of the claim for `number` hosts; `tell` hears how many sets are done."""
    return _honest(survival, _any_may_die(survival, number, draw, tell), survival.hosts)


def _honest(survival: Survival, claim: Claim, hosts: Sequence[HostName]) -> Claim:
    """Return the claim, or that nothing is known where not everything that is asked for is counted.

    A refutation stands: what is counted does not fit.
    """
    if claim.verdict not in {Verdict.PROVED, Verdict.NOT_REFUTED}:
        return claim
    why = survival.why_not_counted(hosts)
    return replace(claim, verdict=Verdict.UNKNOWN, how=why) if why else claim


def _any_may_die(
    survival: Survival,
    number: int,
    draw: Draw,
    tell: Callable[[int, int], None],
) -> Claim:
    if not survival.knows_room:
        return Claim(hosts=number, verdict=Verdict.UNKNOWN, how="Placement did not tell the room")
    # One without servers counts, too: its death takes room away.
    takers = {spot.host for spot in survival.on.spots}
    hosts = [h for h in survival.hosts if h in takers or survival.candidates_of(h)]
    if number > 1 and is_proved_by_bound(survival, number):
        how = "whatever dies, more hosts than the dead and the filled ones could take each server"
        return Claim(hosts=number, verdict=Verdict.PROVED, how=how)
    size = min(number, len(hosts))
    sets = comb(len(hosts), size)
    if sets <= max(EVERY_SET_UP_TO, len(hosts)):
        tried = _play(survival, combinations(_fullest_first(survival, hosts), size), sets, tell)
        proved = f"each of {sets} sets was played through"
        return _told(number, tried, Verdict.PROVED, proved)
    tried = _play(survival, _samples(survival, hosts, size, draw), _planned(hosts, size), tell)
    how = f"{tried.count} of {sets} sets were tried: the fullest hosts, and others by chance"
    return _told(number, tried, Verdict.NOT_REFUTED, how)


def domains_may_die(survival: Survival) -> tuple[Claim, ...]:
    """Return whether each declared domain may die as a whole: one claim a domain."""
    return tuple(_domain(survival, n, hosts) for n, hosts in sorted(survival.domains.items()))


def _domain(survival: Survival, name: str, hosts: frozenset[HostName]) -> Claim:
    dead = tuple(sorted(hosts))
    if not survival.knows_room:
        how, verdict = "Placement did not tell the room", Verdict.UNKNOWN
        return Claim(hosts=len(dead), verdict=verdict, how=how, domain=name)
    missing = stays_behind(survival.bring_back(dead))
    claim = Claim(
        hosts=len(dead),
        verdict=Verdict.REFUTED if missing else Verdict.PROVED,
        how="its death was played through",
        domain=name,
        tried=1,
        by=dead if missing else (),
        missing=missing,
    )
    return _honest(survival, claim, dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    count: int
    by: tuple[HostName, ...] = ()
    missing: tuple[Turn, ...] = ()


def _told(number: int, tried: _Tried, otherwise: Verdict, how: str) -> Claim:
    if not tried.missing:
        return Claim(hosts=number, verdict=otherwise, how=how, tried=tried.count)
    return Claim(
        hosts=number,
        verdict=Verdict.REFUTED,
        how=f"if {' and '.join(tried.by)} died",
        tried=tried.count,
        by=tried.by,
        missing=tried.missing,
    )


def _play(
    survival: Survival,
    sets: Iterable[tuple[HostName, ...]],
    planned: int,
    tell: Callable[[int, int], None],
) -> _Tried:
    count = 0
    for dead in sets:
        count += 1
        missing = stays_behind(survival.bring_back(dead))
        tell(count, planned)
        if missing:
            return _Tried(count=count, by=dead, missing=missing)
    return _Tried(count=count)


def _load(survival: Survival, host: HostName) -> int:
    return sum(c.demand.ram_mb for c in survival.candidates_of(host))


def _fullest_first(survival: Survival, hosts: Sequence[HostName]) -> list[HostName]:
    return sorted(hosts, key=lambda h: (-_load(survival, h), h))


def _planned(hosts: Sequence[HostName], size: int) -> int:
    return comb(min(WORST, len(hosts)), size) + SAMPLES


def _samples(
    survival: Survival, hosts: Sequence[HostName], size: int, draw: Draw
) -> Iterator[tuple[HostName, ...]]:
    fullest = _fullest_first(survival, hosts)
    seen: set[frozenset[HostName]] = set()
    worst = combinations(fullest[: max(WORST, size)], size)
    drawn = (tuple(draw(fullest, size)) for _ in range(SAMPLES))
    for dead in (*worst, *drawn):
        if frozenset(dead) not in seen:
            seen.add(frozenset(dead))
            yield dead


def is_proved_by_bound(survival: Survival, number: int) -> bool:
    """Return whether no `number` deaths can leave a server without room, in whatever order they go.

    A server finds no place only if each host that suits it is dead, holds another of its
    anti-affinity group, or was filled by others to less than the server asks. All that can move is
    at most what the fullest hosts carry; so at most so many hosts can be filled.
    """
    if any(spot.pool is not None for spot in survival.on.spots):
        return False  # disk that several hosts share is filled for all of them at once
    loads = [_sum(survival.candidates_of(h)) for h in survival.hosts]
    moving = Demand(
        vcpus=sum(nlargest(number, (d.vcpus for d in loads))),
        ram_mb=sum(nlargest(number, (d.ram_mb for d in loads))),
        disk_gb=sum(nlargest(number, (d.disk_gb for d in loads))),
    )
    kinds = {
        (c.demand, c.availability_zone, c.storage, len(c.separate_from)): c
        for h in survival.hosts
        for c in survival.candidates_of(h)
    }
    hindered = survival.is_anything_hindered
    return not hindered and all(
        _always_fits(candidate, number, moving, survival.on) for candidate in kinds.values()
    )


def _sum(candidates: Iterable[Candidate]) -> Demand:
    demands = [c.demand for c in candidates]
    return Demand(
        vcpus=sum(d.vcpus for d in demands),
        ram_mb=sum(d.ram_mb for d in demands),
        disk_gb=sum(d.disk_gb for d in demands),
    )


def _always_fits(candidate: Candidate, number: int, moving: Demand, on: Field) -> bool:
    sharing = on.sharing.get(candidate.storage, frozenset())
    suits = [spot.room for spot in on.spots if _could_take(candidate, spot, sharing)]
    asked = candidate.demand
    filled = (
        _can_fill(moving.ram_mb, [r.ram_mb - asked.ram_mb for r in suits], asked.ram_mb)
        + _can_fill(moving.vcpus, [r.vcpus - asked.vcpus for r in suits], asked.vcpus)
        + _can_fill(moving.disk_gb, [r.disk_gb - asked.disk_gb for r in suits], asked.disk_gb)
    )
    return len(suits) > number + filled + len(candidate.separate_from)


def _could_take(candidate: Candidate, spot: Spot, sharing: frozenset[HostName]) -> bool:
    demand: Demand = candidate.demand
    room: Room = spot.room
    return (
        not lacks(demand, room)
        and why_not_there(candidate, host=spot.host, zone=spot.zone, apart_from=(), sharing=sharing)
        is None
        and demand.required_traits <= spot.traits
    )


def _can_fill(moving: int, spare: Sequence[int], asked: int) -> int:
    """Return how many hosts can be filled so far that what is asked does not fit any more."""
    if asked == 0:
        return 0
    count = 0
    for above in sorted(spare):
        moving -= above + 1
        if moving < 0:
            break
        count += 1
    return count
