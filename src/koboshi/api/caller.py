"""Who is at the other end of the socket: as the kernel knows them, not as they say."""

import pwd
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

NO_LOGIN = 0xFFFFFFFF
"""What /proc/PID/loginuid says of a process that nobody logged in for."""
_UCRED = struct.Struct("iII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A process that speaks over a Unix socket."""

    pid: int
    uid: int
    login_uid: int | None = None
    """Who logged in before any `sudo`, where the kernel keeps that; for the record only."""

    def __str__(self) -> str:
        """Return the caller for the journal: `uid 0 (root), logged in as uid 1000 (anna), pid 123`."""
        parts = [_user(self.uid)]
        if self.login_uid is not None and self.login_uid != self.uid:
            parts.append(f"logged in as {_user(self.login_uid)}")
        return ", ".join((*parts, f"pid {self.pid}"))


def _user(uid: int) -> str:
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


def caller_of(connection: socket.socket) -> Caller:
    """Return the process at the other end of a Unix socket (SO_PEERCRED, and who logged in)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(raw)
    return Caller(pid=pid, uid=uid, login_uid=_login_uid(pid))


def _login_uid(pid: int) -> int | None:
    try:
        uid = int(Path(f"/proc/{pid}/loginuid").read_text())
    except (OSError, ValueError):  # it has ended, or this kernel keeps none
        return None
    return None if uid == NO_LOGIN else uid
