"""What is really so in the fake cloud: which host has power, which guest runs where.

Nova's database (nova.py) may be wrong about all of this, as the real one is. The judge of the one
great rule sits here: the moment a server is started while it runs elsewhere, everything fails.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio

from koboshi.domain.names import HostName, ServerId

LOST = "made again from the image"


class RunsTwice(AssertionError):
    """A server was started on a second host while it runs on a first."""


@dataclass(kw_only=True)
class Host:
    """A machine: its switches, and what is on it."""

    name: HostName
    address: str
    power: bool = True
    link: bool = True
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
    die_in_spawn: str | None = None
    """`before` or `after` the guest's start: its nova-compute dies in the next spawn."""
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
        return self.works and self.link

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
        self.starts: list[Start] = []
        self.violations: list[str] = []
        self.roots: dict[ServerId, str] = {}
        """What the root disk of each server holds: its data, or LOST."""

    def start_guest(self, server: ServerId, host: HostName) -> None:
        """Start a guest; raises RunsTwice when it runs elsewhere."""
        elsewhere = sorted(
            h.name for h in self.hosts.values() if server in h.domains and h.name != host
        )
        self.hosts[host].domains.add(server)
        self.starts.append(Start(at_s=anyio.current_time(), server=server, host=host))
        if elsewhere:
            self.violations.append(f"{server} was started on {host} and runs on {elsewhere}")
            raise RunsTwice(self.violations[-1])

    def stop_guest(self, server: ServerId, host: HostName) -> None:
        """Stop a guest; its disks stay."""
        self.hosts[host].domains.discard(server)

    def where(self, server: ServerId) -> tuple[HostName, ...]:
        """Return the hosts on which a server runs."""
        return tuple(sorted(h.name for h in self.hosts.values() if server in h.domains))

    def started(self) -> Counter[ServerId]:
        """Return how often each server was started."""
        return Counter(s.server for s in self.starts)

    def cut_power(self, host: HostName) -> None:
        """Take the power: nothing runs any more, disks stay."""
        machine = self.hosts[host]
        machine.power = False
        machine.hung = False
        machine.domains.clear()
        self.kill_compute(host)

    def kill_compute(self, host: HostName) -> None:
        """Kill nova-compute only: guests run on."""
        machine = self.hosts[host]
        if machine.compute:
            machine.compute = False
            machine.generation += 1
