"""Time. Nothing else reads a clock, sleeps, or draws a random number."""

from datetime import timedelta
from typing import Protocol

from koboshi.domain.instant import Instant


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Instant:
        """Return the present moment."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; cancellable."""
        ...

    def new_id(self) -> str:
        """Return a fresh identifier that sorts by time (UUID version 7), for incidents and commands."""
        ...
