"""Waiting without asking again and again: a change wakes whoever waits, and nothing else does."""

import anyio
import pytest

from koboshi.sim.samples import host
from koboshi.sim.watched import Signal

pytestmark = pytest.mark.anyio


async def test_a_change_wakes_whoever_waits_for_it() -> None:
    signal, machine, woken = Signal(), host(1), anyio.Event()
    machine.signal = signal
    asked = 0

    def hangs() -> bool:
        nonlocal asked
        asked += 1
        return machine.hung

    async def wait() -> None:
        await signal.until(hangs)
        woken.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(1000)
        assert asked == 1
        machine.spawn_s = 3.0
        await anyio.sleep(1)
        assert asked == 2
        machine.hung = True
        await anyio.sleep(1)
        assert woken.is_set()


async def test_what_is_so_already_is_not_waited_for() -> None:
    began_s = anyio.current_time()
    await Signal().until(lambda: True)
    assert anyio.current_time() == began_s


def test_without_anybody_who_waits_nothing_is_needed() -> None:
    host(1).hung = True
