"""Carried in memory, requests and keystoneauth1 meet what they meet on a network, without a thread."""

import threading
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from koboshi.adapters.fencing.redfish import BmcAccess, RedfishFence
from koboshi.adapters.openstack import Carrier, CloudAccess, connect
from koboshi.domain.errors import CloudUnavailable, FenceError, NotAuthorised
from koboshi.domain.names import HostName
from koboshi.sim.bmc import Bmc
from koboshi.sim.http import ADMIN, BMC_USER, PASSWORD, Served
from koboshi.sim.http.memory import URL, KeystoneInMemory, MemoryTransport
from koboshi.sim.virtual_time import VirtualClock
from tests.unit.sim.http.asking import Asker, asked

pytestmark = pytest.mark.anyio


def access(folder: Path) -> CloudAccess:
    path = folder / "clouds.yaml"
    path.write_text(Served(url=URL).clouds_yaml("sim", ADMIN))
    return CloudAccess(name="sim", config_file=path)


def carrier(a: Asker) -> Carrier:
    keystone = KeystoneInMemory(a.face)
    return Carrier(run=keystone.run, session=keystone.session)


async def test_no_thread_is_begun_and_no_time_passes_but_the_lines(tmp_path: Path) -> None:
    async with asked() as a:
        transport = MemoryTransport(a.face, a.cloud.tasks)
        threads, began = threading.active_count(), anyio.current_time()
        async with connect(
            access(tmp_path), clock=VirtualClock(), transport=transport, keystone=carrier(a)
        ) as cloud:
            assert len(await cloud.services()) == 5
        assert threading.active_count() == threads
        assert anyio.current_time() - began == pytest.approx(2 * a.cloud.line.latency_s)


async def test_a_wrong_password_and_a_keystone_that_fails_are_told_apart(tmp_path: Path) -> None:
    async with asked() as a:
        transport = MemoryTransport(a.face, a.cloud.tasks)
        async with connect(
            access(tmp_path), clock=VirtualClock(), transport=transport, keystone=carrier(a)
        ) as cloud:
            a.cloud.line.fail("token", times=1)
            with pytest.raises(CloudUnavailable):
                await cloud.grant()
            a.face.keystone.refuses = True
            with pytest.raises(NotAuthorised, match="refuses the credentials"):
                await cloud.grant()


async def test_a_bmc_that_is_gone_takes_the_fence_calls_whole_ten_seconds() -> None:
    async with asked() as a:
        a.world.fences[HostName("h1")].mode = Bmc.GONE
        bmc = BmcAccess(
            host="h1",
            url=URL,
            username=BMC_USER,
            password=SecretStr(PASSWORD),
            system_id="h1",
            verify_tls=False,
        )
        transport = MemoryTransport(a.face, a.cloud.tasks)
        async with RedfishFence(bmc, transport=transport) as fence:
            began = anyio.current_time()
            with pytest.raises(FenceError, match="within 10 s"):
                await fence.power_off()
            assert anyio.current_time() - began == pytest.approx(10)
