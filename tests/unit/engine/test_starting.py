"""A server is started or rebooted only where Nova has it, when nobody moves it, and nothing of it runs."""

from typing import Any

import anyio
import pytest

from koboshi.domain.alone.stops import StopCause, StoppedServer, StopState
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.memory.commands import Command, Outcome, RebootServer, StartServer
from koboshi.domain.memory.events import CommandEnded, HealthLost, StopsSeen
from koboshi.domain.names import CommandId, HostName, ServerId
from koboshi.domain.rules import Mode, Rules
from koboshi.engine.execute import Executor
from koboshi.engine.memory import Memory
from koboshi.engine.whiteboard import Whiteboard
from koboshi.sim.journal import Disk, MemoryJournal
from koboshi.sim.line import Fails
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.virtual_time import VirtualClock
from tests.fakes.scene import H1

pytestmark = pytest.mark.anyio
A = ServerId("a")


def start(on: HostName = H1) -> StartServer:
    return StartServer(id=CommandId("s"), server=A, host=on, why="test")


def reboot(*, guest_may_run: bool = False) -> RebootServer:
    return RebootServer(
        id=CommandId("r"), server=A, host=H1, why="test", guest_may_run=guest_may_run
    )


async def carry_out(
    command: Command,
    *,
    runs: bool = False,
    check: ProbeAnswer = ProbeAnswer.SILENT,
    answer: Fails | None = None,
    **row: Any,
) -> tuple[list[str], CommandEnded]:
    """Carry a command out on a host that lives; returns what was sent, and what was journalled."""
    disk, clock = Disk(), VirtualClock()
    cloud = SimCloud([host(n) for n in range(1, 4)])
    async with anyio.create_task_group() as tasks:
        cloud.begin(tasks)
        cloud.add(server("a"))
        if not runs:
            cloud.physics.stop_guest(A, H1)
        cloud.act(A, "stop", None)
        cloud.change(A, **row)
        if answer:
            cloud.line.fail("start", answer)
        memory = Memory(MemoryJournal(disk), clock)
        stop = StopsSeen(
            host=H1,
            cause=StopCause.REBOOT,
            to=StopState.DUE,
            reason="test",
            servers=(StoppedServer(id=A, name="a"),),
        )
        lost = HealthLost(server=A, name="a", host=H1, reason="test")
        meant = (stop,) if isinstance(command, StartServer) else (lost,)
        async with memory.lock:
            assert await memory.remember(meant, (command,))
        board = Whiteboard(clock.now(), frozenset())
        board.see_services(cloud.rows(), clock.now(), clock.now())
        for answer_of_a in (ProbeAnswer.USERLAND, check):
            board.see_checks({A: answer_of_a}, clock.now())
        executor = Executor(
            memory=memory,
            board=board,
            clock=clock,
            cloud=cloud,
            fences={},
            rules=Rules(mode=Mode.ACT),
        )
        await executor.execute(command)
        tasks.cancel_scope.cancel()
    ended = disk.recorded[-1].event
    assert isinstance(ended, CommandEnded)
    return [s.call for s in cloud.line.sent], ended


async def test_a_stopped_server_is_started() -> None:
    sent, ended = await carry_out(start(), vm_state="stopped")
    assert (sent, ended.outcome) == (["start"], Outcome.DONE)


async def test_an_active_server_without_a_guest_is_rebooted() -> None:
    sent, ended = await carry_out(reboot(), vm_state="active")
    assert (sent, ended.outcome) == (["reboot_hard"], Outcome.DONE)


async def test_a_guest_that_runs_is_rebooted_only_by_policy() -> None:
    sent, ended = await carry_out(reboot(), runs=True)
    assert (sent, ended.outcome) == ([], Outcome.REFUSED)
    assert "its guest may run" in ended.detail
    sent, ended = await carry_out(reboot(guest_may_run=True), runs=True)
    assert (sent, ended.outcome) == (["reboot_hard"], Outcome.DONE)


async def test_a_server_whose_check_answers_again_is_not_rebooted() -> None:
    command = reboot(guest_may_run=True)
    sent, ended = await carry_out(command, runs=True, check=ProbeAnswer.USERLAND)
    assert (sent, ended.outcome) == ([], Outcome.REFUSED)
    assert "its check does not fail any more" in ended.detail


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"vm_state": "active"}, "it is active, not stopped"),
        ({"vm_state": "stopped", "task_state": "rebuilding"}, "somebody works on it"),
        ({"vm_state": "stopped", "host": "h2"}, "it is on h2 now"),
    ],
)
async def test_nothing_is_started_that_may_run_or_move(row: dict[str, Any], why: str) -> None:
    sent, ended = await carry_out(start(), **row)
    assert (sent, ended.outcome) == ([], Outcome.REFUSED)
    assert why in ended.detail


async def test_a_lost_answer_is_unresolved_and_a_refusal_is_one() -> None:
    _, ended = await carry_out(start(), vm_state="stopped", answer=Fails.ANSWER_LOST)
    assert ended.outcome is Outcome.UNRESOLVED
    _, ended = await carry_out(start(), vm_state="stopped", answer=Fails.REFUSED)
    assert ended.outcome is Outcome.REFUSED
