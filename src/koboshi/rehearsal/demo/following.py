"""The daemon's journal, read while it writes: for the story, and for the judge.

The judge must know an intent before its effect arrives at the cloud, so the journal is read again
in the very moment in which anything really happens.
"""

from collections.abc import Callable
from pathlib import Path

from koboshi.adapters.journal.reader import SqlJournalReader
from koboshi.domain.errors import JournalError
from koboshi.ports.journal import Recorded
from koboshi.sim.journal import Disk
from koboshi.sim.truth import TrueEvent


class Following:
    """One journal, as far as it was read; blocks for a millisecond whenever it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: SqlJournalReader | None = None
        self._seen = 0
        self.disk = Disk()
        """What was read, in the shape that judges watch."""
        self.listeners: list[Callable[[Recorded], None]] = []

    def read(self, _event: TrueEvent | None = None) -> None:
        """Read what is new; a journal that is not there yet, or is being made, has nothing."""
        try:
            if self._reader is None:
                if not self._path.exists():
                    return
                self._reader = SqlJournalReader.open_at_once(self._path)
            found = self._reader.read_at_once(self._seen)
        except JournalError:
            return
        for recorded in found:
            self._seen = recorded.seq
            self.disk.recorded.append(recorded)
            for listener in (*self.disk.watchers, *self.listeners):
                listener(recorded)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.engine.dispose()
