"""Looking into the journal, while a daemon writes it or when none runs."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio import to_thread
from sqlalchemy import Engine, Row, select

from koboshi.adapters.journal import codec
from koboshi.adapters.journal.database import BUSY_TIMEOUT, open_database
from koboshi.adapters.journal.failure import explained
from koboshi.adapters.journal.revision import newer, revision
from koboshi.adapters.journal.tables import HEAD, event
from koboshi.domain.errors import JournalError
from koboshi.domain.instant import Instant
from koboshi.ports.journal import Recorded

MAX_READ = 10_000
"""The most events of one read: bounds the memory that a page of the journal takes."""


class SqlJournalReader:
    """Implements ports.journal.JournalReader; open it with `open_to_read`."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine
        """Of one connection that can only read."""
        self._reads = anyio.CapacityLimiter(1)
        """One at a time: a hasty page of a browser takes no more memory than one read."""

    @staticmethod
    async def open_to_read(
        path: Path, *, busy_timeout: timedelta = BUSY_TIMEOUT
    ) -> "SqlJournalReader":
        """Open an existing journal; raise JournalError if there is none, or none that we know."""
        return await to_thread.run_sync(SqlJournalReader.open_at_once, path, busy_timeout)

    @staticmethod
    def open_at_once(path: Path, busy_timeout: timedelta = BUSY_TIMEOUT) -> "SqlJournalReader":
        """Open it and block meanwhile; raises as `open_to_read` does."""
        return SqlJournalReader(path, _open(path, busy_timeout))

    async def read(self, *, after: int = 0, limit: int = MAX_READ) -> tuple[Recorded, ...]:
        """Return up to `limit` events behind number `after`, in order, none left out."""
        if not 1 <= limit <= MAX_READ:
            raise ValueError(f"limit must be 1 to {MAX_READ}, not {limit}: read page by page")
        return await to_thread.run_sync(self.read_at_once, after, limit, limiter=self._reads)

    async def close(self) -> None:
        """Close the file."""
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self.engine.dispose, limiter=self._reads)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return explained(self.path, doing)

    def read_at_once(self, after: int, limit: int = MAX_READ) -> tuple[Recorded, ...]:
        """Read and block meanwhile: for a watcher that must know before anything else happens."""
        query = select(event).where(event.c.seq > after).order_by(event.c.seq).limit(limit)
        with self._explained("read"), self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return tuple(self._recorded(row, after + n) for n, row in enumerate(rows, 1))

    def _recorded(self, row: Row[Any], expected: int) -> Recorded:
        place = f"event {row.seq} of {self.path}"
        if row.seq != expected:
            raise JournalError(
                f"event {expected} of {self.path} is missing (the next is {row.seq}): the journal "
                f"is damaged; put back a backup of it",
            )
        try:
            wall = datetime.fromisoformat(row.wall)
            boot = timedelta(microseconds=row.boot_us)
        except (ValueError, TypeError, OverflowError) as error:
            raise JournalError(
                f"{place} has no readable time ({error}): the journal is damaged; put back a "
                f"backup of it",
            ) from error
        at = Instant(wall=wall, boot=boot, boot_id=str(row.boot_id))
        return Recorded(seq=row.seq, at=at, event=codec.decode(row.data, place=place))


def _open(path: Path, busy_timeout: timedelta) -> Engine:
    with explained(path, "opened"):
        if not path.is_file():
            raise JournalError(
                f"there is no journal at {path}: no daemon has run yet with this state_dir; "
                f"start one (koboshi run), or name its configuration with --config",
            )
        engine = open_database(path, may_write=False, busy_timeout=busy_timeout)
        try:
            with engine.begin() as connection:
                found = revision(connection)
            _check_version(path, found)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _check_version(path: Path, found: str | None) -> None:
    if found is None or found < HEAD:
        raise JournalError(
            f"the journal {path} has schema version {found or 'none'}, this version of Koboshi "
            f"reads {HEAD}: start its daemon (koboshi run), which brings it up to date",
        )
    if found > HEAD:
        raise newer(path, found)
