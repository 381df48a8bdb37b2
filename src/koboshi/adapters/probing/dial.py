"""One TCP connection, and what its failure says about whom.

Plain non-blocking sockets, because they keep the error number: it tells a host that is silent from
one that refuses, and both from our own trouble.
"""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from koboshi.domain.facts.cloud import ProbeAnswer

REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
"""A kernel said no: it lives."""
UNANSWERED = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN})
"""Nothing came back, not even to ARP."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset. Otherwise each probe leaves a socket in TIME_WAIT for a minute."""


def meaning(error: OSError) -> ProbeAnswer:
    """Return what a socket's error says."""
    if error.errno in REFUSED:
        return ProbeAnswer.KERNEL
    if error.errno in UNANSWERED:
        return ProbeAnswer.SILENT
    return ProbeAnswer.OWN_TROUBLE


@asynccontextmanager
async def dialled(address: str, port: int) -> AsyncGenerator[socket.socket]:
    """Give a connected socket. Raises OSError; names are not looked up."""
    family, kind, protocol, _, where = _numeric(address, port)
    with socket.socket(family, kind, protocol) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        await asyncio.get_running_loop().sock_connect(sock, where)
        yield sock


def _numeric(address: str, port: int) -> Any:
    return socket.getaddrinfo(
        address,
        port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )[0]
