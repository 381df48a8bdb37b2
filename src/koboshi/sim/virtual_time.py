"""Time that jumps: the real engine on a real asyncio loop, an hour of cloud in a second of ours.

Whenever nothing is ready to run, the loop's clock leaps to the next timer instead of waiting for
it. Everything that sleeps or times out by the loop (anyio does) follows by itself.
"""

import asyncio
import selectors
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

import anyio

from koboshi.domain.instant import Instant

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class _Selector(selectors.DefaultSelector):
    """Waits for no one: what would have been a wait becomes a leap of the clock."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen: the test waits for ever")
        self._leap(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that is never idle."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        super().__init__(_Selector(self._leap))

    def _leap(self, by_s: float) -> None:
        self._elapsed_s += by_s

    def time(self) -> float:
        """Return the seconds of this loop's life, all of them made up."""
        return self._elapsed_s


ANYIO_BACKEND = ("asyncio", {"loop_factory": VirtualLoop})
"""For the `anyio_backend` fixture of tests that live in virtual time."""


def run_virtual(story: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Run one story on a virtual loop of its own."""
    return anyio.run(story, *args, backend_options={"loop_factory": VirtualLoop})


class VirtualClock:
    """Implements ports.clock.Clock by the running loop's time."""

    def __init__(
        self,
        boot_id: str = "first-boot",
        *,
        booted_s: float = -3600.0,
        wall_is_off: timedelta = timedelta(),
    ) -> None:
        self._boot_id = boot_id
        self._booted_s = booted_s
        self._wall_is_off = wall_is_off
        self._frozen_until_s = 0.0

    def now(self) -> Instant:
        """Return the moment that the loop made up."""
        elapsed_s = anyio.current_time()
        return Instant(
            wall=BEGINNING + timedelta(seconds=elapsed_s) + self._wall_is_off,
            boot=timedelta(seconds=elapsed_s - self._booted_s),
            boot_id=self._boot_id,
        )

    async def sleep(self, duration: timedelta) -> None:
        """Sleep by the loop, no shorter than a freeze lasts."""
        wake_s = anyio.current_time() + duration.total_seconds()
        await anyio.sleep_until(max(wake_s, self._frozen_until_s))

    def freeze(self, by: timedelta) -> None:
        """Let every sleep that begins from now on end no sooner than this: our process stands still."""
        self._frozen_until_s = anyio.current_time() + by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Let the wall clock jump; the boot clock goes on."""
        self._wall_is_off += by

    def new_id(self) -> str:
        """Return a fresh identifier."""
        return str(uuid.uuid4())
