"""A crashed kernel's messages: whose they are, and which of them prove anything."""

import asyncio
import hashlib
import hmac
import shutil
import socket
import struct

import pytest
from pydantic import SecretStr

from koboshi.adapters.hearsay.kdump import (
    MAGIC,
    MAX_SKEW_S,
    MESSAGES_A_SECOND,
    VERSION,
    KdumpListener,
    KdumpTrust,
    key_of,
    listen,
)
from koboshi.domain.names import HostName
from tests.fakes.scene import at

pytestmark = pytest.mark.anyio

SECRET = SecretStr("a secret of sixteen characters")
H1, H2 = HostName("h1"), HostName("h2")
PLAIN = struct.pack("<II", MAGIC, VERSION)
NOW = at(0)
NOW_S = int(NOW.wall.timestamp())


class Ear:
    """A listener and what it heard; h1 is at 127.0.0.1, h2 elsewhere."""

    def __init__(self, trust: KdumpTrust | None = None) -> None:
        self.heard: list[tuple[HostName, bool]] = []
        self.now = NOW
        self.listener = KdumpListener(
            trust=trust or KdumpTrust(secret=SECRET),
            host_at=lambda address: H1 if address in {"127.0.0.1", "192.0.2.1"} else None,
            is_known=lambda host: host in {H1, H2},
            heard=lambda host, proven: self.heard.append((host, proven)),
            now=lambda: self.now,
        )

    async def hear(self, data: bytes, sender: str = "192.0.2.1") -> list[tuple[HostName, bool]]:
        self.listener.datagram_received(data, (sender, 7410))
        return self.heard


def signed(host: str = "h1", at_s: int = NOW_S, count: int = 1, *, by: str | None = None) -> bytes:
    said = f"koboshi-kdump 1 {host} {at_s} {count}".encode()
    key = key_of(SECRET, HostName(by or host)).encode()
    return said + b" " + hmac.new(key, said, hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize("order", ["<", ">"])
async def test_fence_kdumps_message_shortens_and_proves_nothing(order: str) -> None:
    assert await Ear().hear(struct.pack(f"{order}II", MAGIC, VERSION)) == [(H1, False)]


async def test_from_an_isolated_network_it_is_proof() -> None:
    ear = Ear(KdumpTrust.of(None, ["192.0.2.0/24"]))
    assert await ear.hear(PLAIN) == [(H1, True)]


async def test_only_the_hosts_own_address_counts() -> None:
    assert await Ear().hear(PLAIN, "192.0.2.99") == []
    assert await Ear().hear(PLAIN, "::ffff:192.0.2.1") == [(H1, False)]


@pytest.mark.parametrize(
    "data", [b"", b"x" * 2000, struct.pack("<II", MAGIC, 2), struct.pack("<III", MAGIC, 1, 1)]
)
async def test_what_is_no_message_is_dropped(data: bytes) -> None:
    ear = Ear()
    assert await ear.hear(data) == []
    assert ear.listener.dropped == 1


async def test_a_signed_message_is_proof_from_wherever_it_comes() -> None:
    assert await Ear().hear(signed("h2"), "192.0.2.99") == [(H2, True)]
    assert await Ear().hear(signed("h2") + b"\n", "192.0.2.99") == [(H2, True)]


@pytest.mark.parametrize(
    "data",
    [
        signed("h2", by="h1"),
        signed("h3"),
        signed(at_s=NOW_S - MAX_SKEW_S - 1),
        signed(at_s=NOW_S + MAX_SKEW_S + 1),
        signed()[:-1] + b"x",
        signed().replace(b" 1 h1", b" 1 h2"),
    ],
    ids=["another's key", "unknown host", "old", "of the future", "broken", "another's name"],
)
async def test_a_forged_message_is_nothing(data: bytes) -> None:
    assert await Ear().hear(data) == []


async def test_a_message_counts_once() -> None:
    ear = Ear()
    for message in (signed(), signed(), signed(count=0), signed(at_s=NOW_S - 5, count=9)):
        await ear.hear(message)
    assert ear.heard == [(H1, True)]
    assert await ear.hear(signed(count=2)) == [(H1, True)] * 2


async def test_without_a_secret_nobody_can_sign() -> None:
    assert await Ear(KdumpTrust()).hear(signed()) == []


async def test_a_flood_is_bounded() -> None:
    ear = Ear()
    for _ in range(5 * MESSAGES_A_SECOND):
        await ear.hear(PLAIN)
    assert len(ear.heard) <= 2 * MESSAGES_A_SECOND


async def test_messages_arrive_over_udp() -> None:
    ear = Ear()
    transport = await listen(ear.listener, "127.0.0.1", 0)
    port = transport.get_extra_info("sockname")[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(PLAIN, ("127.0.0.1", port))
        for _ in range(100):
            await asyncio.sleep(0.01)
            if ear.heard:
                break
    transport.close()
    assert ear.heard == [(H1, False)]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_shell_and_openssl_sign_as_the_documentation_shows() -> None:
    """The lines of docs/witnesses.md."""
    script = f"""
    KEY=$(printf %s h1 | openssl dgst -sha256 -hmac '{SECRET.get_secret_value()}' | sed 's/.* //')
    SAID="koboshi-kdump 1 h1 {NOW_S} 7"
    MAC=$(printf %s "$SAID" | openssl dgst -sha256 -hmac "$KEY" | sed 's/.* //')
    printf '%s %s' "$SAID" "$MAC"
    """
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert await Ear().hear(told) == [(H1, True)]
