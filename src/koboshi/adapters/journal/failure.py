"""What a failing database means to an operator: the place, the reason, and the cure."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from koboshi.domain.errors import JournalError

_DAMAGED = (
    "the file is damaged or no journal: stop the daemon, keep a copy, then put back a backup or "
    "move it away together with its -wal and -shm files (with an empty journal, hosts that are "
    "down already wait for a person's word)"
)
_FULL = "the disk is full: make room on the file system that holds it"
_FORBIDDEN = (
    "this user may not use it, or the file system is read-only: give its folder to the user that "
    "runs the daemon, mode 0700"
)
_CURES: dict[int, str] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: "another program keeps it locked: find it with fuser, and end it",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked: find it with fuser, and end it",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_IOERR: "the disk fails: look at the kernel's log (dmesg)",
    sqlite3.SQLITE_ERROR: _DAMAGED,
}
_OS_CURES: dict[int, str] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOENT: "it was removed while the daemon runs: put a backup back and restart the daemon",
    errno.ENOTDIR: "a part of its path is no folder: set state_dir to a folder",
    errno.EISDIR: "it is a folder: move that away",
    errno.EMFILE: "no file descriptor is left: raise LimitNOFILE of the service",
    errno.EIO: "the disk fails: look at the kernel's log (dmesg)",
}


def _reason(error: Exception) -> tuple[str, str]:
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary code. An error of the driver itself has none.
        code: int = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        return str(cause), _CURES.get(code, "see https://sqlite.org/rescode.html")
    if isinstance(cause, OSError):
        cure = _OS_CURES.get(cause.errno or 0, "see that the disk is well")
        return cause.strerror or str(cause), cure
    return f"{type(cause).__name__}: {cause}", "see that the disk is well; if it is, this is a bug"


@contextmanager
def explained(path: Path, doing: str) -> Generator[None]:
    """Turn what a database or file system raises into a JournalError that names the cure."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason, cure = _reason(error)
        raise JournalError(f"the journal {path} cannot be {doing} ({reason}); {cure}") from error
