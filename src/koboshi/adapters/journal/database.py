"""SQLite, opened so that what was acknowledged survives a crash of the program and the machine."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as hooks
from sqlalchemy.pool import QueuePool

from koboshi.domain.errors import JournalError

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long to wait for another program's lock; a backup with the sqlite3 tool takes less."""


def open_database(path: Path, *, may_write: bool, busy_timeout: timedelta = BUSY_TIMEOUT) -> Engine:
    """Return an engine with one connection to the SQLite file, which must exist."""
    uri = f"{path.absolute().as_uri()}?mode={'rw' if may_write else 'ro'}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=busy_timeout.total_seconds(),
            isolation_level=None,  # transactions begin and end where we say, not where it guesses
            check_same_thread=False,  # one worker at a time, not always the same
        )
        try:
            if may_write:
                _make_durable(connection, path)
            else:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    hooks.listen(engine, "begin", _begin("BEGIN IMMEDIATE" if may_write else "BEGIN"))
    return engine


def _make_durable(connection: sqlite3.Connection, path: Path) -> None:
    # WAL: readers never wait for the daemon, nor it for them. FULL: a commit is on the disk.
    mode = str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    if mode != "wal":
        raise JournalError(
            f"the journal {path} stays in {mode} mode: its file system has no shared memory "
            f"(a network file system?); put state_dir on a local disk",
        )
    connection.execute("PRAGMA synchronous = FULL")


def _begin(statement: str) -> Callable[[Connection], None]:
    # IMMEDIATE takes the write lock at once: a transaction that read first could not wait for it.
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
