"""Served on a port, the simulated cloud passes for a real one with the real adapters."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from koboshi.adapters.clock import SystemClock
from koboshi.adapters.fencing.redfish import BmcAccess, RedfishFence
from koboshi.adapters.openstack import CloudAccess, OpenStackCloud, connect, survey
from koboshi.domain.facts.cloud import Power
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import BMC_USER, PASSWORD, READER, Face, Served, serving
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, image_server, server
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Live in real time: sockets do not wait in virtual time."""
    return "asyncio"


@asynccontextmanager
async def served_cloud() -> AsyncGenerator[tuple[World, Served]]:
    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([host(n) for n in range(1, 4)])
        cloud.begin(tasks)
        cloud.add(server("web", "h1"))
        cloud.add(image_server("build", "h2"))
        world = World.around(cloud)
        async with serving(Face(world)) as served:
            yield world, served
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(served: Served, folder: Path, yaml: str) -> AsyncGenerator[OpenStackCloud]:
    path = folder / "clouds.yaml"
    path.write_text(yaml)
    access = CloudAccess(name="sim", config_file=path)
    async with connect(access, clock=SystemClock()) as cloud:
        yield cloud


async def until_moved(cloud: OpenStackCloud) -> None:
    for _ in range(100):
        if [m for m in await cloud.migrations() if m.status == "done"]:
            return
        await anyio.sleep(0.1)
    pytest.fail("no record is done")


async def test_koboshis_own_survey_finds_nothing_missing(tmp_path: Path) -> None:
    async with (
        served_cloud() as (_, served),
        connected(served, tmp_path, served.clouds_yaml("sim")) as cloud,
    ):
        found = await survey(cloud)
    assert [f.name for f in found if not f.ok] == []
    assert len(found) == 14


async def test_who_may_only_read_is_refused_in_novas_words(tmp_path: Path) -> None:
    async with (
        served_cloud() as (_, served),
        connected(served, tmp_path, served.clouds_yaml("sim", READER)) as cloud,
    ):
        found = {f.name: f for f in await survey(cloud)}
    assert found["read services"].ok is False
    assert "Policy doesn't allow os_compute_api:os-services:list" in found["read services"].detail


async def test_a_host_is_fenced_isolated_and_its_server_evacuated(tmp_path: Path) -> None:
    async with (
        served_cloud() as (world, served),
        connected(served, tmp_path, served.clouds_yaml("sim")) as cloud,
    ):
        bmc = BmcAccess(
            host="h1",
            url=served.url,
            username=BMC_USER,
            password=SecretStr(PASSWORD),
            system_id="h1",
            verify_tls=False,
        )
        async with RedfishFence(bmc) as fence:
            assert await fence.power_state() is Power.ON
            await fence.power_off()
            assert await fence.power_state() is Power.OFF
        row = next(s for s in await cloud.services() if s.host == "h1")
        assert row.id is not None
        await cloud.isolate(row.id, "koboshi:test:1")
        world.cloud.physics.hosts[HostName("h3")].spawn_s = 0.1
        await cloud.evacuate(ServerId("web"), HostName("h3"))
        await until_moved(cloud)
        found = await cloud.server(ServerId("web"))
    assert found is not None
    assert (found.host, found.status, found.task_state) == ("h3", "ACTIVE", None)
    assert world.physics.where(ServerId("web")) == ("h3",)
