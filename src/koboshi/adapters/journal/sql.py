"""The memory of the daemon that leads: intent and leadership are committed together, or not at all.

Each append is one transaction that first moves the leader's row. That proves that nobody took the
journal over, puts all writers in a line on any database, and numbers the events without a gap.
"""

import os
import socket
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

import anyio
from anyio import to_thread
from sqlalchemy import Connection, Engine, String, cast, delete, func, insert, select, update

from koboshi.adapters.journal import codec
from koboshi.adapters.journal.database import BUSY_TIMEOUT, open_database
from koboshi.adapters.journal.failure import explained
from koboshi.adapters.journal.lock import JournalLock
from koboshi.adapters.journal.reader import SqlJournalReader
from koboshi.adapters.journal.schema import bring_up_to_date
from koboshi.adapters.journal.tables import LEADER_ROW, event, leader, open_command
from koboshi.domain.errors import JournalError, NotLeader, SubjectBusy
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.events import CommandEnded, CommandIntended, Event
from koboshi.domain.names import CommandId
from koboshi.ports.journal import Recorded

_HOLDER_CHARS = 300


class SqlJournal(SqlJournalReader):
    """Implements ports.journal.Journal; open it with `open_to_lead`."""

    def __init__(self, path: Path, writer: Engine, lock: JournalLock, epoch: int) -> None:
        # Reads have a connection of their own: a long one never keeps an intent waiting.
        super().__init__(path, open_database(path, may_write=False))
        self.writer = writer
        """Of the one connection that writes; public for the tests that spoil it."""
        self._writes = anyio.CapacityLimiter(1)
        self._lock = lock
        self._inode = _inode(path)
        self.epoch = epoch
        """Counts the daemons that have led this journal; ours is the highest, or we lead no more."""

    @staticmethod
    async def open_to_lead(
        path: Path, holder: str, *, busy_timeout: timedelta = BUSY_TIMEOUT
    ) -> "SqlJournal":
        """Take the journal over, making or upgrading it as needed.

        `holder` says who we are to a daemon that comes second. Raises NotLeader while another
        daemon holds it, JournalError when it cannot be used.
        """
        return await to_thread.run_sync(_lead, path, holder, busy_timeout)

    async def append(self, at: Instant, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Append all of `events` or none; on the disk when this returns."""
        if not events:
            return ()
        # In the order of asking, and never abandoned half-way: who is cancelled meanwhile waits
        # for what the thread has begun.
        return await to_thread.run_sync(self._append, at, tuple(events), limiter=self._writes)

    async def close(self) -> None:
        """Close the file, then let another daemon lead."""
        with anyio.CancelScope(shield=True):
            try:
                await super().close()
                await to_thread.run_sync(self.writer.dispose, limiter=self._writes)
            finally:
                self._lock.release()

    def _append(self, at: Instant, events: tuple[Event, ...]) -> tuple[Recorded, ...]:
        encoded = [codec.encode(one) for one in events]
        with self._explained("written"):
            self._stay_in_place()
        with self._explained("written"), self.writer.begin() as connection:
            first = self._reserve(connection, len(events))
            for seq, one in enumerate(events, first):
                if isinstance(one, CommandIntended):
                    self._open_command(connection, one.command, seq)
                elif isinstance(one, CommandEnded):
                    self._close_command(connection, one.command)
            connection.execute(
                insert(event),
                [
                    {"seq": seq, **_moment(at), **codec.columns(one), "data": data}
                    for seq, (one, data) in enumerate(zip(events, encoded, strict=True), first)
                ],
            )
        return tuple(Recorded(seq=seq, at=at, event=one) for seq, one in enumerate(events, first))

    def _stay_in_place(self) -> None:
        # SQLite would go on writing into a file that was removed, and all of it would be lost.
        if _inode(self.path) != self._inode:
            raise JournalError(
                f"the journal {self.path} was replaced by another file while this daemon runs: "
                f"nothing was written; put the right file back and restart the daemon",
            )

    def _reserve(self, connection: Connection, count: int) -> int:
        """Return the number of the first of `count` events, if we still lead."""
        mine = (leader.c.id == LEADER_ROW) & (leader.c.epoch == self.epoch)
        moved = connection.execute(update(leader).where(mine).values(seq=leader.c.seq + count))
        if moved.rowcount != 1:
            row = connection.execute(select(leader)).first()
            taken = f"epoch {row.epoch}, {row.holder}" if row else "nobody"
            raise NotLeader(
                f"the journal {self.path} is led by another daemon now ({taken}; we had epoch "
                f"{self.epoch}): nothing was written; let only one daemon use this state_dir",
            )
        last: int = connection.execute(select(leader.c.seq).where(mine)).scalar_one()
        return last - count + 1

    def _open_command(self, connection: Connection, command: Command, seq: int) -> None:
        # The leader's row is locked: what is read here is still so at the commit. The table's
        # primary key says the same once more, should that ever be untrue.
        for column, mine in (
            (open_command.c.subject, command.subject),
            (open_command.c.command, command.id),
        ):
            busy = connection.execute(select(open_command).where(column == mine)).first()
            if busy is not None:
                raise SubjectBusy(
                    f"{command.type} of {command.subject} (command {command.id}) may not begin: "
                    f"command {busy.command} ({busy.kind} of {busy.subject}, event {busy.seq}) is "
                    f"open; it must end first",
                )
        connection.execute(
            insert(open_command).values(
                subject=command.subject, command=command.id, kind=command.type, seq=seq
            ),
        )

    def _close_command(self, connection: Connection, command: CommandId) -> None:
        gone = connection.execute(delete(open_command).where(open_command.c.command == command))
        if gone.rowcount != 1:
            raise JournalError(
                f"command {command} cannot end: it is not open in {self.path}, a bug; nothing "
                f"was written",
            )


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _moment(at: Instant) -> dict[str, str | int]:
    if at.wall.tzinfo is None:
        raise JournalError(f"the moment {at} has no time zone, a bug; nothing was written")
    return {
        "wall": at.wall.astimezone(UTC).isoformat(timespec="microseconds"),
        "boot_us": at.boot // timedelta(microseconds=1),
        "boot_id": at.boot_id,
    }


def _lead(path: Path, holder: str, busy_timeout: timedelta) -> SqlJournal:
    with explained(path, "opened"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = JournalLock.take(path.with_suffix(".lock"), holder)
        try:
            # SQLite makes its other files with the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            engine = open_database(path, may_write=True, busy_timeout=busy_timeout)
            try:
                return SqlJournal(path, engine, lock, _take_over(engine, path, holder))
            except BaseException:
                engine.dispose()
                raise
        except BaseException:
            lock.release()
            raise


def _take_over(engine: Engine, path: Path, holder: str) -> int:
    with engine.begin() as connection:
        health = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if health != "ok":
            raise JournalError(
                f"the journal {path} is damaged ({health}): keep a copy, then put back a backup, "
                f"or move it away together with its -wal and -shm files",
            )
        bring_up_to_date(connection, path)
        me = f"{holder}, pid {os.getpid()} on {socket.gethostname()}"
        ours = leader.c.id == LEADER_ROW
        connection.execute(
            update(leader)
            .where(ours)
            .values(
                epoch=leader.c.epoch + 1,
                holder=me[:_HOLDER_CHARS],
                # The database's clock: the same for every daemon that may ever share it.
                since=cast(func.current_timestamp(), String(40)),
            ),
        )
        epoch = connection.execute(select(leader.c.epoch).where(ours)).scalar()
        if epoch is None:
            raise JournalError(
                f"the journal {path} is damaged (the leader's row is gone); put back a backup",
            )
        return epoch
