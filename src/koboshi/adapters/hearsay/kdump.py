"""Messages of kernels that crashed, as fence_kdump_send sends them, or signed.

fence_kdump's own message (fence-agents agents/kdump/message.h) is eight bytes: the magic number
0x1B302A40 and the version 1, each 32 bits in the sender's byte order. Anybody can send it, so it
shortens the wait for a confirmation and proves nothing, unless it comes from a network from which
nobody else can send. The signed one, ours, is one line of text (docs/witnesses.md shows how to send
it by shell and openssl):

    koboshi-kdump 1 HOST UNIX_SECONDS COUNTER HMAC

HMAC is the HMAC-SHA256, in hexadecimal, of everything before it (without the blank), with the key of
that host alone: the HMAC-SHA256 of its name with the configured secret, in hexadecimal. A message is
taken once: each (seconds, counter) of a host must be later than the one before, and the sender's
clock may be off by MAX_SKEW.
"""

import asyncio
import hashlib
import hmac
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast

import structlog
from pydantic import SecretStr

from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName

log = structlog.get_logger(__name__)

MAGIC, VERSION = 0x1B302A40, 1
MAX_MESSAGE_BYTES = 512
MESSAGES_A_SECOND = 200
"""A thousand hosts that crash at once send a hundred a second; what comes beyond is dropped."""
MAX_SKEW_S = 600
"""By how much the clock of a host may be off: a crash kernel has the hardware's."""
SIGNED = re.compile(
    rb"(?P<said>koboshi-kdump 1 (?P<host>[A-Za-z0-9._-]{1,255}) (?P<at>\d{1,12}) "
    rb"(?P<count>\d{1,9})) (?P<mac>[0-9a-f]{64})\n?"
)

Heard = Callable[[HostName, bool], None]
"""Told of each message: whose it is, and whether it counts as proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KdumpTrust:
    """What makes a message count as proven."""

    secret: SecretStr | None = None
    isolated: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, secret: SecretStr | None, isolated: Sequence[str]) -> "KdumpTrust":
        """Return it from settings."""
        return cls(secret=secret, isolated=tuple(ip_network(n) for n in isolated))


@dataclass(slots=True)
class _Rate:
    second: int = -1
    count: int = 0

    def allows(self, now_s: float) -> bool:
        if int(now_s) != self.second:
            self.second, self.count = int(now_s), 0
        self.count += 1
        return self.count <= MESSAGES_A_SECOND


@dataclass(slots=True)
class KdumpListener(asyncio.DatagramProtocol):
    """Hears messages on a UDP port, from the hosts' own addresses only."""

    trust: KdumpTrust
    host_at: Callable[[str], HostName | None]
    """Return whose address this is; None when it is nobody's, or more than one's."""
    is_known: Callable[[HostName], bool]
    heard: Heard
    now: Callable[[], Instant]
    """The present moment; its wall clock counts against replayed messages only."""
    dropped: int = 0
    _rate: _Rate = field(default_factory=_Rate)
    _newest: dict[HostName, tuple[int, int]] = field(
        default_factory=dict[HostName, tuple[int, int]]
    )

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        """Take one message; what is not plainly one is dropped."""
        loop = asyncio.get_running_loop()
        if len(data) > MAX_MESSAGE_BYTES or not self._rate.allows(loop.time()):
            self.dropped += 1
            return
        sender = ip_address(cast("str", addr[0]).partition("%")[0])
        if isinstance(sender, IPv6Address) and sender.ipv4_mapped is not None:
            sender = sender.ipv4_mapped
        host = self._signed(data)
        if host is not None:
            self.heard(host, True)
            return
        host = self.host_at(str(sender)) if _is_plain(data) else None
        if host is None:
            self.dropped += 1
            return
        self.heard(host, any(sender in network for network in self.trust.isolated))

    def _signed(self, data: bytes) -> HostName | None:
        """Return whose signed message this is; None when it is none, forged, or was heard before."""
        said = SIGNED.fullmatch(data)
        if said is None or self.trust.secret is None:
            return None
        host = HostName(said["host"].decode())
        key = key_of(self.trust.secret, host)
        mac = hmac.new(key.encode(), said["said"], hashlib.sha256).hexdigest().encode()
        stamp = (int(said["at"]), int(said["count"]))
        if (
            not hmac.compare_digest(mac, said["mac"])
            or not self.is_known(host)
            or abs(self.now().wall.timestamp() - stamp[0]) > MAX_SKEW_S
            or stamp <= self._newest.get(host, (0, -1))
        ):
            return None
        self._newest[host] = stamp
        return host


def key_of(secret: SecretStr, host: HostName) -> str:
    """Return the key with which one host signs: whoever reads it there can speak for no other host."""
    key = secret.get_secret_value().encode()
    return hmac.new(key, host.encode(), hashlib.sha256).hexdigest()


def _is_plain(data: bytes) -> bool:
    return data in {struct.pack(f"{order}II", MAGIC, VERSION) for order in "<>"}


async def listen(listener: KdumpListener, address: str, port: int) -> asyncio.DatagramTransport:
    """Bind the port; the caller closes what is returned. Raises OSError."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: listener, local_addr=(address, port))
    return transport
