"""Whether a host is the machine that this daemon runs on: it must never switch itself off.

The kernel is asked from which address it would speak to the host: to one of our own addresses it
speaks from that same address. Nothing is sent for it.
"""

import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase

from koboshi.domain.names import HostName

DISCARD_PORT = 9
"""Any port would do: connecting a datagram socket sends nothing."""


def is_our_address(address: str) -> bool:
    """Return whether an IP address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((address, DISCARD_PORT))
            return str(asked.getsockname()[0]) == address
    except (OSError, ValueError):  # no route, or no address: then it is not ours
        return False


class OurMachine:
    """Knows the hosts that carry this daemon or its database."""

    def __init__(self, never_fence: Iterable[str]) -> None:
        """Take the patterns of hosts that the operator named."""
        self._patterns = tuple(never_fence)
        self._names = {socket.gethostname(), socket.getfqdn()}

    def is_it(self, host: HostName, address: str | None) -> bool:
        """Return whether `host` is ours: by a pattern, by its name, or by its address."""
        return (
            any(fnmatchcase(host, pattern) for pattern in self._patterns)
            or host in self._names
            or (address is not None and is_our_address(address))
        )
