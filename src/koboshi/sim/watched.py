"""Waiting until something of the world is so, without asking it again and again."""

from collections.abc import Callable
from typing import Any

import anyio


class Signal:
    """Wakes whoever waits for a change of the world."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def fire(self) -> None:
        """Let everybody look again."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as something is so; it must depend on watched attributes alone."""
        while not holds():
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()


class Watched:
    """Something whose attributes wake whoever waits, whenever one of them is set."""

    signal: Signal | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, and let everybody look again."""
        super().__setattr__(name, value)
        if self.signal is not None:
            self.signal.fire()
