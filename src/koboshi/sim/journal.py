"""A journal in memory with the rules of the real one, that can be cut off at any append."""

from collections.abc import Callable, Sequence

import anyio

from koboshi.domain.errors import JournalError, NotLeader, SubjectBusy
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.events import CommandEnded, CommandIntended, Event
from koboshi.domain.names import CommandId
from koboshi.ports.journal import Recorded


class KilledHere(BaseException):
    """The daemon's process is gone at this very moment; nothing of it may catch this."""


class Disk:
    """What survives the daemon."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.open: dict[str, Command] = {}
        self.epoch = 0
        self.appends = 0
        """Transactions that were begun, written or not."""
        self.watchers: list[Callable[[Recorded], None]] = []


class MemoryJournal:
    """Implements ports.journal.Journal on a Disk; opening one takes the leadership over."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        disk.epoch += 1
        self._epoch = disk.epoch
        self.failing: str | None = None
        """Why nothing can be written now, if so."""
        self.kill_before: int | None = None
        """Number of the append (counted over the disk's life, from 1) that never gets written."""
        self.kill_after: int | None = None
        """Number of the append after which the daemon is gone."""
        self.write_s = 0.002
        self.dead = False
        """Its daemon was killed: whatever still runs of it in this process writes nothing more."""

    async def read(self, *, after: int = 0, limit: int = 10_000) -> tuple[Recorded, ...]:
        """Return what was appended behind number `after`."""
        return tuple(r for r in self._disk.recorded if r.seq > after)[:limit]

    async def append(self, at: Instant, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Append all or nothing, and be killed where the test says so."""
        disk = self._disk
        if self.dead:
            raise KilledHere
        disk.appends += 1
        number = disk.appends
        if number == self.kill_before:
            self.dead = True
            raise KilledHere
        with anyio.CancelScope(shield=True):
            await anyio.sleep(self.write_s)
        if self.dead:
            raise KilledHere
        if self.failing is not None:
            raise JournalError(self.failing)
        if self._epoch != disk.epoch:
            raise NotLeader("another daemon has taken the journal over")
        opened = dict(disk.open)
        for event in events:
            if isinstance(event, CommandIntended):
                _open(opened, event.command)
            elif isinstance(event, CommandEnded):
                _close(opened, event.command)
        first = len(disk.recorded) + 1
        recorded = tuple(Recorded(seq=s, at=at, event=e) for s, e in enumerate(events, first))
        disk.recorded.extend(recorded)
        disk.open = opened
        for record in recorded:
            for watcher in disk.watchers:
                watcher(record)
        if number == self.kill_after:
            self.dead = True
            raise KilledHere
        return recorded


def _open(opened: dict[str, Command], command: Command) -> None:
    if command.subject in opened or any(c.id == command.id for c in opened.values()):
        raise SubjectBusy(f"a command of {command.subject} is open: {command.id} may not begin")
    opened[command.subject] = command


def _close(opened: dict[str, Command], command: CommandId) -> None:
    subject = next((s for s, c in opened.items() if c.id == command), None)
    if subject is None:
        raise JournalError(f"command {command} cannot end: it is not open")
    del opened[subject]
