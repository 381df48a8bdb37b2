"""One network of the fake cloud, as a prober finds it."""

import anyio

from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.names import HostName
from koboshi.sim.network import Network
from koboshi.sim.physics import Host, Physics
from koboshi.sim.uplink import Uplink

TIMEOUT_S = 1.0


class SimProbe:
    """Implements ports.probe.Probe, on one of the networks."""

    def __init__(
        self,
        physics: Physics,
        network: Network = Network.MANAGEMENT,
        uplink: Uplink | None = None,
    ) -> None:
        self._by_address = {network.address_of(h): h for h in physics.hosts.values()}
        self.network = network
        self._uplink = uplink or Uplink()
        self.blind = False
        """Our own way to the network is cut: nobody answers, and we do not know why."""
        self.own_trouble = False
        """We cannot even ask."""
        self.silent_addresses: set[str] = set()
        """Addresses whose management network alone is dark."""
        self.heard: dict[HostName, float] = {}
        """When each host answered last."""
        self.dark_since: dict[HostName, float] = {}
        """Since when it has answered no question."""
        self.unanswered: dict[HostName, float] = {}
        """When each host was asked last without an answer."""
        self.answering_since: dict[HostName, float] = {}
        """When the newest run of answers began, over or not."""
        self.name = "ssh:22"

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask one host, as the network lets it."""
        host = self._by_address[address]
        if self.own_trouble:
            return ProbeAnswer.OWN_TROUBLE
        await anyio.sleep(0.005)
        if address in self.silent_addresses or not self._reaches(host):
            self.was_silent(host.name)
            await anyio.sleep(TIMEOUT_S)
            return ProbeAnswer.SILENT
        self.was_heard(host.name)
        return ProbeAnswer.USERLAND if host.userland else ProbeAnswer.KERNEL

    def _reaches(self, host: Host) -> bool:
        """Return whether at least a kernel answers."""
        ours = self._uplink.works and not self.blind
        return ours and host.power and not host.crashed and self.network.carries_to(host)

    def was_silent(self, host: HostName) -> None:
        """Remember that a host, asked now, does not answer."""
        self.unanswered[host] = anyio.current_time()
        self.dark_since.setdefault(host, self.unanswered[host])

    def was_heard(self, host: HostName) -> None:
        """Remember that a host answers now."""
        now_s = anyio.current_time()
        if self.dark_since.pop(host, None) is not None or host not in self.heard:
            self.answering_since[host] = now_s
        self.heard[host] = now_s
