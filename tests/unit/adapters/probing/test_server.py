"""Asking a server: an accepted connection, a page; a refusal is a kernel's, and no program's."""

from datetime import timedelta

import pytest

from koboshi.adapters.probing import ServerProber
from koboshi.domain.alone.checks import Target
from koboshi.domain.facts.cloud import ProbeAnswer
from tests.unit.adapters.loopback import LoopbackServer, Reply

pytestmark = pytest.mark.anyio
PROBER = ServerProber(timeout=timedelta(seconds=0.5))


def target(server: LoopbackServer, kind: str) -> Target:
    port = int(server.url.rpartition(":")[2].strip("/"))
    return Target(kind=kind, address="127.0.0.1", port=port, path="/healthz")


@pytest.mark.parametrize(
    ("kind", "status", "answer"),
    [
        ("tcp", 500, ProbeAnswer.USERLAND),
        ("http", 200, ProbeAnswer.USERLAND),
        ("http", 503, ProbeAnswer.KERNEL),
    ],
)
async def test_what_answers_is_well(kind: str, status: int, answer: ProbeAnswer) -> None:
    async with LoopbackServer(lambda _seen: Reply(status=status, body={"ok": 1})) as server:
        assert await PROBER.ask(target(server, kind)) is answer


@pytest.mark.parametrize("kind", ["tcp", "http"])
async def test_a_refusal_is_no_programs_answer(kind: str) -> None:
    async with LoopbackServer(lambda _seen: Reply(body={})) as server:
        gone = target(server, kind)
    assert await PROBER.ask(gone) is ProbeAnswer.KERNEL


async def test_what_hangs_does_not_answer() -> None:
    async with LoopbackServer(lambda _seen: "hang") as server:
        assert await PROBER.ask(target(server, "http")) in {ProbeAnswer.KERNEL, ProbeAnswer.SILENT}
