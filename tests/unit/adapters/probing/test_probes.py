"""A host answers, refuses, or is silent; our own trouble is none of these."""

import asyncio
import errno
import resource
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import anyio
import pytest

from koboshi.adapters.probing import SshProbe, TcpProbe
from koboshi.adapters.probing.dial import meaning
from koboshi.domain.facts.cloud import ProbeAnswer

pytestmark = pytest.mark.anyio

QUICK = timedelta(seconds=0.3)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    *said: bytes, then: str = "hold", host: str = "127.0.0.1"
) -> AsyncGenerator[int]:
    """Listen, say these pieces one by one, then `hold`, `close` or `reset` the connection."""
    done = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in said:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            if then == "hold":
                await done.wait()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort() if then == "reset" else writer.close()

    server = await asyncio.start_server(serve, host, 0, backlog=512)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
        done.set()


@contextmanager
def deaf() -> Generator[int]:
    """Give a port whose queue of connections is full: it answers nothing, as a dead host."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "said",
    [
        [b"SSH-2.0-OpenSSH_9.2p1\r\n"],
        [b"SS", b"H-2.0-slow\r\n"],
        [b"Welcome to cmp1\r\n", b"SSH-2.0-x\r\n"],
        [b"Exceeded MaxStartups\r\n"],
        [b"Not allowed at this time\r\n"],
    ],
)
async def test_a_greeting_is_a_sign_of_life(said: list[bytes]) -> None:
    async with listening(*said) as port:
        assert await SshProbe(port=port).ask("127.0.0.1") is ProbeAnswer.USERLAND


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ([], "hold"),
        ([], "close"),
        ([], "reset"),
        ([b"HTTP/1.1 400 SSH-2.0\r\n"], "close"),
        ([b"220 mail\r\n"], "hold"),
        ([b"x" * 5000, b"x" * 5000], "hold"),
        ([b"SSH"], "reset"),
    ],
)
async def test_a_connection_without_a_greeting_is_only_the_kernel(
    said: list[bytes], then: str
) -> None:
    async with listening(*said, then=then) as port:
        assert await SshProbe(port=port, timeout=QUICK).ask("127.0.0.1") is ProbeAnswer.KERNEL


async def test_a_refusal_is_the_kernels_answer() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = int(reserved.getsockname()[1])
        for probe in (SshProbe(port=port), TcpProbe(port=port)):
            assert await probe.ask("127.0.0.1") is ProbeAnswer.KERNEL


async def test_tcp_alone_never_proves_a_program() -> None:
    async with listening(b"SSH-2.0-x\r\n") as port:
        assert await TcpProbe(port=port).ask("127.0.0.1") is ProbeAnswer.KERNEL


async def test_no_answer_in_time_is_silence() -> None:
    with deaf() as port:
        for probe in (SshProbe(port=port, timeout=QUICK), TcpProbe(port=port, timeout=QUICK)):
            started = time.monotonic()
            assert await probe.ask("127.0.0.1") is ProbeAnswer.SILENT
            assert 0.25 < time.monotonic() - started < 1


async def test_silence_while_our_own_loop_stood_still_is_our_trouble() -> None:
    answers: list[ProbeAnswer] = []
    with deaf() as port:
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                answers.append(await SshProbe(port=port, timeout=QUICK).ask("127.0.0.1"))

            group.start_soon(ask)
            await anyio.sleep(0.05)
            time.sleep(0.7)  # noqa: ASYNC251 - the loop must stand still here
    assert answers == [ProbeAnswer.OWN_TROUBLE]


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (errno.ECONNREFUSED, ProbeAnswer.KERNEL),
        (errno.ECONNRESET, ProbeAnswer.KERNEL),
        (errno.ETIMEDOUT, ProbeAnswer.SILENT),
        (errno.EHOSTUNREACH, ProbeAnswer.SILENT),
        (errno.EHOSTDOWN, ProbeAnswer.SILENT),
        (errno.ENETUNREACH, ProbeAnswer.OWN_TROUBLE),
        (errno.ENETDOWN, ProbeAnswer.OWN_TROUBLE),
        (errno.EMFILE, ProbeAnswer.OWN_TROUBLE),
        (errno.ENFILE, ProbeAnswer.OWN_TROUBLE),
        (errno.EADDRNOTAVAIL, ProbeAnswer.OWN_TROUBLE),
        (errno.EPERM, ProbeAnswer.OWN_TROUBLE),
        (errno.EACCES, ProbeAnswer.OWN_TROUBLE),
        (errno.ENOBUFS, ProbeAnswer.OWN_TROUBLE),
        (None, ProbeAnswer.OWN_TROUBLE),
    ],
)
def test_each_error_number_has_its_meaning(number: int | None, answer: ProbeAnswer) -> None:
    error = OSError() if number is None else OSError(number, "x")
    assert meaning(error) is answer


@pytest.mark.parametrize(
    "address", ["cmp1.example", "", "300.1.2.3", "255.255.255.255", "x" * 300, "a\0b"]
)
async def test_an_address_that_cannot_be_asked_is_our_trouble(address: str) -> None:
    assert await SshProbe(timeout=QUICK).ask(address) is ProbeAnswer.OWN_TROUBLE


async def test_without_free_sockets_it_is_our_trouble() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening(b"SSH-2.0-x\r\n") as port:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            answer = await SshProbe(port=port, timeout=QUICK).ask("127.0.0.1")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer is ProbeAnswer.OWN_TROUBLE


async def test_ipv6_is_asked_as_well() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6; enable it to run this test")
    try:
        async with listening(b"SSH-2.0-x\r\n", host="::1") as port:
            assert await SshProbe(port=port).ask("::1") is ProbeAnswer.USERLAND
    except OSError as error:
        pytest.skip(f"no IPv6 loopback ({error}); enable IPv6 to run this test")


async def test_hundreds_of_hosts_are_asked_side_by_side() -> None:
    hosts = 200
    connected = 0
    all_are_there = asyncio.Event()

    async def greet_when_all_are_there(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal connected
        connected += 1
        if connected == hosts:
            all_are_there.set()
        await all_are_there.wait()
        writer.write(b"SSH-2.0-x\r\n")
        writer.close()

    answers: list[ProbeAnswer] = []
    server = await asyncio.start_server(greet_when_all_are_there, "127.0.0.1", 0, backlog=512)
    async with server:
        probe = SshProbe(
            port=int(server.sockets[0].getsockname()[1]), timeout=timedelta(seconds=60)
        )

        async def ask() -> None:
            answers.append(await probe.ask("127.0.0.1"))

        async with anyio.create_task_group() as group:
            for _ in range(hosts):
                group.start_soon(ask)
    assert answers == [ProbeAnswer.USERLAND] * hosts
