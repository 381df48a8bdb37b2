"""OpenStack's own SDK, which its command line is made of, takes the served cloud for a real one."""

from collections.abc import Callable
from typing import Any, cast

import anyio
import anyio.to_thread
import openstack
import pytest

from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import ADMIN, Face, serving
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, image_server, server
from koboshi.sim.world import World

# The SDK warns of its own future.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::Warning:openstack.*")]


@pytest.fixture
def anyio_backend() -> str:
    """Live in real time: the SDK waits for sockets, in a thread."""
    return "asyncio"


async def with_sdk(use: Callable[[Any], Any]) -> tuple[World, Any]:
    """Return what a function gets from the SDK's connection to a served cloud, and its world."""
    found: Any = None
    cloud = SimCloud([host(n) for n in range(1, 4)])
    world = World.around(cloud)
    async with anyio.create_task_group() as tasks:
        cloud.begin(tasks)
        cloud.add(server("web", "h1"))
        cloud.add(image_server("build", "h2"))
        async with serving(Face(world)) as served:
            found = await anyio.to_thread.run_sync(_connected, served.auth_url, use)
        tasks.cancel_scope.cancel()
    return world, found


def _connected(auth_url: str, use: Callable[[Any], Any]) -> Any:
    connection = cast("Any", openstack).connection.Connection(
        auth={
            "auth_url": auth_url,
            "username": ADMIN.name,
            "password": ADMIN.password,
            "project_name": ADMIN.project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        region_name="RegionOne",
    )
    try:
        return use(connection)
    finally:
        connection.close()


async def test_it_reads_every_service() -> None:
    def use(c: Any) -> dict[str, list[str]]:
        return {
            "servers": [s.name for s in c.compute.servers(all_projects=True)],
            "services": [s.host for s in c.compute.services()],
            "hypervisors": [h.name for h in c.compute.hypervisors(details=True)],
            "flavors": [f.name for f in c.compute.flavors()],
            "images": [i.name for i in c.image.images()],
            "agents": [a.host for a in c.network.agents()],
            "volumes": [v.id for v in c.block_storage.volumes(all_projects=True)],
            "projects": [p.name for p in c.identity.projects()],
        }

    _, found = await with_sdk(use)
    assert found == {
        "servers": ["build", "web"],
        "services": ["h1", "h2", "h3", "ctl1", "ctl1"],
        "hypervisors": ["h1", "h2", "h3"],
        "flavors": ["small"],
        "images": ["image-1"],
        "agents": ["h1", "h2", "h3"],
        "volumes": ["vol-web"],
        "projects": ["admin", "ops", "demo"],
    }


async def test_an_operator_evacuates_a_server_by_hand() -> None:
    def use(c: Any) -> list[str]:
        c.compute.update_service_forced_down(
            next(s for s in c.compute.services() if s.host == "h1"), forced=True
        )
        c.compute.evacuate_server("web", host="h3")
        return [m.status for m in c.compute.migrations()]

    world, found = await with_sdk(use)
    assert len(found) == 1
    assert world.cloud.row(HostName("h1")).forced_down
    assert [r.destination for r in world.cloud.records_of(ServerId("web"))] == ["h3"]


async def test_an_operator_stops_and_resets_a_server() -> None:
    def use(c: Any) -> str:
        c.compute.stop_server("web")
        c.compute.reset_server_state("web", "error")
        return str(c.compute.get_server("web").status)

    _, found = await with_sdk(use)
    assert found == "ERROR"
