"""One daemon for one journal on one machine: a lock that the kernel drops when its holder dies.

It is `flock`, not a pid file: nothing is left behind by `kill -9`, and nothing has to be guessed
about a pid that was used again. It belongs to the open file, which no program that we start
inherits (O_CLOEXEC).
"""

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from koboshi.domain.errors import NotLeader

_ENOUGH = 4096
"""More than a holder ever writes; bounds what is read of a file that anybody may have filled."""


class JournalLock:
    """Held from `take` to `release`, or to the end of this process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, path: Path, holder: str) -> Self:
        """Take the lock at once, or raise NotLeader naming who has it; OSError as it comes."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NotLeader(
                    f"another daemon leads this journal: {_holder(fd)}; it holds {path}. "
                    f"Stop that one first, or give this one a state_dir of its own",
                ) from error
            me = {"pid": os.getpid(), "host": socket.gethostname(), "holder": holder}
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(me).encode() + b"\n", 0)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    def release(self) -> None:
        """Let go; the file stays, as removing it would let two others each lock their own."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _holder(fd: int) -> str:
    # The holder may be between taking the lock and writing: then the file is empty or old.
    try:
        me = json.loads(os.pread(fd, _ENOUGH, 0))
        since = datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC)
        return (
            f"{me['holder']}, pid {int(me['pid'])} on {me['host']}, "
            f"since {since.isoformat(timespec='seconds')}"
        )
    except (ValueError, KeyError, TypeError):
        return "it has not written its name yet"
