"""What a rack's switch, a crashed kernel, an agent and our own uplink let through."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from koboshi.domain.errors import CloudUnavailable, FenceError
from koboshi.domain.facts.cloud import Power, ProbeAnswer
from koboshi.domain.facts.device import OUTLETS
from koboshi.domain.names import HostName
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.happening import Happenings
from koboshi.sim.network import Network
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.virtual_time import run_virtual
from koboshi.sim.world import World

K = FaultKind
H1, H2 = HostName("h1"), HostName("h2")


class Scene:
    """Four hosts in two racks."""

    def __init__(self, tasks: TaskGroup) -> None:
        cloud = SimCloud([host(n) for n in range(1, 5)])
        for machine in cloud.physics.hosts.values():
            machine.rack = "r1" if machine.name in {"h1", "h2"} else "r2"
        cloud.begin(tasks)
        cloud.add(server("a"))
        self.world = World.around(cloud)
        self.happenings = Happenings(self.world, tasks)
        self.world.agents.begin(tasks)
        self.world.prometheus.begin(tasks)

    def befall(self, kind: FaultKind, **more: Any) -> None:
        self.happenings.begin(Fault(kind=kind, **more))

    async def answer(self, name: str, network: Network = Network.MANAGEMENT) -> ProbeAnswer:
        probe = self.world.probe if network is Network.MANAGEMENT else self.world.further[network]
        return await probe.ask(network.address_of(self.world.host(name)))


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            await act(Scene(tasks))
            tasks.cancel_scope.cancel()

    run_virtual(main)


def test_a_rack_s_switch_silences_its_hosts_on_one_network_only() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.SWITCH_DIES, rack="r1", for_s=20.0)
        silent = [await s.answer(n) for n in ("h1", "h2", "h3")]
        assert silent == [ProbeAnswer.SILENT, ProbeAnswer.SILENT, ProbeAnswer.USERLAND]
        assert await s.answer("h1", Network.STORAGE) is ProbeAnswer.USERLAND
        assert s.world.physics.where(server("a").id) == (H1,)
        await anyio.sleep(30)
        assert await s.answer("h1") is ProbeAnswer.USERLAND

    play(act)


def test_a_rack_without_power_has_no_bmcs_either() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.RACK_LOSES_POWER, rack="r1", for_s=30.0)
        with pytest.raises(FenceError):
            await s.world.fences[H1].power_state()
        assert s.world.physics.where(server("a").id) == ()
        await anyio.sleep(60)
        assert await s.world.fences[H1].power_state() is Power.ON

    play(act)


def test_a_crashed_kernel_answers_nothing_and_says_so() -> None:
    async def act(s: Scene) -> None:
        heard: list[tuple[str, bool]] = []
        s.world.kdump.listen(lambda h, signed: heard.append((h, signed)))
        s.befall(K.KERNEL_CRASHES, host="h1", signed=True, for_s=25.0)
        assert await s.answer("h1") is ProbeAnswer.SILENT
        assert await s.world.fences[H1].power_state() is Power.ON
        assert s.world.physics.where(server("a").id) == ()
        await anyio.sleep(60)
        assert heard == [(H1, True)] * 3
        assert await s.answer("h1") is ProbeAnswer.USERLAND

    play(act)


def test_an_agent_reports_as_long_as_it_lives_and_the_bus_carries_it() -> None:
    async def act(s: Scene) -> None:
        async def reported() -> list[object]:
            await anyio.sleep(31)
            return [a.heartbeat_at for a in await s.world.agents.agents()]

        first = await reported()
        s.befall(K.AGENT_DIES, host="h1")
        second = await reported()
        assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, False, False]
        s.befall(K.BUS_DOWN)
        assert await reported() == await reported()

    play(act)


def test_without_our_uplink_nothing_answers_us_and_the_cloud_lives_on() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.UPLINK_DOWN, for_s=60.0)
        assert await s.answer("h1") is ProbeAnswer.SILENT
        with pytest.raises(CloudUnavailable):
            await s.world.cloud.services()
        with pytest.raises(FenceError):
            await s.world.fences[H1].power_state()
        with pytest.raises(CloudUnavailable):
            await s.world.prometheus.samples()
        assert s.world.cloud.is_up(H1)
        await anyio.sleep(60)
        assert await s.world.cloud.services()

    play(act)


def test_outlets_take_the_bmc_with_them() -> None:
    async def act(s: Scene) -> None:
        pdu = s.world.device(H1, OUTLETS)
        assert await pdu.power_state() is Power.ON
        await pdu.power_off()
        assert await pdu.power_state() is Power.OFF
        with pytest.raises(FenceError):
            await s.world.fences[H1].power_state()
        await pdu.power_on()
        await anyio.sleep(1)
        assert await s.world.fences[H1].power_state() is Power.ON

    play(act)


@pytest.mark.parametrize("mode", [Bmc.WRONG_PASSWORD, Bmc.DIES_WITH_HOST])
def test_a_device_that_cannot_be_asked(mode: Bmc) -> None:
    async def act(s: Scene) -> None:
        s.befall(K.BMC, host="h1", bmc=mode)
        s.befall(K.POWER_LOSS, host="h1")
        with pytest.raises(FenceError):
            await s.world.fences[H1].power_state()

    play(act)


def test_one_feed_of_two_reads_off_and_the_host_runs_on() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.BMC, host="h1", bmc=Bmc.HALF)
        fence = s.world.fences[H1]
        await fence.power_off()
        assert await fence.power_state() is Power.OFF
        assert s.world.host("h1").power
        assert fence.reads[-1].lied

    play(act)


def test_a_device_wired_to_another_host_tells_of_that_host() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.WRONG_MAPPING, host="h1", to="h2")
        s.befall(K.POWER_LOSS, host="h1")
        fence = s.world.fences[H1]
        assert await fence.power_state() is Power.ON
        assert (await fence.identity()).serial == "serial-of-h2"
        await fence.power_off()
        assert not s.world.host("h2").power

    play(act)


def test_a_host_s_heartbeats_come_late() -> None:
    async def act(s: Scene) -> None:
        s.befall(K.SLOW_HEARTBEATS, host="h1", by_s=40.0)
        await anyio.sleep(10)
        seen = [r.updated_at for r in await s.world.cloud.services() if r.host in {H1, H2}]
        await anyio.sleep(20)
        later = [r.updated_at for r in await s.world.cloud.services() if r.host in {H1, H2}]
        assert [a == b for a, b in zip(seen, later, strict=True)] == [True, False]

    play(act)
