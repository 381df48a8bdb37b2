"""The memory: events, appended in order, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from koboshi.domain.instant import Instant
from koboshi.domain.memory.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One event with its place and time in the journal."""

    seq: int
    at: Instant
    event: Event


class JournalReader(Protocol):
    """Whoever may look."""

    async def read(self, *, after: int = 0, limit: int = 10_000) -> tuple[Recorded, ...]:
        """Return up to `limit` events behind number `after`, in order."""
        ...


class Journal(JournalReader, Protocol):
    """Whoever leads."""

    async def append(self, at: Instant, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Append all of `events` or none, in one transaction, durably.

        A `CommandIntended` opens its command's subject and a `CommandEnded` closes it, within the
        same transaction. Raises SubjectBusy when another command is open for a subject, NotLeader
        when another daemon has taken the journal over, JournalError when it cannot be written.
        """
        ...
