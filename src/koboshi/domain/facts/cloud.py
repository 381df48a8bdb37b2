"""The cloud as its API tells it: services, hypervisors, servers, migration records.

These are facts at the time of a read, in OpenStack's own words; what they mean is judged elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from koboshi.domain.names import HostName, MigrationId, ServerId, ServiceId

COMPUTE_BINARY = "nova-compute"
CONTROL_BINARIES = frozenset({"nova-conductor", "nova-scheduler"})
PROTECTED_HYPERVISORS = frozenset({"QEMU", "KVM"})
"""Only here does a compute host's death kill its servers (an Ironic nova-compute's kills none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeService:
    """One row of `GET /os-services` (2.53 and later)."""

    host: HostName
    binary: str
    id: ServiceId | None = None
    """None only for the placeholder of a cell that does not answer."""
    zone: str = ""
    enabled: bool = True
    disabled_reason: str | None = None
    up: bool | None = None
    """Nova's own opinion; None when Nova itself says UNKNOWN (a cell that does not answer)."""
    forced_down: bool = False
    updated_at: datetime | None = None
    """The row's last change, by Nova's clock: moves by heartbeats and by every edit of the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAgent:
    """One row of Neutron's `GET /v2.0/agents`. Its own `alive` is Neutron's opinion: not asked for."""

    id: str
    host: HostName
    binary: str
    admin_up: bool = True
    heartbeat_at: datetime | None = None
    """When its newest report came, by Neutron's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What Prometheus holds of one host: a value that says that it lived then."""

    host: HostName
    stamp: datetime
    """The sample's own time, by the clock of whoever took it."""
    age: timedelta
    """How old it was when it was asked for, by Prometheus's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One row of `GET /os-aggregates`: hosts that an operator put together for some reason."""

    name: str
    hosts: frozenset[HostName]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervisor:
    """One row of `GET /os-hypervisors/detail` (2.53 to 2.87: with host_ip, without RPCs)."""

    id: str
    """The compute node's UUID; also its resource provider's in Placement."""
    host: HostName
    hypervisor_hostname: str
    type: str
    address: str | None = None
    """`host_ip`: where the host's management network answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """The flavor embedded in a server (2.47 and later); sizes as Nova counts them."""

    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server, as an administrator sees it."""

    id: ServerId
    name: str
    project_id: str
    host: HostName | None
    """None when Nova has not placed it, or it is shelved and offloaded."""
    status: str
    vm_state: str
    task_state: str | None
    power_state: int
    flavor: Flavor
    host_status: str = ""
    image_id: str | None = None
    """None when it boots from a volume (the API then gives an empty `image`)."""
    volume_ids: tuple[str, ...] = ()
    config_drive: bool = False
    availability_zone: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: frozenset[str] = frozenset()
    locked: bool = False
    launched: bool = True
    """Whether it ever ran (`launched_at` is set); one that never did cannot be evacuated."""
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAction:
    """One row of `GET /servers/{id}/os-instance-actions`."""

    name: str
    user: str | None
    """None for what Nova did by itself."""
    at: datetime


OPEN_STATUSES = frozenset(
    {
        "accepted",
        "queued",
        "preparing",
        "pre-migrating",
        "migrating",
        "post-migrating",
        "running",
        "running (post-copy)",
    },
)
"""Statuses of a migration record on which somebody may still be working."""

ARRIVED_STATUSES = frozenset({"done", "completed"})
"""`done` by the destination; `completed` by the source's own clean-up afterwards."""

FAILED_STATUSES = frozenset({"error", "failed", "cancelled"})

ENDED_STATUSES = ARRIVED_STATUSES | FAILED_STATUSES | {"finished", "confirmed", "reverted"}
"""Statuses on which nobody works any more; the last three are a resize's, and stay for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration record (`GET /os-migrations`, 2.59 and later)."""

    id: MigrationId
    server: ServerId
    source: HostName | None
    destination: HostName | None
    status: str
    type: str
    """`evacuation`, `live-migration`, `migration` or `resize`."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_evacuation(self) -> bool:
        """Return whether an evacuate request made this record."""
        return self.type == "evacuation"

    @property
    def is_open(self) -> bool:
        """Return whether somebody may still be working on it; an unknown status counts as open."""
        return self.status not in ENDED_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A server group: its policy and the servers that are in it."""

    id: str
    policy: str
    """`affinity`, `anti-affinity`, `soft-affinity` or `soft-anti-affinity`."""
    members: frozenset[ServerId]
    name: str = ""
    project_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a server asks of a destination, as Placement counts it."""

    vcpus: int
    ram_mb: int
    disk_gb: int
    """Local disk only: 0 for a root on a volume without ephemeral disk or swap."""
    required_traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a host can still take, allocation ratios and reservations applied."""

    host: HostName
    vcpus: int
    ram_mb: int
    disk_gb: int


class Running(StrEnum):
    """Whether the hypervisor of a server's host runs it, by `GET /servers/{id}/diagnostics`."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Power(StrEnum):
    """A power device's word on its host; `unknown` is never off."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class ProbeAnswer(StrEnum):
    """What one probe of a host's management address found."""

    USERLAND = "userland"
    """A program answered (an ssh banner): the host lives."""
    KERNEL = "kernel"
    """The kernel answered (a connection accepted or refused), no program did."""
    SILENT = "silent"
    """Asked and not answered."""
    OWN_TROUBLE = "own_trouble"
    """We could not ask (no route of our own, out of sockets): says nothing about the host."""
