"""What is really so in the fake cloud: which host has power, which guest runs where.

Nova's database (nova.py) may be wrong about all of this, as the real one is. The one great rule is
watched here: the moment a server is started while it runs elsewhere, it is written down for good.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio

from koboshi.domain.names import HostName, ServerId
from koboshi.sim.truth import DataLost, GuestStarted, GuestStopped, PowerSwitched, Witnesses

LOST = "made again from the image"


@dataclass(kw_only=True)
class Host:
    """A machine: its switches, and what is on it."""

    name: HostName
    address: str
    power: bool = True
    link: bool = True
    """Its management network: the message bus, and what probers ask."""
    link_in: bool = True
    """Whether conversations that others begin over it reach the host."""
    link_out: bool = True
    """Whether those that the host begins get out."""
    tenant_link: bool = True
    """Its servers' own network."""
    storage_link: bool = True
    """What carries volumes, and storage that hosts share."""
    compute: bool = True
    """Whether the nova-compute process lives."""
    hung: bool = False
    """Its kernel answers; every process stands still, and goes on when this ends."""
    vcpus: int = 32
    ram_mb: int = 65_536
    disk_gb: int = 1_000
    spawn_s: float = 2.0
    spawn_fault: str | None = None
    """What the next spawns on it fail with."""
    spawn_more_s: float = 0.0
    """So much longer a spawn takes for now; infinite: it never ends."""
    claims_fail: bool = False
    """Whether it refuses, for want of resources, what the scheduler sends it."""
    die_in_spawn: str | None = None
    """`before` or `after` the guest's start: its nova-compute dies in the next spawn."""
    dies_with_power: bool = False
    """Whether all of it dies then, and not nova-compute alone."""
    clock_ahead_s: float = 0.0
    """Of no effect on heartbeats: the conductor's clock stamps them (nova/db/main/api.py)."""
    boot_s: float = 20.0
    resumes_guests: bool = False
    """nova's resume_guests_state_on_host_boot."""
    generation: int = 0
    """Counts the lives of its nova-compute: work of an earlier life goes on in none."""
    domains: set[ServerId] = field(default_factory=set[ServerId])
    """Guests that run here."""
    disks: set[ServerId] = field(default_factory=set[ServerId])
    """Guests with disks here."""

    @property
    def reports(self) -> bool:
        """Return whether its nova-compute works and reaches the message bus."""
        return self.works and self.link and self.link_out

    @property
    def works(self) -> bool:
        """Return whether its nova-compute works, reachable or not."""
        return self.power and self.compute and not self.hung


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a guest."""

    at_s: float
    server: ServerId
    host: HostName


class Physics:
    """The hosts, and the record of every start."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.hosts = {h.name: h for h in hosts}
        self.witnesses = Witnesses()
        self.starts: list[Start] = []
        self.violations: list[str] = []
        self.roots: dict[ServerId, str] = {}
        """What the root disk of each server holds: its data, or LOST."""

    def start_guest(self, server: ServerId, host: HostName) -> None:
        """Start a guest; that it runs elsewhere stops nobody, and is written down."""
        at_s = anyio.current_time()
        elsewhere = tuple(h for h in self.where(server) if h != host)
        self.hosts[host].domains.add(server)
        self.starts.append(Start(at_s=at_s, server=server, host=host))
        if elsewhere:
            self.violations.append(f"{server} was started on {host} and runs on {elsewhere}")
        self.witnesses.tell(GuestStarted(at_s=at_s, server=server, host=host, elsewhere=elsewhere))

    def stop_guest(self, server: ServerId, host: HostName) -> None:
        """Stop a guest; its disks stay."""
        if server in self.hosts[host].domains:
            self.hosts[host].domains.discard(server)
            self.witnesses.tell(GuestStopped(at_s=anyio.current_time(), server=server, host=host))

    def lose_data(self, server: ServerId, host: HostName, how: str) -> None:
        """Let a server's data on a local disk be gone for good."""
        self.roots[server] = LOST
        lost = DataLost(at_s=anyio.current_time(), server=server, host=host, how=how)
        self.witnesses.tell(lost)

    def move_guest(self, server: ServerId, source: HostName, destination: HostName) -> None:
        """Let a running guest go on elsewhere, its disk with it: it is never off, and never twice."""
        of, to = self.hosts[source], self.hosts[destination]
        of.domains.discard(server)
        to.domains.add(server)
        if server in of.disks:
            of.disks.discard(server)
            to.disks.add(server)

    def where(self, server: ServerId) -> tuple[HostName, ...]:
        """Return the hosts on which a server runs."""
        return tuple(sorted(h.name for h in self.hosts.values() if server in h.domains))

    def started(self) -> Counter[ServerId]:
        """Return how often each server was started."""
        return Counter(s.server for s in self.starts)

    def cut_power(self, host: HostName) -> None:
        """Take the power: nothing runs any more, disks stay."""
        machine = self.hosts[host]
        was_on, machine.power = machine.power, False
        machine.hung = False
        for server in sorted(machine.domains):
            self.stop_guest(server, host)
        self.kill_compute(host)
        if was_on:
            off = PowerSwitched(at_s=anyio.current_time(), host=host, on=False)
            self.witnesses.tell(off)

    def give_power(self, host: HostName) -> None:
        """Let a host have power again; who boots it comes after."""
        self.hosts[host].power = True
        self.witnesses.tell(PowerSwitched(at_s=anyio.current_time(), host=host, on=True))

    def kill_compute(self, host: HostName) -> None:
        """Kill nova-compute only: guests run on."""
        machine = self.hosts[host]
        if machine.compute:
            machine.compute = False
            machine.generation += 1
