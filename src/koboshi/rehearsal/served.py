"""A simulated cloud on a port, in real time, that counts what it is asked: for benches and tests."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from starlette.types import Receive, Scope, Send

from koboshi.rehearsal.spec import CloudSpec, build_cloud, furnish
from koboshi.sim.http import Face, Served, serving
from koboshi.sim.world import World


class CountingFace(Face):
    """The cloud's face, which counts what it is asked."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.calls: Counter[str] = Counter()
        """By path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request, and answer it."""
        self.calls[scope["path"]] += 1
        await super().__call__(scope, receive, send)


@asynccontextmanager
async def serving_cloud(spec: CloudSpec) -> AsyncGenerator[tuple[CountingFace, Served]]:
    """Serve a cloud until the block ends."""
    async with anyio.create_task_group() as tasks:
        world = World.around(build_cloud(spec))
        world.cloud.begin(tasks)
        furnish(world.cloud, spec)
        face = CountingFace(world)
        async with serving(face) as at:
            yield face, at
        tasks.cancel_scope.cancel()
