"""Work that a nova-compute does: it waits while its host hangs or is cut off, and dies with it."""

import anyio

from koboshi.sim.database import Database
from koboshi.sim.physics import Host

STEP_S = 0.2
"""How long one step of a work takes that waits for nothing: a call or two, a row saved."""


class Dead(Exception):
    """Whoever was doing the work is gone: nothing of it is ever finished."""


async def delivered(cloud: Database, host: Host) -> None:
    """Return when a message for a nova-compute is taken from its queue.

    It waits there however long nobody takes it, and over every restart (seen on the lab: messages
    for a dead host wait in RabbitMQ and run when it returns).
    """
    await cloud.until(lambda: cloud.bus_works and host.reports)


class Work:
    """What one life of one nova-compute does."""

    def __init__(self, cloud: Database, host: Host) -> None:
        self._cloud = cloud
        self._host = host
        self._generation = host.generation

    @property
    def alive(self) -> bool:
        """Return whether whoever does it still lives, hung or cut off perhaps."""
        return self._host.power and self._host.compute and self._host.generation == self._generation

    async def take(self, duration_s: float) -> None:
        """Let so much time pass at it; raises Dead when its nova-compute did not live through it."""
        if duration_s > 0:
            await anyio.sleep(duration_s)
        await self._cloud.until(lambda: not self.alive or self._goes_on())
        if not self.alive:
            raise Dead

    def _goes_on(self) -> bool:
        return self._cloud.writes and self._host.works and self._host.connected


async def lived_through(cloud: Database, host: Host, for_s: float) -> bool:
    """Work on a host for so long; False when its nova-compute died meanwhile, and the work with it."""
    try:
        await Work(cloud, host).take(for_s)
    except Dead:
        return False
    return True
