"""What is really so in the simulated cloud: which host has power, which guest runs where.

Nova's database (nova.py) may be wrong about all of this, as the real one is. The one great rule is
watched here: the moment a server is started while it runs elsewhere, it is written down for good.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.disks import disks_of
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.disks import CINDER, Copy, Disks
from koboshi.sim.truth import (
    DataLost,
    GuestMoved,
    GuestStarted,
    GuestStopped,
    PowerSwitched,
    Witnesses,
)
from koboshi.sim.watched import Signal, Watched

LOST = "made again from the image"
KEPT_ASIDE = ":resize"
"""Where a cold migration's source keeps the disk until it is confirmed: no spawn looks there."""


class ImageLocked(Exception):
    """QEMU refused to open a disk that another QEMU writes to."""


@dataclass(kw_only=True)
class Host(Watched):
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
    booting: bool = False
    """Its kernel answers already; nothing else does."""
    crashed: bool = False
    """Its kernel is dead: it has power, and nothing of it answers or runs."""
    fed: bool = True
    """Whether its outlets have power; without, its BMC is dead, too."""
    rack: str = ""
    """Whoever has the same word hangs on the same switches and feeds."""
    agent: bool = True
    """Whether its Neutron agent's process lives."""
    beat_late_s: float = 0.0
    """So much longer than their interval its heartbeats take for now."""
    serving: bool = True
    """Whether its nova-compute has gone through its start, and takes messages."""
    storage: str | None = None
    """The storage that it shares with others for its servers' disks; None: its own disk."""
    traits: frozenset[str] = frozenset()
    """What Placement says that it can do."""
    vcpus: int = 32
    ram_mb: int = 65_536
    disk_gb: int = 1_000
    spawn_s: float = 2.0
    spawn_fault: str | None = None
    """What the next spawns on it fail with."""
    spawn_more_s: float = 0.0
    """So much longer a spawn takes for now; infinite: it never ends."""
    filtered: bool = False
    """Whether a filter of Nova's scheduler, of which Placement knows nothing, keeps servers from it."""
    claims_fail: bool = False
    """Whether it refuses, for want of resources, what the scheduler sends it."""
    die_in_spawn: str | None = None
    """`before` or `after` the guest's start: its nova-compute dies in the next spawn."""
    dies_with_power: bool = False
    """Whether all of it dies then, and not nova-compute alone."""
    clock_ahead_s: float = 0.0
    """Of no effect on heartbeats: the conductor's clock stamps them (nova/db/main/api.py)."""
    boot_s: float = 20.0
    booted_s: float = -86_400.0
    """When its kernel last started, by the world's time: mostly long before the world began."""
    resumes_guests: bool = False
    """nova's resume_guests_state_on_host_boot."""
    generation: int = 0
    """Counts the lives of its nova-compute: work of an earlier life goes on in none."""
    domains: set[ServerId] = field(default_factory=set[ServerId])
    """Guests that run here."""
    defined: set[ServerId] = field(default_factory=set[ServerId])
    """Guests that its libvirt knows, running or not: they outlive a loss of power."""

    @property
    def userland(self) -> bool:
        """Return whether its programs run."""
        return self.power and not (self.hung or self.booting or self.crashed)

    @property
    def works(self) -> bool:
        """Return whether its nova-compute works, reachable or not."""
        return self.userland and self.compute

    @property
    def connected(self) -> bool:
        """Return whether it reaches the message bus."""
        return self.link and self.link_out

    @property
    def reports(self) -> bool:
        """Return whether its nova-compute takes messages and sends heartbeats."""
        return self.works and self.serving and self.connected

    @property
    def place(self) -> str:
        """Return where the local disks of its servers lie."""
        return self.storage or self.name


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a guest."""

    at_s: float
    server: ServerId
    host: HostName


@dataclass(kw_only=True)
class _Writing:
    """A running guest, and the copies it writes to."""

    since_s: float
    opened: tuple[tuple[str, str], ...]
    """Disk and place of each."""


class Physics:
    """The hosts, their guests and disks, and the record of every start."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.hosts = {h.name: h for h in hosts}
        self.signal = Signal()
        for host in self.hosts.values():
            host.signal = self.signal
        self.witnesses = Witnesses()
        self.disks = Disks()
        self.locks_images = False
        """Whether shared storage has working locks, so that QEMU refuses a second writer."""
        self.starts: list[Start] = []
        self.violations: list[str] = []
        self.roots: dict[ServerId, str] = {}
        """What the root disk of each server holds: its data, or LOST."""
        self.hanging: dict[ServerId, int] = {}
        """Guests whose programs stand still, and how many starts it takes to mend each."""
        self.hung_s: dict[ServerId, float] = {}
        """When each of them began to."""
        self._local: dict[ServerId, tuple[str, ...]] = {}
        self._volumes: dict[ServerId, tuple[str, ...]] = {}
        self._current: dict[tuple[ServerId, str], int] = {}
        """Which making of each disk the server used last."""
        self._running: dict[ServerId, dict[HostName, _Writing]] = {}

    # Disks

    def settle(self, server: Server, host: HostName) -> None:
        """Let a new server's disks be where its host keeps them, with the data it begins with."""
        self._local[server.id] = disks_of(server).local
        self._volumes[server.id] = server.volume_ids
        self.roots[server.id] = "data"
        self.hosts[host].defined.add(server.id)
        for disk in self._local[server.id]:
            self._current[server.id, disk] = self.disks.make(
                server.id, disk, self.hosts[host].place
            ).made
        for volume in self._volumes[server.id]:
            self.disks.make(server.id, volume, CINDER)

    def has_disks(self, server: ServerId, host: HostName) -> bool:
        """Return whether a server's instance folder is to be seen on a host."""
        return bool(self.disks.at(server, self.hosts[host].place))

    def needs_storage(self, server: ServerId, host: HostName) -> bool:
        """Return whether a start there needs the storage network."""
        shared = self.hosts[host].storage is not None and bool(self._local.get(server))
        return shared or bool(self._volumes.get(server))

    def lacks_disks(self, server: ServerId, host: HostName) -> bool:
        """Return whether a local disk of a server is not to be seen on a host."""
        place = self.hosts[host].place
        return any(not self.disks.find(server, d, place) for d in self._local.get(server, ()))

    def make_missing(self, server: ServerId, host: HostName) -> bool:
        """Make the local disks that are not there, as a spawn does; returns whether there were any.

        What lies there already is used as it is, however old (virt/libvirt/driver.py).
        """
        place = self.hosts[host].place
        missing = [d for d in self._local.get(server, ()) if not self.disks.find(server, d, place)]
        for disk in missing:
            self.disks.make(server, disk, place)
        if missing:
            self.lose_data(server, host, "made again from its image", root="root" in missing)
        return bool(missing)

    def erase(self, server: ServerId, host: HostName) -> None:
        """Remove a deleted server's guest and disks: its owner wanted them gone, nothing is lost."""
        self.undefine_guest(server, host)
        for copy in self.disks.at(server, self.hosts[host].place):
            self.disks.drop(copy)

    def destroy_disks(self, server: ServerId, host: HostName, how: str) -> None:
        """Delete the local disks of a server that still is one, where a host keeps them."""
        self._flush(server)
        dropped = self.disks.at(server, self.hosts[host].place)
        for copy in dropped:
            self.disks.drop(copy)
        lost = [c.disk for c in dropped if self._current.get((server, c.disk)) == c.made]
        lost = [d for d in lost if not self._left(server, d)]
        if lost:
            self.lose_data(server, host, how, root="root" in lost)

    def _left(self, server: ServerId, disk: str) -> bool:
        made = self._current[server, disk]
        return any(c.disk == disk and c.made == made for c in self.disks.copies(server))

    def keep_aside(self, server: ServerId, source: HostName, destination: HostName) -> None:
        """Copy a server's local disks to a destination, and keep the old ones under another name."""
        self._flush(server)
        of, to = self.hosts[source], self.hosts[destination]
        self.undefine_guest(server, source)
        to.defined.add(server)
        if of.place == to.place:
            return
        for copy in self.disks.at(server, of.place):
            self.disks.put(replace(copy, place=to.place))
            self.disks.move(copy, of.place + KEPT_ASIDE)

    def drop_kept(self, server: ServerId, source: HostName) -> None:
        """Delete the disks that a source kept aside."""
        for copy in self.disks.at(server, self.hosts[source].place + KEPT_ASIDE):
            self.disks.drop(copy)

    def restore_kept(self, server: ServerId, source: HostName, destination: HostName) -> None:
        """Let a source take its old disks up again; what was written since goes with the new ones."""
        of, to = self.hosts[source], self.hosts[destination]
        self.undefine_guest(server, destination)
        of.defined.add(server)
        if of.place == to.place:
            return
        for copy in self.disks.at(server, to.place):
            self.disks.drop(copy)
        for copy in self.disks.at(server, of.place + KEPT_ASIDE):
            self.disks.move(copy, of.place)

    def lose_data(self, server: ServerId, host: HostName, how: str, *, root: bool = True) -> None:
        """Let a server's data on local disks be gone, or left behind."""
        if root:
            self.roots[server] = LOST
        lost = DataLost(at_s=anyio.current_time(), server=server, host=host, how=how)
        self.witnesses.tell(lost)

    def copies(self, server: ServerId) -> tuple[Copy, ...]:
        """Return every copy of a server's disks as it is now."""
        self._flush(server)
        return self.disks.copies(server)

    def _flush(self, server: ServerId) -> None:
        """Write down what running guests have written until now."""
        now_s = anyio.current_time()
        for writing in self._running.get(server, {}).values():
            for disk, place in writing.opened:
                copy = self.disks.find(server, disk, place)
                if copy is not None:
                    more_s = now_s - writing.since_s
                    self.disks.put(replace(copy, written_s=copy.written_s + more_s))
            writing.since_s = now_s

    # Guests

    def start_guest(self, server: ServerId, host: HostName) -> None:
        """Start a guest; that it runs elsewhere stops nobody, and is written down.

        Raises ImageLocked where locks work and another guest has one of its disks open.
        """
        at_s = anyio.current_time()
        elsewhere = tuple(h for h in self.where(server) if h != host)
        opened = self._openable(server, host)
        shared = self._shared_with(server, elsewhere, opened)
        if shared and self.locks_images:
            raise ImageLocked(f'Failed to get "write" lock: {shared[0]} of {server}')
        self._flush(server)
        for disk, place in shared:
            if (copy := self.disks.find(server, disk, place)) is not None:
                self.disks.put(replace(copy, torn=True))
        for disk, place in opened:
            if place != CINDER and (copy := self.disks.find(server, disk, place)) is not None:
                self._current[server, disk] = copy.made
        machine = self.hosts[host]
        machine.domains.add(server)
        machine.defined.add(server)
        self._running.setdefault(server, {})[host] = _Writing(since_s=at_s, opened=opened)
        if server in self.hanging:
            self.hanging[server] -= 1
            if not self.hanging[server]:
                del self.hanging[server]
        self.starts.append(Start(at_s=at_s, server=server, host=host))
        if elsewhere:
            self.violations.append(f"{server} was started on {host} and runs on {elsewhere}")
        self.witnesses.tell(GuestStarted(at_s=at_s, server=server, host=host, elsewhere=elsewhere))

    def _openable(self, server: ServerId, host: HostName) -> tuple[tuple[str, str], ...]:
        place = self.hosts[host].place
        local = ((disk, place) for disk in self._local.get(server, ()))
        return (*local, *((volume, CINDER) for volume in self._volumes.get(server, ())))

    def _shared_with(
        self, server: ServerId, hosts: Iterable[HostName], opened: tuple[tuple[str, str], ...]
    ) -> list[tuple[str, str]]:
        others = {o for h in hosts for o in self._running[server][h].opened}
        return [o for o in opened if o in others]

    def stop_guest(self, server: ServerId, host: HostName) -> None:
        """Stop a guest; its disks and its definition stay."""
        if server in self.hosts[host].domains:
            self._flush(server)
            self.hosts[host].domains.discard(server)
            del self._running[server][host]
            self.witnesses.tell(GuestStopped(at_s=anyio.current_time(), server=server, host=host))

    def undefine_guest(self, server: ServerId, host: HostName) -> None:
        """Stop a guest, and let the host's libvirt forget it."""
        self.stop_guest(server, host)
        self.hosts[host].defined.discard(server)

    def move_guest(self, server: ServerId, source: HostName, destination: HostName) -> None:
        """Let a running guest go on elsewhere, its disk with it: it is never off, and never twice."""
        of, to = self.hosts[source], self.hosts[destination]
        self._flush(server)
        of.domains.discard(server)
        of.defined.discard(server)
        to.domains.add(server)
        to.defined.add(server)
        if of.place != to.place:
            for copy in self.disks.at(server, of.place):
                self.disks.move(copy, to.place)
        del self._running[server][source]
        opened = self._openable(server, destination)
        now_s = anyio.current_time()
        self._running[server][destination] = _Writing(since_s=now_s, opened=opened)
        moved = GuestMoved(at_s=now_s, server=server, source=source, destination=destination)
        self.witnesses.tell(moved)

    def where(self, server: ServerId) -> tuple[HostName, ...]:
        """Return the hosts on which a server runs."""
        return tuple(sorted(self._running.get(server, ())))

    def started(self) -> Counter[ServerId]:
        """Return how often each server was started."""
        return Counter(s.server for s in self.starts)

    # Hosts

    def cut_power(self, host: HostName) -> None:
        """Take the power: nothing runs any more; disks and definitions stay."""
        machine = self.hosts[host]
        was_on, machine.power = machine.power, False
        machine.hung = False
        machine.booting = False
        machine.crashed = False
        for server in sorted(machine.domains):
            self.stop_guest(server, host)
        self.kill_compute(host)
        if was_on:
            off = PowerSwitched(at_s=anyio.current_time(), host=host, on=False)
            self.witnesses.tell(off)

    def crash(self, host: HostName) -> None:
        """Let a host's kernel panic: nothing of it runs any more, and its power stays on."""
        machine = self.hosts[host]
        machine.crashed = True
        for server in sorted(machine.domains):
            self.stop_guest(server, host)
        self.kill_compute(host)

    def in_rack(self, rack: str) -> tuple[Host, ...]:
        """Return the hosts of a rack."""
        return tuple(h for h in self.hosts.values() if h.rack == rack)

    def give_power(self, host: HostName) -> None:
        """Let a host have power again; who boots it comes after."""
        self.hosts[host].fed = True
        self.hosts[host].power = True
        self.witnesses.tell(PowerSwitched(at_s=anyio.current_time(), host=host, on=True))

    def kill_compute(self, host: HostName) -> None:
        """Kill nova-compute only: guests run on."""
        machine = self.hosts[host]
        if machine.compute:
            machine.compute = False
            machine.serving = False
            machine.generation += 1
