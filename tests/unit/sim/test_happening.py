"""Faults befall the world and end again; those that meet do not end one another."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from koboshi.domain.errors import CloudUnavailable
from koboshi.domain.facts.cloud import ProbeAnswer, Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import FaultKind, fault_from
from koboshi.sim.happening import Happenings
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio

H1 = HostName("h1")
A = ServerId("a")


@asynccontextmanager
async def world(
    servers: Sequence[Server] = (server("a"),), hosts: int = 3
) -> AsyncGenerator[tuple[World, Happenings]]:
    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([host(n) for n in range(1, hosts + 1)])
        cloud.begin(tasks)
        for row in servers:
            cloud.add(row)
        around = World.around(cloud)
        yield around, Happenings(around, tasks)
        tasks.cancel_scope.cancel()


async def test_a_lasting_fault_ends_by_itself() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "hang", "host": "h1", "for_s": 30}))
        assert w.host("h1").hung
        assert [f.kind for f in befall.lasting] == [FaultKind.HANG]
        await anyio.sleep(31)
        assert not w.host("h1").hung
        assert befall.lasting == ()


async def test_faults_that_meet_do_not_end_one_another() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "bmc", "host": "h1", "bmc": "gone", "for_s": 60}))
        befall.begin(fault_from({"kind": "bmc", "host": "h1", "bmc": "refuse", "for_s": 10}))
        assert w.fences[H1].mode is Bmc.REFUSE
        await anyio.sleep(11)
        assert w.fences[H1].mode is Bmc.GONE
        await anyio.sleep(50)
        assert w.fences[H1].mode is Bmc.NORMAL


async def test_calm_ends_the_faults_of_one_host_or_all() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "cut", "host": "h1"}))
        befall.begin(fault_from({"kind": "hang", "host": "h2"}))
        befall.begin(fault_from({"kind": "calm", "host": "h2"}))
        assert not w.host("h2").hung
        assert not w.host("h1").reports
        befall.begin(fault_from({"kind": "calm"}))
        assert w.host("h1").reports


async def test_one_way_cut_leaves_the_other_way() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "cut", "host": "h1", "way": "in"}))
        befall.begin(fault_from({"kind": "cut", "host": "h2", "way": "out"}))
        assert w.host("h1").reports
        assert await w.probe.ask(w.host("h1").address) is ProbeAnswer.SILENT
        assert not w.host("h2").reports
        assert await w.probe.ask(w.host("h2").address) is ProbeAnswer.USERLAND


async def test_power_that_comes_back_boots_the_host() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "power_loss", "host": "h1", "for_s": 60}))
        assert w.physics.where(A) == ()
        await anyio.sleep(61 + w.host("h1").boot_s)
        assert w.host("h1").works


async def test_an_operator_may_be_refused() -> None:
    async with world() as (_, befall):
        befall.begin(fault_from({"kind": "operator_evacuates", "server": "a", "to": "h2"}))
        assert "still in use" in befall.happened[0].refused


async def test_api_faults_end() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "api_fails", "call": "server", "for_s": 5}))
        with pytest.raises(CloudUnavailable):
            await w.cloud.server(A)
        await anyio.sleep(6)
        assert await w.cloud.server(A) is not None


async def test_a_stale_read_answers_as_at_its_beginning() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "stale", "call": "server", "for_s": 60}))
        first = await w.cloud.server(A)
        w.cloud.change(A, name="renamed")
        assert await w.cloud.server(A) == first
        await anyio.sleep(61)
        assert await w.cloud.server(A) != first


async def test_a_dead_cell_reads_unknown_and_its_servers_vanish() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "cell_down", "for_s": 60}))
        rows = [r for r in await w.cloud.services() if r.binary == "nova-compute"]
        assert {r.up for r in rows} == {None}
        assert {r.id for r in rows} == {None}
        assert await w.cloud.servers() == ()


async def test_an_outage_of_the_database_stops_heartbeats_and_answers() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "database_down", "for_s": 120}))
        with pytest.raises(CloudUnavailable):
            await w.cloud.services()
        await anyio.sleep(90)
        assert not w.cloud.is_up(H1)
        await anyio.sleep(60)
        assert w.cloud.is_up(H1)


async def test_a_conductor_whose_clock_is_far_off_makes_every_host_down() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "clock_skew", "by_s": 300}))
        await anyio.sleep(30)
        assert not w.cloud.is_up(H1)


async def test_without_a_scheduler_the_record_stays_accepted() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "power_loss", "host": "h1"}))
        befall.begin(fault_from({"kind": "operator_forces_down", "host": "h1"}))
        befall.begin(fault_from({"kind": "scheduler_dies"}))
        befall.begin(fault_from({"kind": "operator_evacuates", "server": "a"}))
        await anyio.sleep(300)
        assert [r.status for r in w.cloud.records_of(A)] == ["accepted"]
        assert w.cloud.servers_by_id[A].status == "REBUILD"


async def test_a_server_is_live_migrated_and_runs_once() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "operator_migrates", "server": "a", "to": "h2"}))
        await anyio.sleep(30)
        assert w.physics.where(A) == ("h2",)
        assert [r.status for r in w.cloud.records_of(A)] == ["completed"]


async def test_a_killed_guest_reads_shutoff_after_a_while() -> None:
    async with world() as (w, befall):
        befall.begin(fault_from({"kind": "guest_dies", "server": "a"}))
        await anyio.sleep(10)
        assert w.cloud.servers_by_id[A].status == "ACTIVE"
        await anyio.sleep(10)
        assert w.cloud.servers_by_id[A].status == "SHUTOFF"
