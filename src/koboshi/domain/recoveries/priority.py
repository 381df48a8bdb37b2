"""How much a server's return matters beside the others': a weight, not a strict order."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Priority(StrEnum):
    """A server's class: of fifteen turns, critical ones get eight, low ones one."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def weight(self) -> int:
        """Return how many turns of a class come on one of the lowest."""
        return _WEIGHT[self]


_WEIGHT: Final[Mapping[Priority, int]] = {
    Priority.CRITICAL: 8,
    Priority.HIGH: 4,
    Priority.NORMAL: 2,
    Priority.LOW: 1,
}
