"""Who else is asked in a rehearsal: further networks, Neutron's agents, Prometheus, crashed kernels."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from koboshi.domain.names import HostName, NetworkName
from koboshi.engine.witnesses import Watched, Witnesses
from koboshi.sim.network import Network
from koboshi.sim.server_prober import SimServerProbe
from koboshi.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is asked."""

    networks: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Further networks, and whether each shares no switch with the management network."""
    agents: bool = False
    samples: bool = False
    servers: tuple[str, ...] = ()
    """Where servers are asked whose owners want it."""


class _Book:
    """Where hosts answer on one network of the simulated cloud."""

    def __init__(self, world: World, network: Network) -> None:
        self._world = world
        self._network = network

    def address_of(self, host: HostName) -> str | None:
        """Return what the host is called there."""
        machine = self._world.physics.hosts.get(host)
        return self._network.address_of(machine) if machine else None

    async def refresh(self, hosts: Collection[HostName]) -> None:
        """Do nothing: these names need no looking up."""


def witnesses_of(world: World, asked: Asked) -> Witnesses:
    """Return the simulated cloud's witnesses, those that are asked."""
    networks = [Network(name) for name in asked.networks]
    return Witnesses(
        networks={
            NetworkName(n): Watched(probe=world.further[n], book=_Book(world, n)) for n in networks
        },
        independent=frozenset(NetworkName(n) for n in networks if asked.networks[n]),
        agents=world.agents if asked.agents else None,
        samples=world.prometheus if asked.samples else None,
        servers=SimServerProbe(world.cloud, world.uplink),
        server_networks=asked.servers,
    )
