"""Ping: one socket for all hosts, and only a reply from the address that was asked counts.

Without any right where `net.ipv4.ping_group_range` lets our group have ping sockets (it rules both
IP versions); else by a raw socket, which needs CAP_NET_RAW. It never proves that a program lives.
"""

import asyncio
import errno
import secrets
import socket
import struct
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from koboshi.adapters.probing.timed import within
from koboshi.domain.facts.cloud import ProbeAnswer

ECHO_REQUEST, ECHO_REPLY = 8, 0
ECHO_REQUEST_6, ECHO_REPLY_6 = 128, 129
SOL_RAW, ICMP_FILTER = 255, 1
"""linux/icmp.h; Python's socket module does not name them."""
ICMP6_FILTER = 1
HEADER = struct.Struct("!BBHHH")
TOKEN_BYTES = 8
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
READS_AT_ONCE = 256
SEQUENCES = 65536


def means(family: socket.AddressFamily = socket.AF_INET) -> str | None:
    """Return how this process may ping: `ping socket`, `raw socket`, or None when it may not."""
    opened = _open(family)
    if opened is None:
        return None
    sock, is_raw = opened
    sock.close()
    return "raw socket" if is_raw else "ping socket"


def why_no_icmp() -> str | None:
    """Return why this process may not ping, with the cure; None when it may."""
    if means() is not None:
        return None
    return (
        "icmp is asked for, and this process may not ping: its group is not in "
        "net.ipv4.ping_group_range, and it has no CAP_NET_RAW; set the former by sysctl, give the "
        "service AmbientCapabilities=CAP_NET_RAW, or take icmp out of ask"
    )


def _open(family: socket.AddressFamily) -> tuple[socket.socket, bool] | None:
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError:
            continue
        return sock, kind == socket.SOCK_RAW
    return None


@dataclass(slots=True)
class _Asked:
    address: IPv4Address | IPv6Address
    token: bytes
    reply: asyncio.Future[None]


class _Line:
    """One socket of one IP version, and who waits for a reply on it."""

    def __init__(self, family: socket.AddressFamily, loop: asyncio.AbstractEventLoop) -> None:
        opened = _open(family)
        if opened is None:
            raise PermissionError(errno.EPERM, "neither ping sockets nor raw sockets are allowed")
        self._sock, self._is_raw = opened
        self._is_v4 = family == socket.AF_INET
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._id = secrets.randbelow(SEQUENCES)
        if self._is_raw:
            self._let_only_replies_in()
        self._waiting: dict[int, _Asked] = {}
        self._free = deque(range(SEQUENCES))
        self.loop = loop
        loop.add_reader(self._sock.fileno(), self._read)

    def _let_only_replies_in(self) -> None:
        if self._is_v4:
            self._sock.setsockopt(
                SOL_RAW, ICMP_FILTER, struct.pack("I", ~(1 << ECHO_REPLY) & 0xFFFFFFFF)
            )
        else:
            words = [0xFFFFFFFF] * 8
            words[ECHO_REPLY_6 >> 5] &= ~(1 << (ECHO_REPLY_6 & 31))
            self._sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("8I", *words))

    async def ask(self, address: IPv4Address | IPv6Address) -> ProbeAnswer:
        """Ask once; waits until cancelled. Raises OSError when the question cannot be sent."""
        # The number that was free the longest: a late reply to its last use is long gone by then.
        sequence = self._free.popleft()
        token = secrets.token_bytes(TOKEN_BYTES)
        asked = _Asked(address=address, token=token, reply=self.loop.create_future())
        self._waiting[sequence] = asked
        try:
            self._sock.sendto(self._packet(sequence, token), (str(address), 0))
            await asked.reply
        finally:
            del self._waiting[sequence]
            self._free.append(sequence)
        return ProbeAnswer.KERNEL

    def _packet(self, sequence: int, token: bytes) -> bytes:
        kind = ECHO_REQUEST if self._is_v4 else ECHO_REQUEST_6
        head = HEADER.pack(kind, 0, 0, self._id, sequence)
        if not (self._is_raw and self._is_v4):
            return (
                head + token
            )  # the kernel writes the checksum, and for ping sockets the identifier
        return HEADER.pack(kind, 0, _checksum(head + token), self._id, sequence) + token

    def _read(self) -> None:
        for _ in range(READS_AT_ONCE):
            try:
                data, sender = self._sock.recvfrom(2048)
            except OSError:
                return
            self._hear(data, sender)

    def _hear(self, data: bytes, sender: Any) -> None:
        if self._is_raw and self._is_v4 and data:
            data = data[(data[0] & 15) * 4 :]
        if len(data) < HEADER.size + TOKEN_BYTES:
            return
        kind, _code, _sum, identifier, sequence = HEADER.unpack_from(data)
        asked = self._waiting.get(sequence)
        if (
            asked is None
            or kind != (ECHO_REPLY if self._is_v4 else ECHO_REPLY_6)
            or (self._is_raw and identifier != self._id)
            or data[HEADER.size : HEADER.size + TOKEN_BYTES] != asked.token
            or ip_address(sender[0].partition("%")[0]) != asked.address
            or asked.reply.done()
        ):
            return
        asked.reply.set_result(None)

    def close(self) -> None:
        self.loop.remove_reader(self._sock.fileno())
        self._sock.close()


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class IcmpProbe:
    """Implements `koboshi.ports.probe.Probe`."""

    name = "icmp"

    def __init__(self, *, timeout: timedelta = timedelta(seconds=1)) -> None:
        self._timeout = timeout
        self._lines: dict[socket.AddressFamily, _Line] = {}

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask once: a reply is the kernel's answer."""

        async def ping(_noted: list[ProbeAnswer]) -> ProbeAnswer:
            asked = ip_address(address)
            family = socket.AF_INET if asked.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's own number
            return await self._line(family).ask(asked)

        return await within(self._timeout, ping)

    def _line(self, family: socket.AddressFamily) -> _Line:
        loop = asyncio.get_running_loop()
        line = self._lines.get(family)
        if line is None or line.loop is not loop:
            line = self._lines[family] = _Line(family, loop)
        return line

    def close(self) -> None:
        """Close the sockets; a later question opens new ones."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()
