"""The management network of the fake cloud, as a prober finds it."""

import anyio

from koboshi.domain.cloud import ProbeAnswer
from koboshi.domain.names import HostName
from koboshi.sim.physics import Physics

TIMEOUT_S = 1.0


class SimProbe:
    """Implements ports.probe.Probe."""

    def __init__(self, physics: Physics) -> None:
        self._by_address = {h.address: h for h in physics.hosts.values()}
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
        self.answering_since: dict[HostName, float] = {}
        """When the newest run of answers began, over or not."""
        self.name = "ssh:22"

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask one host, as the network lets it."""
        host = self._by_address[address]
        if self.own_trouble:
            return ProbeAnswer.OWN_TROUBLE
        await anyio.sleep(0.005)
        dark = self.blind or address in self.silent_addresses
        if dark or not host.power or not (host.link and host.link_in):
            self.was_silent(host.name)
            await anyio.sleep(TIMEOUT_S)
            return ProbeAnswer.SILENT
        self.was_heard(host.name)
        return ProbeAnswer.USERLAND if host.userland else ProbeAnswer.KERNEL

    def was_silent(self, host: HostName) -> None:
        """Remember that a host, asked now, does not answer."""
        self.dark_since.setdefault(host, anyio.current_time())

    def was_heard(self, host: HostName) -> None:
        """Remember that a host answers now."""
        now_s = anyio.current_time()
        if self.dark_since.pop(host, None) is not None or host not in self.heard:
            self.answering_since[host] = now_s
        self.heard[host] = now_s
