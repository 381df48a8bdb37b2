"""How the cloud's API has been doing lately, so that a brownout can be told from a dead host."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from koboshi.domain.instant import Instant
from koboshi.ports.clock import Clock

WINDOW = timedelta(seconds=30)
MAX_SAMPLES = 4096
"""Enough for 100 calls a second; older ones fall out first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiHealth:
    """The requests of the last 30 s to Nova, and to what it cannot do without.

    Cinder and Glance do not count: one that is gone would hold back every host of the cloud.

    A refusal (4xx) is a success here: the API did its work. Questions to a hypervisor behind the
    API (diagnostics) are not counted, because a dead host is no fault of the API's.
    """

    successes: int
    failures: int
    latencies_s: tuple[float, ...]
    """Of the successes, in the order of their ends."""

    @property
    def failed_fraction(self) -> float:
        """Return which part of the requests failed; 0 if there were none."""
        asked = self.successes + self.failures
        return self.failures / asked if asked else 0.0

    @property
    def p95_s(self) -> float | None:
        """Return the latency that 95 % of the successes kept; None without any."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return ordered[math.ceil(0.95 * len(ordered)) - 1]


class HealthRecord:
    """A rolling record of requests."""

    def __init__(
        self,
        clock: Clock,
        *,
        window: timedelta = WINDOW,
        on_request: Callable[[bool], None] = lambda _answered: None,
    ) -> None:
        self._clock = clock
        self._on_request = on_request
        self._window = window
        self._samples: deque[tuple[Instant, float | None]] = deque(maxlen=MAX_SAMPLES)

    def note(self, started: Instant, *, answered: bool, tells_of_nova: bool = True) -> None:
        """Record one request that ended now."""
        now = self._clock.now()
        latency = now.since(started).total_seconds() if answered else None
        if tells_of_nova:
            self._samples.append((now, latency))
        self._on_request(answered)

    def recent(self) -> ApiHealth:
        """Return what the window holds now."""
        now = self._clock.now()
        while self._samples and now.since(self._samples[0][0]) > self._window:
            self._samples.popleft()
        latencies = tuple(latency for _, latency in self._samples if latency is not None)
        return ApiHealth(
            successes=len(latencies),
            failures=len(self._samples) - len(latencies),
            latencies_s=latencies,
        )
