"""Telling systemd how the daemon is (sd_notify): ready, alive, stopping.

The libraries on PyPI read a wall clock that may step, raise when systemd restarts, or are no longer
kept; the protocol is one datagram a message.
"""

import os
import socket
from collections.abc import Mapping
from datetime import timedelta


class ServiceManager:
    """systemd, if it started us; otherwise every method does nothing."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the null byte of an abstract socket. Others (vsock) are for machines.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.is_present = address.startswith(("@", "/"))
        self.watchdog_timeout = _watchdog_timeout(environ) if self.is_present else None
        """Silence after which systemd kills us; `alive` belongs at half of it. None: not watched."""

    def ready(self) -> None:
        """Say that the start is over."""
        self._send("READY=1")

    def alive(self) -> None:
        """Say that the loop turns; only the loop itself may say so."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line what we do, for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """Say that the orderly end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self.is_present:
            return
        # Never waits and never fails: a systemd that is busy or restarting is no reason to stop
        # recovering servers, and the watchdog's next word comes soon.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError:
            return


def _watchdog_timeout(environ: Mapping[str, str]) -> timedelta | None:
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None  # meant for another process
    return timedelta(microseconds=int(microseconds))
