"""From a failing case to the shortest story that fails in the same way.

Delta debugging (Zeller, ddmin) over what happens, then over servers and hosts. Ours, because the
known shrinkers work on bytes or on values that they drew themselves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from koboshi.rehearsal.campaign.cases import Case
from koboshi.rehearsal.campaign.trial import try_case
from koboshi.rehearsal.script import Happening
from koboshi.rehearsal.spec import CloudSpec
from koboshi.sim.breach import Rule
from koboshi.sim.faults import Fault, FaultKind

T = TypeVar("T")

MAX_PLAYS = 150
"""Enough for a dozen happenings and servers; a longer story is still a story."""


class Shrinking:
    """Makes one case smaller as long as it breaks the same rule."""

    def __init__(self, case: Case, rule: Rule) -> None:
        self._case = case
        self._rule = rule
        self.plays = 0

    def run(self) -> Case:
        """Return the smallest case that was found."""
        calm = tuple(h for h in self._case.script.happens if _is_calm(h))
        moved = tuple(h for h in self._case.script.happens if not _is_calm(h))
        ddmin(moved, lambda kept: self._accept(_with_script(self._case, (*kept, *calm))))
        ddmin(
            tuple(self._case.cloud.server),
            lambda kept: bool(kept) and self._accept(_with_servers(self._case, kept)),
        )
        self._fewer_hosts()
        return self._case

    def _accept(self, case: Case) -> bool:
        """Return whether a smaller case still fails, and go on from it if so."""
        if self.plays >= MAX_PLAYS:
            return False
        self.plays += 1
        if not any(b.rule is self._rule for b in try_case(case).breaches):
            return False
        self._case = case
        return True

    def _fewer_hosts(self) -> None:
        cloud = self._case.cloud
        while cloud.hosts > _hosts_needed(self._case) and self._accept(
            replace(self._case, cloud=_with_hosts(cloud, cloud.hosts - 1))
        ):
            cloud = self._case.cloud


def ddmin(items: Sequence[T], still_fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Return a smallest part of `items` that still fails; the whole is known to."""
    kept, parts = tuple(items), 2
    if still_fails(()):
        return ()
    while len(kept) > 1:
        size = -(-len(kept) // parts)
        chunks = [kept[n : n + size] for n in range(0, len(kept), size)]
        rests = [tuple(i for c in chunks if c is not chunk for i in c) for chunk in chunks]
        smaller = next((rest for rest in rests if still_fails(rest)), None)
        if smaller is not None:
            kept, parts = smaller, max(parts - 1, 2)
        elif parts >= len(kept):
            break
        else:
            parts = min(parts * 2, len(kept))
    return kept


def _is_calm(happening: Happening) -> bool:
    return isinstance(happening.what, Fault) and happening.what.kind is FaultKind.CALM


def _with_script(case: Case, happens: tuple[Happening, ...]) -> Case:
    return replace(case, script=replace(case.script, happens=happens))


def _with_servers(case: Case, kept: Iterable[str]) -> Case:
    """Return the case without the other servers, and without what is said of them."""
    names, cloud = frozenset(kept), case.cloud
    smaller = CloudSpec(
        hosts=cloud.hosts,
        heartbeat=cloud.heartbeat,
        agents=cloud.agents,
        prometheus=cloud.prometheus,
        host=cloud.host,
        server={n: s for n, s in cloud.server.items() if n in names},
        group={n: g for n, g in cloud.group.items() if names.issuperset(g.members)},
        record={n: r for n, r in cloud.record.items() if r.server in names},
    )
    happens = tuple(
        h
        for h in case.script.happens
        if not isinstance(h.what, Fault) or h.what.server is None or h.what.server in names
    )
    return replace(_with_script(case, happens), cloud=smaller)


def _with_hosts(cloud: CloudSpec, hosts: int) -> CloudSpec:
    names = {f"h{n}" for n in range(1, hosts + 1)}
    return CloudSpec(
        hosts=hosts,
        heartbeat=cloud.heartbeat,
        agents=cloud.agents,
        prometheus=cloud.prometheus,
        host={n: h for n, h in cloud.host.items() if n in names},
        server=cloud.server,
        group=cloud.group,
        record=cloud.record,
    )


def _hosts_needed(case: Case) -> int:
    """Return how many hosts the story speaks of."""
    named = {"h2"} | {s.host for s in case.cloud.server.values()}
    for record in case.cloud.record.values():
        named |= {record.source, record.destination or record.source}
    for happening in case.script.happens:
        if isinstance(happening.what, Fault):
            named |= {h for h in (happening.what.host, happening.what.to) if h}
    return max(int(name[1:]) for name in named)
