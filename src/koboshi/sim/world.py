"""One simulated cloud with everything around it: what faults befall, and what judges ask."""

from dataclasses import dataclass, field

from koboshi.domain.names import HostName
from koboshi.sim.bmc import SimFence
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host, Physics
from koboshi.sim.prober import SimProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cloud, the way to its hosts, and their BMCs."""

    cloud: SimCloud
    probe: SimProbe
    fences: dict[HostName, SimFence] = field(default_factory=dict[HostName, SimFence])

    @classmethod
    def around(cls, cloud: SimCloud) -> "World":
        """Return the world of a cloud in which every host has a BMC."""

        async def boot(host: HostName) -> None:
            cloud.tasks.start_soon(cloud.boot, host)

        fences = {h: SimFence(cloud.physics, h, boot) for h in cloud.physics.hosts}
        return cls(cloud=cloud, probe=SimProbe(cloud.physics), fences=fences)

    @property
    def physics(self) -> Physics:
        """Return the truth."""
        return self.cloud.physics

    def host(self, name: str) -> Host:
        """Return a host by its name; raises KeyError without one."""
        return self.cloud.physics.hosts[HostName(name)]
