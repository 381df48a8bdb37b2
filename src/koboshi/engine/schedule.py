"""Things to do again and again, each at its own pace, never twice at once."""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from anyio.abc import TaskGroup

from koboshi.domain.instant import Instant
from koboshi.ports.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One recurring reading: run `work` when `every` has passed since it last ended."""

    key: Hashable
    every: timedelta
    work: Callable[[], Awaitable[None]]


class Schedule:
    """Starts what is due in a task group; what still runs is not started a second time."""

    def __init__(self, clock: Clock, tasks: TaskGroup) -> None:
        self._clock = clock
        self._tasks = tasks
        self._running: set[Hashable] = set()
        self._ended: dict[Hashable, Instant] = {}

    def start_due(self, orders: Iterable[Order]) -> None:
        """Start every order that is due; forget the pace of those that are no longer wanted."""
        now = self._clock.now()
        wanted: set[Hashable] = set()
        for order in orders:
            wanted.add(order.key)
            ended = self._ended.get(order.key)
            if order.key in self._running:
                continue
            if ended is not None and now.since(ended) < order.every:
                continue
            self._running.add(order.key)
            self._tasks.start_soon(self._run, order)
        self._ended = {k: at for k, at in self._ended.items() if k in wanted}

    async def _run(self, order: Order) -> None:
        try:
            await order.work()
        except Exception:  # one odd answer must not end the daemon, nor the other readings
            log.exception("reading_crashed", key=str(order.key))
        finally:
            self._running.discard(order.key)
            self._ended[order.key] = self._clock.now()
