"""On a socket, too, a broken connection breaks, and a silent one stays open until its client goes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest

from koboshi.domain.names import HostName
from koboshi.sim.bmc import Bmc
from koboshi.sim.http import ADMIN, BMC_USER, PASSWORD, Face, serving
from koboshi.sim.line import Fails
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.world import World
from tests.unit.sim.http.asking import Asker

pytestmark = pytest.mark.anyio
H1 = HostName("h1")
BODY = {"evacuate": {"host": "h2"}}


@pytest.fixture
def anyio_backend() -> str:
    """Live in real time: sockets do not wait in virtual time."""
    return "asyncio"


@asynccontextmanager
async def over_a_socket() -> AsyncGenerator[Asker]:
    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([host(n) for n in range(1, 4)])
        cloud.begin(tasks)
        cloud.add(server("a"))
        face = Face(World.around(cloud))
        async with serving(face) as served, httpx2.AsyncClient(base_url=served.url) as client:
            asker = Asker(face, client)
            await asker.log_in(ADMIN)
            cloud.physics.cut_power(H1)
            cloud.edit("nova-compute@h1", forced_down=True)
            yield asker
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("how", "records"), [(Fails.ANSWER_LOST, 1), (Fails.NEVER_SENT, 0)])
async def test_a_connection_breaks_without_an_answer(how: Fails, records: int) -> None:
    async with over_a_socket() as a:
        a.cloud.line.fail("evacuate", how)
        with pytest.raises(httpx2.RemoteProtocolError):
            await a.act("a", BODY, "2.68")
        assert len(a.cloud.records) == records


async def test_a_silent_bmc_stays_silent_and_hinders_nobody() -> None:
    async with over_a_socket() as a:
        a.world.fences[H1].mode = Bmc.GONE
        with anyio.move_on_after(0.3) as waiting:
            await a.client.get("/redfish/v1/Systems/h1", auth=(BMC_USER, PASSWORD), timeout=None)
        assert waiting.cancelled_caught
        answer = await a.client.get("/redfish/v1/Systems/h2", auth=(BMC_USER, PASSWORD))
        assert answer.json()["PowerState"] == "On"


async def test_the_serving_ends_while_a_request_hangs() -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks, over_a_socket() as a:
            a.world.fences[H1].mode = Bmc.GONE

            async def ask() -> None:
                with pytest.raises(httpx2.HTTPError):
                    await a.client.get(
                        "/redfish/v1/Systems/h1", auth=(BMC_USER, PASSWORD), timeout=None
                    )

            tasks.start_soon(ask)
            await anyio.sleep(0.2)


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with over_a_socket() as a:
        with pytest.raises(OSError, match="in use"):
            async with serving(a.face, port=a.client.base_url.port or 0):
                pass
