"""Which server would go where if hosts died now: real packing of real shapes, not percentages.

The rules of order, slots and placing are the recovery's own (`fitting`); what Nova's scheduler adds
and an API shows is looked at beside them: required traits, and aggregates that are kept for some
flavors or projects.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from koboshi.domain.facts.cloud import Demand, Room
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.apart import hosts_apart_from
from koboshi.domain.recoveries.fitting import (
    has_busy_backend,
    has_slot,
    in_order,
    in_turns,
    lacks,
    left_of,
    preference,
    why_not_there,
)
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A host as a destination."""

    host: HostName
    zone: str
    room: Room
    traits: frozenset[str] = frozenset()
    pool: str | None = None
    """Names the disk space that it shares with other hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How long things are assumed to take."""

    first: timedelta = timedelta(seconds=10)
    """From the death to the first request: silence, proof, isolation (measured: 8 to 10 s)."""
    evacuation: timedelta = timedelta(seconds=15)
    rebuild: timedelta = timedelta(seconds=45)
    """An image is fetched and a disk made."""

    def of(self, candidate: Candidate) -> timedelta:
        """Return how long one evacuation takes."""
        return self.rebuild if candidate.treatment is Treatment.REBUILD else self.evacuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of one server when hosts died."""

    candidate: Candidate
    source: HostName
    order: int = 0
    """Its place among those that go, from 1; 0 where it goes nowhere."""
    destination: HostName | None = None
    begins: timedelta = timedelta()
    """After the death."""
    ends: timedelta = timedelta()
    lacking: str = ""
    """For want of what it goes nowhere."""


Hindrance = Callable[[Candidate, HostName], str | None]
"""Which of Nova's own filters would keep a server from a host."""


