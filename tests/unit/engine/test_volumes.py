"""Reading the volumes of stranded servers: few by id, many by the pages; and what a failure leaves behind."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import anyio
import pytest

from koboshi.domain.errors import CloudError, CloudUnavailable
from koboshi.domain.facts.stock import Volume
from koboshi.domain.facts.world import VolumeRead
from koboshi.domain.interest import Interest
from koboshi.engine.pace import MANY_VOLUMES, Pace
from koboshi.engine.volumes import Volumes
from koboshi.engine.whiteboard import Whiteboard
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host
from koboshi.sim.virtual_time import VirtualClock
from tests.fakes.scene import at

pytestmark = pytest.mark.anyio

MANY = frozenset(f"v{n}" for n in range(MANY_VOLUMES + 1))
T = TypeVar("T")


class Cinder(SimCloud):
    """Tells of every volume but `gone`, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__([host(1)])
        self.asked: list[str] = []
        self.fails = False

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.fails:
            raise CloudUnavailable("503")

    async def volume(self, volume: str) -> Volume | None:
        self._answer(volume)
        return None if volume == "gone" else Volume(id=volume)

    async def volumes(self) -> Mapping[str, Volume]:
        self._answer("all")
        return {v: Volume(id=v) for v in MANY - {"v0"}}


class Desk:
    """The reads, on a board, by a clock that stands still."""

    def __init__(self) -> None:
        self.cinder = Cinder()
        self.board = Whiteboard(at(0), frozenset())
        self.volumes = Volumes(
            board=self.board,
            clock=VirtualClock(),
            cloud=self.cinder,
            pace=Pace(),
            ask=_ask,
            limit=anyio.CapacityLimiter(4),
        )

    async def read(self, *wanted: str) -> None:
        for order in list(self.volumes.orders(Interest(volumes=frozenset(wanted)))):
            await order.work()

    @property
    def told(self) -> Mapping[str, VolumeRead]:
        return self.board.world.volumes


async def _ask(what: str, question: Callable[[], Awaitable[T]]) -> T | None:
    del what
    try:
        return await question()
    except CloudError:
        return None


async def test_a_few_are_read_by_id() -> None:
    desk = Desk()
    await desk.read("v1", "gone")
    assert sorted(desk.cinder.asked) == ["gone", "v1"]
    assert desk.told == {"v1": VolumeRead(volume=Volume(id="v1")), "gone": VolumeRead()}
    assert all(read.is_told for read in desk.told.values())


async def test_many_are_read_by_the_pages_of_all() -> None:
    desk = Desk()
    await desk.read(*MANY)
    assert desk.cinder.asked == ["all"]
    assert desk.told.keys() == MANY
    assert desk.told["v0"] == VolumeRead(), "one that is not listed is none"


async def test_many_that_are_known_are_not_read_again_and_a_few_calmly() -> None:
    desk = Desk()
    await desk.read(*MANY)
    assert list(desk.volumes.orders(Interest(volumes=MANY))) == []
    few = Interest(volumes=frozenset({"v1"}))
    assert [o.every for o in desk.volumes.orders(few)] == [Pace().backends]


@pytest.mark.parametrize("wanted", [frozenset({"v1"}), MANY])
async def test_a_failure_is_remembered_from_the_first_on_and_ends_with_an_answer(
    wanted: frozenset[str],
) -> None:
    desk = Desk()
    desk.cinder.fails = True
    await desk.read(*wanted)
    first = desk.told["v1"].failing_since
    assert first is not None
    assert not desk.told["v1"].is_told
    earlier = VolumeRead(failing_since=at(1))
    desk.board.world = replace(desk.board.world, volumes=dict.fromkeys(wanted, earlier))
    await desk.read(*wanted)
    assert desk.told["v1"] == earlier
    desk.cinder.fails = False
    await desk.read(*wanted)
    assert desk.told["v1"] == VolumeRead(volume=Volume(id="v1"))


async def test_what_was_told_before_outlives_a_failure() -> None:
    desk = Desk()
    await desk.read("v1")
    desk.cinder.fails = True
    await desk.read("v1")
    assert desk.told["v1"] == VolumeRead(volume=Volume(id="v1"))
