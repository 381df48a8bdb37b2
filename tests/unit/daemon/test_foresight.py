"""The daemon's look ahead: when it reads the cloud, what it does without an answer, and when it stops."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from koboshi.adapters.clock import SystemClock
from koboshi.daemon import foresight
from koboshi.daemon.foresight import FIRST_AFTER, LOOK_AGAIN, Foresight
from koboshi.domain.errors import CloudUnavailable
from koboshi.domain.facts.cloud import Hypervisor
from koboshi.domain.facts.outlook import Outlook
from koboshi.domain.facts.stock import Stock
from koboshi.domain.names import HostName
from koboshi.engine.whiteboard import Whiteboard
from koboshi.settings import Settings
from koboshi.sim.samples import server
from tests.fakes.scene import ago, sweep
from tests.unit.domain.forecasting.test_survival import big, cloud

pytestmark = pytest.mark.anyio


class Enough(Exception):
    """Ends the loop of a test."""


class Turns(SystemClock):
    """Sleeps not at all, writes down how long it should have, and ends after so many rests."""

    def __init__(self, rests: int) -> None:
        super().__init__()
        self.slept: list[timedelta] = []
        self._rests = rests

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        await anyio.lowlevel.checkpoint()
        if sum(s >= timedelta(seconds=30) for s in self.slept) > self._rests:
            raise Enough


def nothing_wrong() -> str | None:
    return None


async def look(
    *answers: Stock | Exception,
    board: Whiteboard | None = None,
    why_not_now: Callable[[], str | None] = nothing_wrong,
    rests: int | None = None,
) -> tuple[Whiteboard, Turns]:
    """Run as many looks as there are answers; return what was noted, and how long it rested."""
    left = list(answers)
    clock = Turns(len(answers) if rests is None else rests)
    board = board or Whiteboard(clock.now(), fenced=frozenset())

    async def take() -> Stock:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ahead = Foresight(
        settings=Settings(), board=board, clock=clock, why_not_now=why_not_now, take=take
    )
    with pytest.raises(Enough):
        await ahead.run()
    return board, clock


def stock(*names: str, ram_mb: int = 100) -> Stock:
    """Return a cloud of three hosts with servers on the first, which may be too large."""
    rows = tuple(
        Hypervisor(id=h, host=HostName(h), hypervisor_hostname=h, type="QEMU")
        for h in ("h1", "h2", "h3")
    )
    return cloud([big(name, "h1", ram_mb) for name in names], hypervisors=rows).stock


def told(board: Whiteboard) -> Outlook:
    outlook = board.world.outlook
    assert outlook is not None
    return outlook


async def test_it_rests_before_the_first_look_and_between_two() -> None:
    board, clock = await look(stock("a"), stock("a"))
    rests = [s for s in clock.slept if s >= timedelta(seconds=30)]
    assert rests == [FIRST_AFTER, timedelta(minutes=15), timedelta(minutes=15)]
    assert (told(board).hosts, told(board).short, told(board).trouble) == (1, (), "")


async def test_what_finds_no_place_is_noted() -> None:
    board, _clock = await look(stock("a", ram_mb=9000))
    assert [s.hosts for s in told(board).short] == [("h1",)]


async def test_an_answer_that_does_not_come_leaves_what_was_known_and_says_so() -> None:
    board, _clock = await look(stock("a", ram_mb=9000), CloudUnavailable("no route"))
    assert "no route" in told(board).trouble
    assert [s.hosts for s in told(board).short] == [("h1",)]


async def test_without_an_answer_ever_only_the_trouble_is_known() -> None:
    board, _clock = await look(CloudUnavailable("no route"))
    assert told(board).hosts == 0


async def test_a_bug_in_it_ends_neither_the_daemon_nor_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crashes(*_: object) -> None:
        raise KeyError("h9")

    with monkeypatch.context() as broken:
        broken.setattr(foresight, "survey", crashes)
        board, _clock = await look(stock("a"))
    assert "looking ahead failed" in told(board).trouble
    board, _clock = await look(stock("a"), board=board)
    assert (told(board).hosts, told(board).trouble) == (1, "")


async def test_while_something_is_wrong_the_cloud_is_not_asked() -> None:
    board, clock = await look(why_not_now=lambda: "h1 is fencing", rests=3)
    assert board.world.outlook is None
    assert clock.slept == [FIRST_AFTER, LOOK_AGAIN, LOOK_AGAIN, LOOK_AGAIN]


async def test_a_look_during_which_something_goes_wrong_is_dropped() -> None:
    words = iter([None, "h1 is fencing", "h1 is fencing"])
    board, _clock = await look(stock("a"), why_not_now=lambda: next(words), rests=1)
    assert board.world.outlook is None


async def test_a_very_large_cloud_is_not_held_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresight, "MOST_SERVERS", 1)
    board = Whiteboard(ago(60), fenced=frozenset())
    board.world = replace(board.world, sweep=sweep(server("a"), server("b")))
    await look(board=board, rests=1)
    assert "ask koboshi forecast" in told(board).trouble
