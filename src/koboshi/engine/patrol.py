"""Things of which there are many, each read once in a long while: whose turn it is now.

Spread evenly over the interval, so that ten thousand power devices are no burst every ten minutes;
and asked of a queue, so that nobody walks over all of them to find that none is due.
"""

import heapq
from collections.abc import Hashable, Iterable, Iterator
from datetime import timedelta
from typing import Generic, TypeVar

from koboshi.domain.instant import Instant

K = TypeVar("K", bound=Hashable)


class Patrol(Generic[K]):
    """Each of `beat` is due at once, and then every `every` after its last reading ended."""

    def __init__(self, beat: Iterable[K], every: timedelta, at_once: int) -> None:
        self._every = every
        self._at_once = at_once
        self._fresh = list(reversed(list(beat)))
        """Who was never read, in reverse order."""
        self._first = {key: number for number, key in enumerate(self._fresh, 1)}
        self._queue: list[tuple[timedelta, int]] = []
        self._keys = list(self._fresh)
        self._due: dict[int, timedelta] = {}
        self._out: set[K] = set()

    def due(self, now: Instant) -> Iterator[K]:
        """Give whose turn has come, while fewer than `at_once` are out; each then is, until `rest`."""
        while len(self._out) < self._at_once:
            key = self._next(now)
            if key is None:
                return
            self._out.add(key)
            yield key

    def _next(self, now: Instant) -> K | None:
        if self._fresh:
            return self._fresh.pop()
        while self._queue and self._queue[0][0] <= now.boot:
            due, number = heapq.heappop(self._queue)
            if self._due.get(number) == due:  # else it was read meanwhile, for another reason
                return self._keys[number - 1]
        return None

    def rest(self, key: K, now: Instant) -> None:
        """Note that the reading of `key` has ended, whoever ordered it."""
        self._out.discard(key)
        number = self._first[key]
        # The first pause alone is shorter, and differs: that is what spreads them.
        share = number / len(self._keys) if number not in self._due else 1.0
        self._due[number] = now.boot + self._every * share
        heapq.heappush(self._queue, (self._due[number], number))
