"""A simulated cloud on a port, for commands that ask a cloud: its calls are counted."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from starlette.types import Receive, Scope, Send

from koboshi.rehearsal.spec import CloudSpec, Disks, HostSpec, ServerSpec, build_cloud, furnish
from koboshi.sim.http import Face, Served, serving
from koboshi.sim.world import World

KINDS = (Disks.VOLUMES, Disks.VOLUMES, Disks.VOLUMES, Disks.IMAGE, Disks.VOLUMES_AND_SWAP)
FLAVORS_MB = (1024, 2048, 4096)


class CountingFace(Face):
    """The cloud's face, which counts what it is asked."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.calls: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request, and answer it."""
        self.calls[scope["path"]] += 1
        await super().__call__(scope, receive, send)


def large(servers: int, hosts: int = 50, **more: Any) -> CloudSpec:
    """Return a cloud of many servers in 30 projects, of all kinds of disks."""
    rows = {
        f"s{n:04}": ServerSpec(
            host=f"h{n % hosts + 1}",
            disks=KINDS[n % len(KINDS)],
            ram_mb=FLAVORS_MB[n % len(FLAVORS_MB)],
            project=f"project{n % 30:02}",
        )
        for n in range(servers)
    }
    roomy = {f"h{n}": HostSpec(ram_mb=262_144, vcpus=128) for n in range(1, hosts + 1)}
    return CloudSpec(hosts=hosts, server=rows, host=roomy, **more)


@asynccontextmanager
async def serving_cloud(spec: CloudSpec) -> AsyncGenerator[tuple[CountingFace, Served]]:
    """Serve a cloud, in real time, until the block ends."""
    async with anyio.create_task_group() as tasks:
        world = World.around(build_cloud(spec))
        world.cloud.begin(tasks)
        furnish(world.cloud, spec)
        face = CountingFace(world)
        async with serving(face) as served:
            yield face, served
        tasks.cancel_scope.cancel()