def nothing_hinders(_candidate: Candidate, _host: HostName) -> str | None:
    """Return None: no filter is known."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """All hosts that take servers, and where the servers are."""

    spots: tuple[Spot, ...]
    where: Mapping[ServerId, HostName] = field(default_factory=dict[ServerId, HostName])
    hinders: Hindrance = nothing_hinders
    sharing: Mapping[str, frozenset[HostName]] = field(
        default_factory=dict[str, frozenset[HostName]]
    )
    """The hosts that share each declared storage."""


AT_MOST_REASONS: Final = 3


def bring_back(
    dead: Mapping[HostName, Sequence[Candidate]],
    on: Field,
    rules: Rules,
    pacing: Pacing | None = None,
) -> tuple[Turn, ...]:
    """Return what becomes of each server of hosts that die together, in the order of their turns.

    Those that go nowhere stand last.
    """
    packing = _Packing(frozenset(dead), on, rules, pacing or Pacing())
    return packing.run(dead)


class _Packing:
    """One failure, played through with the recovery's own rules."""

    def __init__(self, dead: frozenset[HostName], on: Field, rules: Rules, pacing: Pacing) -> None:
        self._on = on
        self._rules = rules
        self._pacing = pacing
        self._spots = [s for s in on.spots if s.host not in dead]
        self._left = {s.host: s.room for s in self._spots}
        self._as_read = dict(self._left)
        """What the recovery would have read last: it prefers hosts by that."""
        self._pools: dict[str, int] = {s.pool: s.room.disk_gb for s in self._spots if s.pool}
        self._pool_of = {s.host: s.pool for s in self._spots}
        self._placed: dict[ServerId, HostName] = {}
        self._nowhere: dict[tuple[Demand, str, str], str] = {}
        self._onto: Counter[HostName] = Counter()
        self._rebuilds: Counter[HostName] = Counter()
        self._backends: Counter[str] = Counter()
        self._moving: list[Turn] = []
        self._turns: list[Turn] = []
        self._now = pacing.first

    def run(self, dead: Mapping[HostName, Sequence[Candidate]]) -> tuple[Turn, ...]:
        """Return every server's turn."""
        waiting = {host: in_order(c, lambda one: one, {}) for host, c in dead.items()}
        while True:
            self._begin_what_may(waiting)
            if not self._moving:
                break
            self._let_one_end()
        stranded = [
            Turn(candidate=c, source=host, lacking=self.why_nowhere(c))
            for host, candidates in waiting.items()
            for c in candidates
        ]
        return (*self._turns, *stranded)

    def _begin_what_may(self, waiting: Mapping[HostName, list[Candidate]]) -> None:
        turns = in_turns(waiting.items(), self._first_with_a_place, self._is_full)
        for source, candidate, destination in turns:
            waiting[source].remove(candidate)
            turn = Turn(
                candidate=candidate,
                source=source,
                order=len(self._turns) + 1,
                destination=destination,
                begins=self._now,
                ends=self._now + self._pacing.of(candidate),
            )
            self._take(turn, destination)

    def _take(self, turn: Turn, destination: HostName) -> None:
        demand = turn.candidate.demand
        self._turns.append(turn)
        self._moving.append(turn)
        self._placed[turn.candidate.server] = destination
        self._onto[destination] += 1
        self._backends.update(turn.candidate.backends)
        self._rebuilds[destination] += turn.candidate.treatment is Treatment.REBUILD
        self._left[destination] = left_of(self._left[destination], (demand,))
        if (pool := self._pool_of[destination]) is not None:
            self._pools[pool] -= demand.disk_gb

    def _let_one_end(self) -> None:
        ended = min(self._moving, key=lambda t: t.ends)
        self._moving.remove(ended)
        self._backends.subtract(ended.candidate.backends)
        self._now = ended.ends
        self._as_read = dict(self._left)
        if ended.destination is not None:
            self._onto[ended.destination] -= 1
            self._rebuilds[ended.destination] -= ended.candidate.treatment is Treatment.REBUILD

    def _is_full(self) -> bool:
        return len(self._moving) >= self._rules.window

    def _first_with_a_place(
        self, waiting: Sequence[Candidate]
    ) -> tuple[Candidate, HostName] | None:
        for candidate in waiting:
            destination = self._destination_for(candidate)
            if destination is not None:
                return candidate, destination
        return None

    def _destination_for(self, candidate: Candidate) -> HostName | None:
        if any(t.candidate.server in candidate.separate_from for t in self._moving):
            return None
        if has_busy_backend(candidate, self._backends, self._rules):
            return None
        kind = self._kind(candidate)
        if kind in self._nowhere:
            return None
        best: tuple[tuple[int, int, HostName], HostName] | None = None
        is_any_busy = False
        for spot in self._spots:
            host = spot.host
            key = preference(self._as_read[host], self._onto)
            if best is not None and key >= best[0]:
                continue
            if not has_slot(candidate, self._onto[host], self._rebuilds[host], self._rules):
                is_any_busy = True
            elif self._why_not(candidate, spot) is None:
                best = (key, host)
        if best is None and kind is not None and not is_any_busy:
            self._nowhere[kind] = self._told_nowhere(candidate)
        return best[1] if best else None

    def _kind(self, candidate: Candidate) -> tuple[Demand, str, str] | None:
        """Return what decides on its own where a server fits; None where more does.

        Rooms only shrink: where no host takes one of a kind, none ever takes another.
        """
        if candidate.separate_from or self._on.hinders is not nothing_hinders:
            return None
        return (candidate.demand, candidate.availability_zone, candidate.storage)

    def _why_not(self, candidate: Candidate, spot: Spot) -> str | None:
        """Return why a host cannot take a server, however long it waits; None when it can."""
        if short := lacks(candidate.demand, self._room(spot)):
            return f"too little {' and '.join(short)}"
        apart_from = hosts_apart_from(candidate, self._placed.get, self._on.where.get)
        sharing = self._on.sharing.get(candidate.storage, ())
        if why := why_not_there(
            candidate, host=spot.host, zone=spot.zone, apart_from=apart_from, sharing=sharing
        ):
            return why
        if missing := candidate.demand.required_traits - spot.traits:
            return f"without trait {', '.join(sorted(missing))}"
        return self._on.hinders(candidate, spot.host)

    def _room(self, spot: Spot) -> Room:
        room = self._left[spot.host]
        return room if spot.pool is None else replace(room, disk_gb=self._pools[spot.pool])

    def why_nowhere(self, candidate: Candidate) -> str:
        """Return for want of what a server goes nowhere."""
        kind = self._kind(candidate)
        known = self._nowhere.get(kind) if kind is not None else None
        return known or self._told_nowhere(candidate)

    def _told_nowhere(self, candidate: Candidate) -> str:
        if not self._spots:
            return "no other host takes servers"
        reasons = Counter(self._why_not(candidate, s) or "not tried" for s in self._spots)
        told = [f"{why} ({n})" for why, n in reasons.most_common(AT_MOST_REASONS)]
        asked = _asked(candidate.demand)
        return f"{asked}: none of {len(self._spots)} other hosts takes it: {', '.join(told)}"


def _asked(demand: Demand) -> str:
    parts = (
        (demand.ram_mb, "MiB"),
        (demand.vcpus, "vCPU"),
        (demand.disk_gb, "GiB of disk"),
    )
    words = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " and ".join([", ".join(words), *sorted(demand.required_traits)])


def stays_behind(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return those that go nowhere."""
    return tuple(t for t in turns if t.destination is None)
