"""A host's power devices as the daemon has them, and a note of what it was told by them."""

from collections.abc import Collection, Mapping

from koboshi.adapters.fencing.chain import Chain
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import BMC
from koboshi.domain.names import HostName
from koboshi.ports.fence import Fence
from koboshi.sim.bmc import Read, read_of
from koboshi.sim.world import World

Devices = Mapping[HostName, tuple[str, ...]]
"""The names of each host's devices, in their order; a host without any is left out."""


class Overheard(Chain):
    """A chain of devices whose clear answers are noted, for the judge."""

    def overhear(self, world: World, host: HostName) -> "Overheard":
        """Begin to note what is answered of a host."""
        self._world, self._host = world, host
        return self

    def without(self, distrusted: Collection[str]) -> "Overheard":
        """Return the same devices but for some."""
        kept = {name: fence for name, fence in self._devices.items() if name not in distrusted}
        return Overheard(kept, self._memory).overhear(self._world, self._host)

    async def power_state(self) -> Power:
        """Return the first clear answer."""
        power = await super().power_state()
        told = self._world.told[self._host]
        told.append(read_of(self._world.physics.hosts[self._host], power))
        return power


def fence_of(world: World, host: HostName, names: tuple[str, ...]) -> Fence:
    """Return all of a host's devices as one."""
    if names == (BMC,):
        return world.fences[host]
    if world.told[host] is world.fences[host].reads:
        none: list[Read] = []
        world.told[host] = none
    return Overheard({n: world.device(host, n) for n in names}).overhear(world, host)
