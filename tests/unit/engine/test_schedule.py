"""Things to do again and again: each at its own pace, never twice at once."""

from datetime import timedelta

import anyio
import pytest

from koboshi.engine.schedule import Order, Schedule
from koboshi.sim.virtual_time import VirtualClock

pytestmark = pytest.mark.anyio


class Work:
    """Something that takes a while."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.began: list[float] = []
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self) -> None:
        self.began.append(anyio.current_time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.sleep(self.takes_s)
        self.at_once -= 1


async def turn(for_s: float, *orders: Order) -> None:
    """Ask for the orders five times a second, as the loop does."""
    async with anyio.create_task_group() as tasks:
        schedule = Schedule(VirtualClock(), tasks)
        for _ in range(int(for_s * 5)):
            schedule.start_due(orders)
            await anyio.sleep(0.2)
        tasks.cancel_scope.cancel()


async def test_the_pause_is_counted_from_the_end_of_the_last_work() -> None:
    work = Work(takes_s=1.0)
    await turn(20.0, Order(key="x", every=timedelta(seconds=2), work=work))
    gaps = [b - a for a, b in zip(work.began, work.began[1:], strict=False)]
    assert len(gaps) >= 5
    assert all(2.99 <= gap <= 3.41 for gap in gaps), gaps


async def test_slow_work_is_never_done_twice_at_once() -> None:
    work = Work(takes_s=5.0)
    await turn(20.0, Order(key="x", every=timedelta(seconds=0.2), work=work))
    assert work.most_at_once == 1
    assert len(work.began) >= 3


async def test_one_that_is_slow_delays_no_other() -> None:
    slow, quick = Work(takes_s=100.0), Work(takes_s=0.0)
    orders = (
        Order(key="slow", every=timedelta(seconds=1), work=slow),
        Order(key="quick", every=timedelta(seconds=1), work=quick),
    )
    await turn(10.0, *orders)
    assert len(quick.began) >= 8


async def test_what_is_wanted_anew_is_done_at_once() -> None:
    work = Work(takes_s=0.0)
    order = Order(key="x", every=timedelta(minutes=10), work=work)
    async with anyio.create_task_group() as tasks:
        schedule = Schedule(VirtualClock(), tasks)
        schedule.start_due([order])
        await anyio.sleep(1)
        schedule.start_due([])
        schedule.start_due([order])
        await anyio.sleep(1)
    assert len(work.began) == 2
