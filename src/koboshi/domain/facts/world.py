"""The latest facts: an immutable picture of the cloud, as far as it was observed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from koboshi.domain.alone.boots import BootTrack
from koboshi.domain.alone.checks import HealthTrack
from koboshi.domain.facts.cloud import (
    Aggregate,
    Demand,
    Hypervisor,
    InstanceAction,
    Migration,
    ProbeAnswer,
    Room,
    Running,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.device import Identity
from koboshi.domain.facts.outlook import Outlook
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.facts.sweep import Sweep
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import Heartbeat, PowerTrack, ProbeTrack
from koboshi.domain.judging.hearsay import AgentTrack, KdumpSeen, SampleTrack
from koboshi.domain.names import CellName, DomainName, HostName, NetworkName, ServerId
from koboshi.domain.policies.readiness import Readiness

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersRead:
    """One complete listing of a host's servers, or of a project's."""

    at: Instant
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationsRead:
    """One complete listing of evacuation records."""

    at: Instant
    records: tuple[Migration, ...]
    unbroken_since: Instant
    """Since when every such listing succeeded."""
    count: int = 1
    """How many listings succeeded since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRead:
    """One server read by id; `server` is None when it is gone."""

    at: Instant
    server: Server | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsRead:
    """What was asked of a server of late, newest first."""

    at: Instant
    actions: tuple[InstanceAction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRead:
    """One answer of a server's hypervisor."""

    at: Instant
    running: Running


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRead:
    """Which hosts could take a demand."""

    at: Instant
    rooms: tuple[Room, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRead:
    """An image, or that there is none."""

    at: Instant
    image: Image | None

    @property
    def active(self) -> bool:
        """Return whether it can be served."""
        return self.image is not None and self.image.active


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRead:
    """A volume, or that Cinder has none of this id, or that it did not answer."""

    volume: Volume | None = None
    failing_since: Instant | None = None
    """Since when it cannot be read, where it never was; None where Cinder has answered."""

    @property
    def is_told(self) -> bool:
        """Return whether Cinder has answered."""
        return self.failing_since is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRead:
    """What a server that others wait for answered."""

    at: Instant
    """When it was asked."""
    answer: ProbeAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsRead:
    """All server groups."""

    at: Instant
    groups: tuple[ServerGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiHealth:
    """The requests of the last 30 s, to all services together."""

    asked: int = 0
    failed: int = 0
    """Those without a usable answer."""
    p95_s: float | None = None
    """The latency that 95 % of the answered ones kept; None without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiView:
    """How the cloud's API serves us."""

    failing_since: Instant | None = None
    """Since when no read of compute services has succeeded; None while they succeed."""
    error: str = ""
    health: ApiHealth = field(default_factory=ApiHealth)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything observed, each with the moment of its observation."""

    began_at: Instant
    """Since when evidence is gathered without a gap of our own."""
    services: Mapping[HostName, Heartbeat] = field(default_factory=dict[HostName, Heartbeat])
    """nova-compute, by host; a host whose row vanished stays, with its old `read_at`."""
    control: Mapping[str, Heartbeat] = field(default_factory=dict[str, Heartbeat])
    """Conductors and schedulers, by `binary@host`."""
    services_read_at: Instant | None = None
    outlook: Outlook | None = None
    """Which hosts' deaths the cloud could not take, when it was read last; None: not yet."""
    hypervisors: Mapping[HostName, Hypervisor] = field(default_factory=dict[HostName, Hypervisor])
    protected: frozenset[HostName] = frozenset()
    """QEMU/KVM hosts that the settings do not exclude."""
    fenced: frozenset[HostName] = frozenset()
    """Hosts for which a power device is configured."""
    probes: Mapping[HostName, ProbeTrack] = field(default_factory=dict[HostName, ProbeTrack])
    """The management network's word."""
    further: Mapping[NetworkName, Mapping[HostName, ProbeTrack]] = field(
        default_factory=dict[NetworkName, Mapping[HostName, ProbeTrack]],
    )
    """The words of all other networks over which hosts are asked."""
    independent: frozenset[NetworkName] = frozenset()
    """Those of them that share no switch with the management network."""
    agents: Mapping[HostName, AgentTrack] = field(default_factory=dict[HostName, AgentTrack])
    """Neutron's agents, by host; empty while nobody reads them."""
    agents_read_at: Instant | None = None
    samples: Mapping[HostName, SampleTrack] = field(default_factory=dict[HostName, SampleTrack])
    """Prometheus's newest samples that say that a host lives."""
    boots: Mapping[HostName, BootTrack] = field(default_factory=dict[HostName, BootTrack])
    """When each host last booted, as far as anybody tells."""
    booted: Mapping[HostName, Instant] = field(default_factory=dict[HostName, Instant])
    """Hosts that were seen to have booted anew, and when, of the last half hour."""
    gaps: Mapping[HostName, Instant] = field(default_factory=dict[HostName, Instant])
    """When a host's heartbeats last began again after a gap, of the last half hour."""
    kdumps: Mapping[HostName, KdumpSeen] = field(default_factory=dict[HostName, KdumpSeen])
    """Hosts whose kernel said that it crashed."""
    power: Mapping[HostName, PowerTrack] = field(default_factory=dict[HostName, PowerTrack])
    devices: Mapping[HostName, Mapping[str, str]] = field(
        default_factory=dict[HostName, Mapping[str, str]],
    )
    """Each host's power devices in order, with what the settings say of each; one alone may be missing."""
    identities: Mapping[HostName, Identity] = field(default_factory=dict[HostName, Identity])
    """What each host's first device has said to this process that it is."""
    machines: Mapping[HostName, str] = field(default_factory=dict[HostName, str])
    """The serial that each host's first device must tell: as it is declared, or as it told before."""
    mistaken: Mapping[HostName, str] = field(default_factory=dict[HostName, str])
    """Hosts whose first device says that it is another's, in words."""
    sweep: Sweep | None = None
    """All servers, as they were seen last."""
    backends: frozenset[str] = frozenset()
    """Where Cinder's volumes are served from, as `HOST@BACKEND`; empty while it was not read."""
    tpm_hosts: frozenset[HostName] | None = None
    """Hosts whose servers may have a vTPM; None while nobody has asked, or Placement does not tell."""
    volumes: Mapping[str, VolumeRead] = field(default_factory=dict[str, VolumeRead])
    """The volumes of stranded servers, as far as they were asked for."""
    evacuations: MigrationsRead | None = None
    """The newest listing of open evacuation records on all hosts."""
    left_open: Mapping[ServerId, Server | None] = field(
        default_factory=dict[ServerId, Server | None]
    )
    """The servers of those that are old, as read by id; None where it is deleted."""
    on_host: Mapping[HostName, ServersRead] = field(default_factory=dict[HostName, ServersRead])
    from_host: Mapping[HostName, MigrationsRead] = field(
        default_factory=dict[HostName, MigrationsRead],
    )
    """All evacuation records with this source, of incidents."""
    servers: Mapping[ServerId, ServerRead] = field(default_factory=dict[ServerId, ServerRead])
    """Servers read by id, because their recovery needs it."""
    health: Mapping[ServerId, HealthTrack] = field(default_factory=dict[ServerId, HealthTrack])
    """What servers that want to be asked answered."""
    of_project: Mapping[str, ServersRead] = field(default_factory=dict[str, ServersRead])
    """All servers of projects in which servers wait for each other."""
    ready: Mapping[Readiness, ReadyRead] = field(default_factory=dict[Readiness, ReadyRead])
    """What servers that others wait for answered last."""
    actions: Mapping[ServerId, ActionsRead] = field(default_factory=dict[ServerId, ActionsRead])
    """Of servers that were seen to have stopped."""
    running: Mapping[ServerId, RunningRead] = field(default_factory=dict[ServerId, RunningRead])
    room: Mapping[Demand, RoomRead] = field(default_factory=dict[Demand, RoomRead])
    images: Mapping[str, ImageRead] = field(default_factory=dict[str, ImageRead])
    groups: GroupsRead | None = None
    aggregates: tuple[Aggregate, ...] | None = None
    """None while nobody has read them: they are where settings speak of some, and with an incident."""
    api: ApiView = field(default_factory=ApiView)
    domains: Mapping[DomainName, frozenset[HostName]] = field(
        default_factory=dict[DomainName, frozenset[HostName]],
    )
    """Hosts that can fail together for one cause, as far as they are declared."""
    cells: Mapping[CellName, frozenset[HostName]] = field(
        default_factory=dict[CellName, frozenset[HostName]],
    )
    """Hosts of named cells, of computes and conductors; all others are of one more cell."""
    ours: frozenset[HostName] = frozenset()
    """Hosts that carry this daemon or its database: they are never fenced."""

    @property
    def images_active(self) -> dict[str, bool]:
        """Return of each image that was read whether it can be served."""
        return {image: read.active for image, read in self.images.items()}

    @property
    def images_told(self) -> dict[str, Image]:
        """Return every image that Glance has told."""
        return {i: read.image for i, read in self.images.items() if read.image is not None}

    @property
    def volumes_told(self) -> dict[str, Volume]:
        """Return every volume that Cinder has told."""
        return {v: read.volume for v, read in self.volumes.items() if read.volume is not None}


def with_item(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    """Return a copy of `mapping` in which `key` has `value`."""
    return {**mapping, key: value}
