"""How many evacuations may be on their way at once in a cell: as many as Nova takes well, found by trying.

Additive increase, multiplicative decrease: one more after each window of servers that arrived, half
as many at the first sign that Nova is being asked for too much. It lives beside the journal: after a
restart it is found anew, from its lower end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Migration
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant
from koboshi.domain.memory.state import State
from koboshi.domain.names import CellName
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.rules import Rules

SLOW_AFTER = timedelta(seconds=20)
"""A request that no destination works on for so long waits behind others in Nova's queues."""
LEAST_ANSWERS = 5
"""So many answers are needed for a percentile to mean anything."""
HALVED_AT_MOST_EVERY = timedelta(seconds=20)
"""What was sent before a halving is felt for some time after it."""
_ARRIVED = frozenset({RecoveryState.CONFIRMING, RecoveryState.SETTLING, RecoveryState.DONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window of one cell."""

    size: int
    arrived: int = 0
    """How many servers of the open incidents had arrived when it was looked at last."""
    since_growth: int = 0
    halved_at: Instant | None = None
    failed: int = 0
    """How many requests of the last half minute had failed when it was looked at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How Nova bears what is on its way in one cell."""

    arrived: int
    failed: int
    is_slow: bool
    """Whether its answers take long, or a request waits to be taken up."""


def adapted(window: Window, load: Load, rules: Rules, now: Instant) -> Window:
    """Return the window after one more look."""
    seen = replace(window, arrived=load.arrived, failed=load.failed)
    rested = window.halved_at is None or now.since(window.halved_at) >= HALVED_AT_MOST_EVERY
    if load.is_slow or load.failed > window.failed:
        if not rested:
            return seen
        return replace(
            seen, size=max(rules.window, window.size // 2), since_growth=0, halved_at=now
        )
    size, grown = window.size, window.since_growth + max(0, load.arrived - window.arrived)
    while grown >= size and size < rules.window_most:
        grown, size = grown - size, size + 1
    return replace(seen, size=size, since_growth=min(grown, size))


def windows(
    before: Mapping[CellName, Window], world: World, state: State, rules: Rules, now: Instant
) -> Mapping[CellName, Window]:
    """Return the window of each cell in which hosts are being recovered."""
    found: dict[CellName, Window] = {}
    recoveries: dict[CellName, list[Recovery]] = {}
    for incident in state.open_incidents():
        of = recoveries.setdefault(cell_of(incident.host, world), [])
        of += state.recoveries.get(incident.id, {}).values()
    for cell, known in recoveries.items():
        load = _load(known, world, state, rules, now)
        window = before.get(cell) or Window(size=rules.window, arrived=load.arrived)
        found[cell] = adapted(window, load, rules, now)
    return found


def _load(
    recoveries: Iterable[Recovery], world: World, state: State, rules: Rules, now: Instant
) -> Load:
    health = world.api.health
    slow = health.p95_s is not None and timedelta(seconds=health.p95_s) > rules.api_latency
    known = tuple(recoveries)
    states = Counter(r.state for r in known)
    return Load(
        arrived=sum(states[s] for s in _ARRIVED),
        failed=health.failed,
        is_slow=(slow and health.asked - health.failed >= LEAST_ANSWERS)
        or any(_waits_in_nova(r, world, state, now) for r in known),
    )


def _waits_in_nova(recovery: Recovery, world: World, state: State, now: Instant) -> bool:
    """Return whether Nova took the request long ago, and no destination works on it."""
    waited = recovery.state is RecoveryState.BUILDING
    if not waited or now.since(recovery.moved_at) <= SLOW_AFTER:
        return False
    read = world.from_host.get(state.incidents[recovery.incident].host)
    return any(_is_its_own(r, recovery) for r in (read.records if read else ()))


def _is_its_own(record: Migration, recovery: Recovery) -> bool:
    return (
        record.server == recovery.server
        and record.id not in recovery.known_records
        and record.status == "accepted"
    )
