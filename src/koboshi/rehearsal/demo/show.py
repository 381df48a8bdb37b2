"""The demo, running: the simulated cloud on ports of the loopback, and Koboshi that watches it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio

from koboshi.api.views import StatusView
from koboshi.domain.errors import KoboshiError
from koboshi.domain.judging.verdict import Control, Network, Verdict
from koboshi.domain.memory.events import WitnessTrusted
from koboshi.domain.names import HostName
from koboshi.rehearsal.demo import daemon as daemons
from koboshi.rehearsal.demo.cloud import build, furnish
from koboshi.rehearsal.demo.daemon import Daemon
from koboshi.rehearsal.demo.directory import Directory
from koboshi.rehearsal.demo.following import Following
from koboshi.settings import Settings, load_settings
from koboshi.sim.happening import Happenings
from koboshi.sim.http import Face, Served, serving
from koboshi.sim.invariants import Judge
from koboshi.sim.loopback import listening
from koboshi.sim.world import World

WATCHING_S = 60.0
"""How long Koboshi may take to know the cloud; on two idle cores it needs less than ten."""
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Everything of a running demo."""

    directory: Directory
    world: World
    served: Served
    settings: Settings
    """Koboshi's own, as it reads them."""
    happenings: Happenings
    following: Following
    judge: Judge
    daemon: Daemon

    async def until_watching(self) -> StatusView:
        """Wait until the silence of any host would count; raises KoboshiError after WATCHING_S."""
        with anyio.move_on_after(WATCHING_S):
            while True:
                self.daemon.assert_alive()
                self.following.read()
                status = await self.daemon.status()
                if status is not None and self._is_known(status):
                    return status
                await anyio.sleep(LOOK_S)
        raise KoboshiError(
            f"koboshi run does not know the cloud after {WATCHING_S:.0f} s:\n{self.daemon.tail()}"
        )

    def _is_known(self, status: StatusView) -> bool:
        events = (r.event for r in self.following.disk.recorded)
        trusted = {e.host for e in events if isinstance(e, WitnessTrusted)}
        known = {
            h.host
            for h in status.hosts
            if h.verdict is Verdict.UP
            and h.network is Network.USERLAND
            and h.control is Control.FRESH
            and h.servers is not None
        }
        return status.is_acting and trusted & known == set(self.world.physics.hosts)


@asynccontextmanager
async def showing(directory: Directory, environ: Mapping[str, str]) -> AsyncGenerator[Show]:
    """Let it all run until the block ends; whatever happens, nothing is left of it then.

    Raises KoboshiError when it cannot be set up.
    """
    made = directory.prepare()
    try:
        async with anyio.create_task_group() as tasks:
            async with AsyncExitStack() as inner:
                world = World.around(build())
                doors = await inner.enter_async_context(listening(world))
                world.cloud.begin(tasks)
                world.agents.begin(tasks)
                furnish(world.cloud)
                served = await inner.enter_async_context(serving(Face(world)))
                hosts: list[HostName] = list(world.physics.hosts)
                directory.write_configuration(served, probe_port=doors.port, hosts=hosts)
                settings = load_settings(directory.koboshi_toml, {})
                following = Following(directory.journal)
                inner.callback(following.close)
                world.physics.witnesses.watch(following.read)
                judge = Judge(world, following.disk, settings.rules())
                daemon = await inner.enter_async_context(daemons.running(directory, environ))
                yield Show(
                    directory=directory,
                    world=world,
                    served=served,
                    settings=settings,
                    happenings=Happenings(world, tasks),
                    following=following,
                    judge=judge,
                    daemon=daemon,
                )
            tasks.cancel_scope.cancel()
    finally:
        directory.clear(remove=made)
