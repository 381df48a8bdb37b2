"""One simulated cloud with everything around it: what faults befall, and what judges ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from koboshi.domain.facts.device import BMC, OUTLETS
from koboshi.domain.names import HostName
from koboshi.sim.bmc import Read, SimFence, SimOutlets
from koboshi.sim.hearsay import SimAgents, SimKdump, SimPrometheus
from koboshi.sim.network import Network
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host, Physics
from koboshi.sim.prober import SimProbe
from koboshi.sim.uplink import Uplink


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cloud, the way to its hosts, and their BMCs."""

    cloud: SimCloud
    probe: SimProbe
    """On the management network."""
    further: Mapping[Network, SimProbe]
    """On the others."""
    fences: dict[HostName, SimFence] = field(default_factory=dict[HostName, SimFence])
    """The BMC of each host."""
    outlets: dict[HostName, SimOutlets] = field(default_factory=dict[HostName, SimOutlets])
    """The outlets of each host, whoever knows of them."""
    told: dict[HostName, list[Read]] = field(default_factory=dict[HostName, list[Read]])
    """What Koboshi was told of each host's power, by whichever of its devices spoke."""
    agents: SimAgents
    prometheus: SimPrometheus
    kdump: SimKdump
    uplink: Uplink

    @classmethod
    def around(cls, cloud: SimCloud) -> "World":
        """Return the world of a cloud in which every host has a BMC."""
        physics, uplink = cloud.physics, cloud.line.uplink

        async def boot(host: HostName) -> None:
            cloud.tasks.start_soon(cloud.boot, host)

        fences = {h: SimFence(physics, h, boot, uplink=uplink) for h in physics.hosts}
        return cls(
            cloud=cloud,
            probe=SimProbe(physics, Network.MANAGEMENT, uplink),
            further={
                n: SimProbe(physics, n, uplink) for n in Network if n is not Network.MANAGEMENT
            },
            fences=fences,
            told={h: f.reads for h, f in fences.items()},
            outlets={h: SimOutlets(physics, h, boot, uplink=uplink) for h in physics.hosts},
            agents=SimAgents(cloud, cloud.line),
            prometheus=SimPrometheus(cloud, uplink),
            kdump=SimKdump(physics, uplink),
            uplink=uplink,
        )

    @property
    def probes(self) -> tuple[SimProbe, ...]:
        """Return our probers on all networks."""
        return (self.probe, *self.further.values())

    def device(self, host: HostName, kind: str) -> SimFence:
        """Return one of a host's power devices; raises KeyError without it."""
        return {BMC: self.fences, OUTLETS: self.outlets}[kind][host]

    @property
    def physics(self) -> Physics:
        """Return the truth."""
        return self.cloud.physics

    def host(self, name: str) -> Host:
        """Return a host by its name; raises KeyError without one."""
        return self.cloud.physics.hosts[HostName(name)]
