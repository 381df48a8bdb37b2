"""Ping, an exporter's page, several questions at once, and where hosts are asked."""

import asyncio
import socket
import struct
from datetime import timedelta
from pathlib import Path

import pytest

from koboshi.adapters.probing import (
    Addresses,
    HttpProbe,
    IcmpProbe,
    SeveralProbes,
    read_inventory,
    why_no_icmp,
)
from koboshi.adapters.probing.icmp import ECHO_REPLY, HEADER
from koboshi.domain.errors import ConfigurationError
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.names import HostName, NetworkName

pytestmark = pytest.mark.anyio

QUICK = timedelta(seconds=0.3)
H1, H2 = HostName("h1"), HostName("h2")
may_ping = pytest.mark.skipif(why_no_icmp() is not None, reason=f"{why_no_icmp()}")


class Says:
    """A prober that finds what it is told, after so many seconds."""

    def __init__(self, name: str, answer: ProbeAnswer, after_s: float = 0.0) -> None:
        self.name = name
        self._answer = answer
        self._after_s = after_s

    async def ask(self, address: str) -> ProbeAnswer:
        assert address
        await asyncio.sleep(self._after_s)
        return self._answer


@may_ping
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.77", "::1"])
async def test_a_ping_is_answered_by_the_kernel(address: str) -> None:
    probe = IcmpProbe(timeout=timedelta(seconds=1))
    assert await probe.ask(address) is ProbeAnswer.KERNEL
    probe.close()


@may_ping
async def test_many_hosts_share_one_socket_and_none_gets_anothers_reply() -> None:
    probe = IcmpProbe(timeout=timedelta(seconds=2))
    living = [probe.ask(f"127.0.1.{n}") for n in range(1, 200)]
    dead = [probe.ask(f"240.0.0.{n}") for n in range(1, 20)]
    answers = await asyncio.gather(*living, *dead)
    probe.close()
    assert set(answers[: len(living)]) == {ProbeAnswer.KERNEL}
    assert ProbeAnswer.KERNEL not in answers[len(living) :]


@may_ping
async def test_a_reply_from_another_address_is_none() -> None:
    """Somebody who forges the right number and identifier, but cannot know the token."""
    try:
        forger = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except PermissionError:
        pytest.skip("needs CAP_NET_RAW to forge a reply")
    probe = IcmpProbe(timeout=QUICK)
    asked = asyncio.ensure_future(probe.ask("240.0.0.1"))
    with forger:
        for _ in range(20):
            await asyncio.sleep(0.01)
            for sequence in range(3):
                forged = HEADER.pack(ECHO_REPLY, 0, 0, 0, sequence) + struct.pack("8s", b"guess")
                forger.sendto(forged, ("127.0.0.1", 0))
    assert await asked is not ProbeAnswer.KERNEL
    probe.close()


async def test_what_is_no_address_is_our_own_trouble() -> None:
    assert await IcmpProbe(timeout=QUICK).ask("compute1") is ProbeAnswer.OWN_TROUBLE


async def page_of(answer: bytes, expect: str = "node_load1") -> ProbeAnswer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for start in range(0, len(answer), 40):
            writer.write(answer[start : start + 40])
            await asyncio.sleep(0)
        if answer:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = int(server.sockets[0].getsockname()[1])
        probe = HttpProbe(port=port, path="/metrics", expect=expect, timeout=QUICK)
        return await probe.ask("127.0.0.1")


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


METRICS = b"# HELP node_load1 1m load average.\nnode_load1 0.21\n"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (http("200 OK", METRICS), ProbeAnswer.USERLAND),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n34\r\n"
            + METRICS
            + b"\n0\r\n\r\n",
            ProbeAnswer.USERLAND,
        ),
        (http("200 OK", b"nothing of it"), ProbeAnswer.KERNEL),
        (http("503 Service Unavailable", METRICS), ProbeAnswer.KERNEL),
        (http("302 Found", METRICS), ProbeAnswer.KERNEL),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", ProbeAnswer.KERNEL),
        (b"", ProbeAnswer.KERNEL),
    ],
)
async def test_only_the_expected_page_is_a_programs_answer(
    answer: bytes, found: ProbeAnswer
) -> None:
    assert await page_of(answer) is found


async def test_a_refused_page_is_the_kernels_answer() -> None:
    probe = HttpProbe(port=1, path="/", expect="x", timeout=QUICK)
    assert await probe.ask("127.0.0.1") is ProbeAnswer.KERNEL


@pytest.mark.parametrize(
    ("answers", "best"),
    [
        ((ProbeAnswer.SILENT, ProbeAnswer.USERLAND), ProbeAnswer.USERLAND),
        ((ProbeAnswer.KERNEL, ProbeAnswer.SILENT), ProbeAnswer.KERNEL),
        ((ProbeAnswer.KERNEL, ProbeAnswer.OWN_TROUBLE), ProbeAnswer.KERNEL),
        ((ProbeAnswer.SILENT, ProbeAnswer.SILENT), ProbeAnswer.SILENT),
        ((ProbeAnswer.SILENT, ProbeAnswer.OWN_TROUBLE), ProbeAnswer.OWN_TROUBLE),
    ],
)
async def test_the_best_answer_wins(answers: tuple[ProbeAnswer, ...], best: ProbeAnswer) -> None:
    probe = SeveralProbes([Says(f"p{n}", a) for n, a in enumerate(answers)])
    assert probe.name == "p0+p1"
    assert await probe.ask("192.0.2.1") is best


async def test_a_programs_answer_ends_the_waiting() -> None:
    slow = Says("slow", ProbeAnswer.SILENT, after_s=30)
    probe = SeveralProbes([slow, Says("ssh:22", ProbeAnswer.USERLAND)])
    async with asyncio.timeout(2):
        assert await probe.ask("192.0.2.1") is ProbeAnswer.USERLAND


def test_an_inventory_holds_a_column_for_each_network(tmp_path: Path) -> None:
    file = tmp_path / "hosts.csv"
    file.write_text(
        "host, rack, management, storage\nh1, r1, 192.0.2.1, 198.51.100.1\nh2, r1, 2001:db8::2,\n"
    )
    assert read_inventory(file, NetworkName("management")) == {H1: "192.0.2.1", H2: "2001:db8::2"}
    assert read_inventory(file, NetworkName("storage")) == {H1: "198.51.100.1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host,storage\nh1,h1.storage.example\n", "line 2"),
        ("host,management\nh1,192.0.2.1\n", "no column 'storage'"),
        ("", "it has: nothing"),
    ],
)
def test_a_wrong_inventory_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "hosts.csv"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_inventory(file, NetworkName("storage"))


async def test_names_are_looked_up_ahead_and_kept() -> None:
    book = Addresses({H2: "192.0.2.2"}, "{host}.invalid")
    await book.refresh([H1, H2])
    assert (book.address_of(H1), book.address_of(H2)) == (None, "192.0.2.2")
    local = Addresses({}, "localhost")
    await local.refresh([H1])
    assert local.address_of(H1) in {"127.0.0.1", "::1"}
