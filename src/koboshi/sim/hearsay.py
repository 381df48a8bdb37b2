"""Witnesses at second hand: Neutron's agents, Prometheus, and the last words of a crashed kernel."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.errors import CloudUnavailable
from koboshi.domain.facts.cloud import NetworkAgent, Sample
from koboshi.domain.names import HostName
from koboshi.sim.database import Database
from koboshi.sim.line import Line
from koboshi.sim.physics import Host, Physics
from koboshi.sim.uplink import Uplink

AGENT = "neutron-openvswitch-agent"
FIRST_S, PHASE_S = 0.71, 2.3
"""Agents never report all at once: each began at a time of its own."""
DUMP_INTERVAL_S = 10.0
"""fence_kdump_send's interval (its manual: -i)."""
Listener = Callable[[HostName, bool], None]


class SimAgents:
    """Neutron's table of agents, one a host, and who reports into it."""

    def __init__(self, cloud: Database, line: Line, *, interval_s: float = 30.0) -> None:
        self._cloud = cloud
        self._line = line
        self.interval_s = interval_s
        """neutron's [agent]report_interval."""
        self._reported: dict[HostName, datetime] = {}

    def begin(self, tasks: TaskGroup) -> None:
        """Let every agent report."""
        for number, host in enumerate(self._cloud.physics.hosts.values()):
            self._reported[host.name] = self._cloud.nova_now()
            phase_s = (FIRST_S + PHASE_S * number) % self.interval_s
            tasks.start_soon(self._report, host, phase_s)

    async def _report(self, host: Host, first_s: float) -> None:
        await anyio.sleep(first_s)
        while True:
            if self._gets_through(host):
                self._reported[host.name] = self._cloud.nova_now()
            await anyio.sleep(self.interval_s)

    def _gets_through(self, host: Host) -> bool:
        """Return whether a report arrives: Neutron shares Nova's message bus and database server."""
        lives = host.userland and host.agent and host.connected
        return lives and self._cloud.bus_works and self._cloud.database_works

    async def agents(self) -> tuple[NetworkAgent, ...]:
        """Answer with every agent's row."""
        await self._line.read("agents")
        return tuple(self.row(host) for host in self._cloud.physics.hosts.values())

    def row(self, host: Host) -> NetworkAgent:
        """Return the row of a host's agent."""
        return NetworkAgent(
            id=f"agent-{host.name}",
            host=host.name,
            binary=AGENT,
            heartbeat_at=self._reported.get(host.name),
        )


class SimPrometheus:
    """Scrapes every host over the management network, from a machine of its own."""

    def __init__(self, cloud: Database, uplink: Uplink, *, interval_s: float = 15.0) -> None:
        self._cloud = cloud
        self._uplink = uplink
        self.interval_s = interval_s
        self.works = True
        """Whether it answers; what it scrapes is kept all the same."""
        self._scraped_s: dict[HostName, float] = {}
        self._booted_s: dict[HostName, float] = {}

    def begin(self, tasks: TaskGroup) -> None:
        """Begin to scrape."""
        tasks.start_soon(self._scrape)

    async def _scrape(self) -> None:
        while True:
            for host in self._cloud.physics.hosts.values():
                if host.userland and host.link and host.link_in:
                    self._scraped_s[host.name] = anyio.current_time()
                    self._booted_s[host.name] = host.booted_s
            await anyio.sleep(self.interval_s)

    async def samples(self) -> tuple[Sample, ...]:
        """Answer with the newest sample of each host; raises CloudUnavailable when it is away."""
        await self._asked()
        return tuple(self._samples())

    async def boot_times(self) -> Mapping[HostName, datetime]:
        """Answer with when each host booted; raises CloudUnavailable when it is away."""
        await self._asked()
        beginning = self._cloud.beginning
        return {h: beginning + timedelta(seconds=at_s) for h, at_s in self._booted_s.items()}

    async def _asked(self) -> None:
        await anyio.sleep(0.02)
        if not (self.works and self._uplink.works):
            await anyio.sleep(self._uplink.gives_up_s)
            raise CloudUnavailable("Prometheus does not answer")

    def _samples(self) -> Iterable[Sample]:
        now_s, now = anyio.current_time(), self._cloud.nova_now()
        for host, at_s in self._scraped_s.items():
            age = timedelta(seconds=now_s - at_s)
            yield Sample(host=host, stamp=now - age, age=age)


class SimKdump:
    """Where the last words of crashed kernels arrive, and whoever listens to them."""

    def __init__(self, physics: Physics, uplink: Uplink) -> None:
        self._physics = physics
        self._uplink = uplink
        self._listeners: list[Listener] = []
        self.heard: dict[HostName, float] = {}
        """When each host's last message came."""
        self.signed: dict[HostName, float] = {}
        """When the last one came that only the host can have sent."""

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each message: the host, and whether it carries the right HMAC."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        self._listeners.remove(listener)

    async def dump(self, host: Host, *, signed: bool) -> None:
        """Send what a dumping kernel sends, again and again, until the dump is over."""
        while host.crashed:
            if host.link and host.link_out:
                self.say(host.name, signed=signed)
            await anyio.sleep(DUMP_INTERVAL_S)

    def say(self, host: HostName, *, signed: bool = False) -> None:
        """Let one message arrive that names a host; unsigned, it may be anybody's."""
        if not self._uplink.works:
            return
        self.heard[host] = anyio.current_time()
        if signed:
            self.signed[host] = anyio.current_time()
        for listener in tuple(self._listeners):
            listener(host, signed)
