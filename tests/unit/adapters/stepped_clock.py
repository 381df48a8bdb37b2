"""A clock that moves only when a test says so."""

import uuid
from datetime import UTC, datetime, timedelta

from koboshi.domain.instant import Instant


class SteppedClock:
    """Implements `koboshi.ports.clock.Clock`."""

    def __init__(self) -> None:
        self._at = Instant(
            wall=datetime(2026, 1, 1, tzinfo=UTC),
            boot=timedelta(hours=1),
            boot_id="test",
        )

    def now(self) -> Instant:
        return self._at

    def step(self, by: timedelta) -> None:
        """Let time pass."""
        self._at = self._at.later(by)

    async def sleep(self, duration: timedelta) -> None:
        self.step(duration)

    def new_id(self) -> str:
        return str(uuid.uuid4())
