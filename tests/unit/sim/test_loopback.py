"""Hosts on the loopback, asked by the real probes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address

import anyio
import pytest

from koboshi.adapters.probing import SshProbe
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.names import HostName
from koboshi.sim import loopback
from koboshi.sim.loopback import LoopbackUnfit, listening
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host
from koboshi.sim.samples import host
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio

SOON_S = 3 * loopback.LOOK_S
TIMEOUT = timedelta(seconds=0.4)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Sockets live in real time."""
    return "asyncio"


@asynccontextmanager
async def _two() -> AsyncGenerator[tuple[World, SshProbe, Host]]:
    world = World.around(SimCloud([host(1), host(2)]))
    async with listening(world) as doors:
        await anyio.sleep(SOON_S)
        yield world, SshProbe(port=doors.port, timeout=TIMEOUT), world.host("h1")


async def test_a_host_without_power_is_silent_however_often_it_is_asked_and_no_other_is() -> None:
    async with _two() as (world, probe, one):
        assert await probe.ask(one.address) is ProbeAnswer.USERLAND
        world.physics.cut_power(one.name)
        await anyio.sleep(SOON_S)
        answers = [await probe.ask(one.address) for _ in range(4)]
        assert answers == [ProbeAnswer.SILENT] * 4
        assert await probe.ask(world.host("h2").address) is ProbeAnswer.USERLAND


async def test_a_host_whose_management_network_is_cut_is_silent_and_answers_again_when_it_ends() -> (
    None
):
    async with _two() as (_, probe, one):
        one.link_in = False
        await anyio.sleep(SOON_S)
        assert await probe.ask(one.address) is ProbeAnswer.SILENT
        one.link_in = True
        await anyio.sleep(SOON_S)
        assert await probe.ask(one.address) is ProbeAnswer.USERLAND


async def test_a_hung_host_accepts_and_says_nothing() -> None:
    async with _two() as (_, probe, one):
        one.hung = True
        await anyio.sleep(SOON_S)
        assert await probe.ask(one.address) is ProbeAnswer.KERNEL
        one.hung = False
        await anyio.sleep(SOON_S)
        assert await probe.ask(one.address) is ProbeAnswer.USERLAND


async def test_a_host_whose_nova_compute_died_answers() -> None:
    async with _two() as (world, probe, one):
        world.physics.kill_compute(one.name)
        await anyio.sleep(SOON_S)
        assert await probe.ask(one.address) is ProbeAnswer.USERLAND


async def test_the_worlds_own_prober_knows_who_was_heard_and_who_is_dark() -> None:
    async with _two() as (world, probe, one):
        await probe.ask(one.address)
        world.physics.cut_power(HostName("h2"))
        await anyio.sleep(SOON_S)
        assert set(world.probe.heard) == {"h1"}
        assert set(world.probe.dark_since) == {"h2"}


async def test_nothing_listens_when_it_is_over() -> None:
    async with _two() as (_, probe, one):
        pass
    assert await probe.ask(one.address) is ProbeAnswer.KERNEL  # refused


async def test_a_machine_without_such_addresses_is_told_what_is_missing() -> None:
    with pytest.raises(LoopbackUnfit, match="ifconfig lo0 alias"):
        async with listening(World.around(SimCloud([host(1)])), first=IPv4Address("192.0.2.1")):
            pass
