"""A cloud as data: what a story's `cloud.toml` says, and how the simulated cloud is built from it.

Hosts are `h1`, `h2`, …; each table says only what differs from the usual.
"""

from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from koboshi.domain.facts.cloud import Aggregate, Flavor, Migration, Server, ServerGroup
from koboshi.domain.facts.device import BMC
from koboshi.domain.facts.stock import PLAIN_PORT, Image, Port
from koboshi.domain.facts.wishes import says_wishes
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.settings.base import Duration, Section, seconds
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host

FIRST_ADDRESS = IPv4Address("10.0.0.0")
MAX_HOSTS = 65_000
IMAGE = "image-1"
STATUS = {"active": "ACTIVE", "stopped": "SHUTOFF", "resized": "VERIFY_RESIZE"}
RUNNING, PAUSED, OFF = 1, 3, 4
"""Nova's power_state."""


Device = Literal["bmc", "outlets"]


class Disks(StrEnum):
    """What a server's data lies on."""

    VOLUMES = "volumes"
    """Boot from volume: nothing of it lies on its host."""
    VOLUMES_AND_EPHEMERAL = "volumes_and_ephemeral"
    """Boot from volume with an ephemeral disk of the flavor's on the host."""
    VOLUMES_AND_SWAP = "volumes_and_swap"
    """Boot from volume with a swap disk of the flavor's on the host."""
    IMAGE = "image"
    """All of it on the host's own disk."""
    IMAGE_AND_VOLUME = "image_and_volume"
    """Root on the host's own disk, data on a volume."""

    @property
    def boots_from_image(self) -> bool:
        """Return whether the root disk is made from an image on the host."""
        return self in {Disks.IMAGE, Disks.IMAGE_AND_VOLUME}


class HostSpec(Section):
    """One compute host, as far as it differs from the others."""

    zone: str = "nova"
    hypervisor: str = "QEMU"
    vcpus: int = Field(default=32, ge=1)
    ram_mb: int = Field(default=65_536, ge=1)
    disk_gb: int = Field(default=1_000, ge=0)
    boot: Duration = seconds(20)
    spawn: Duration = seconds(2)
    storage: str = ""
    """The storage that it shares with the hosts of the same word; empty: its own disk."""
    fenced: bool = True
    """Whether Koboshi has a power device for it."""
    devices: tuple[Device, ...] = (BMC,)
    """Those that it has, in their order."""
    rack: str = ""
    """Hosts of the same word share their switches and feeds, and are an aggregate of that name."""
    traits: tuple[str, ...] = ()
    """What Placement says that it can do."""


class ServerSpec(Section):
    """One server, as it is when the story begins."""

    host: str
    disks: Disks = Disks.VOLUMES
    vm_state: str = "active"
    task_state: str | None = None
    vcpus: int = Field(default=1, ge=1)
    ram_mb: int = Field(default=1_024, ge=1)
    disk_gb: int = Field(default=10, ge=0)
    extra_specs: dict[str, str] = Field(default_factory=dict[str, str])
    zone: str = ""
    """The availability zone that its owner asked for, if any."""
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    tags: tuple[str, ...] = ()
    image: str = IMAGE
    """The image that its root was made from, on the host's disk or on a volume."""
    served_by: str = ""
    """The host whose own back end serves its volumes; empty: one that outlives every host."""
    project: str = "p"
    locked: bool = False
    launched: bool = True


class ImageSpec(Section):
    """One image of which there is more to tell than its name."""

    properties: dict[str, str] = Field(default_factory=dict[str, str])
    tags: tuple[str, ...] = ()
    owner: str = ""
    """The project that it is of; without one it is the administrator's, and everybody's."""


class PortSpec(Section):
    """One port that asks something of its server's host."""

    server: str
    vnic_type: str = PLAIN_PORT
    resources: tuple[str, ...] = ()
    """Resource classes that it asks for, as by a minimum bandwidth."""


class AggregateSpec(Section):
    """One host aggregate."""

    hosts: tuple[str, ...]
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class GroupSpec(Section):
    """One server group."""

    policy: str = "anti-affinity"
    members: tuple[str, ...]


class RecordSpec(Section):
    """One migration record that is there when the story begins."""

    server: str
    source: str
    destination: str | None = None
    status: str
    type: str = "evacuation"
    age: Duration = timedelta(days=30)


class CloudSpec(Section):
    """The cloud of a story."""

    hosts: Annotated[int, Field(ge=1, le=MAX_HOSTS)] = 4
    """How many compute hosts there are: h1, h2, …"""
    heartbeat: Duration = seconds(10)
    down_after: Duration | None = None
    """Nova's service_down_time; without it six heartbeats."""
    agents: Duration | None = None
    """How often the hosts' Neutron agents report; without it there are none."""
    prometheus: Duration | None = None
    """How often a Prometheus scrapes the hosts; without it there is none."""
    host: dict[str, HostSpec] = Field(default_factory=dict[str, HostSpec])
    server: dict[str, ServerSpec] = Field(default_factory=dict[str, ServerSpec])
    group: dict[str, GroupSpec] = Field(default_factory=dict[str, GroupSpec])
    record: dict[str, RecordSpec] = Field(default_factory=dict[str, RecordSpec])
    image: dict[str, ImageSpec] = Field(default_factory=dict[str, ImageSpec])
    port: dict[str, PortSpec] = Field(default_factory=dict[str, PortSpec])
    aggregate: dict[str, AggregateSpec] = Field(default_factory=dict[str, AggregateSpec])

    @property
    def host_names(self) -> tuple[HostName, ...]:
        """Return the names of all compute hosts."""
        return tuple(HostName(f"h{n}") for n in range(1, self.hosts + 1))

    @model_validator(mode="after")
    def _speaks_of_what_is_there(self) -> Self:
        hosts, servers = frozenset(self.host_names), frozenset(self.server)
        named = [("host", name, name) for name in self.host]
        named += [("server", name, s.host) for name, s in self.server.items()]
        named += [("record", name, r.source) for name, r in self.record.items()]
        named += [("aggregate", name, h) for name, a in self.aggregate.items() for h in a.hosts]
        named += [
            ("record", n, r.destination)
            for n, r in self.record.items()
            if r.destination is not None
        ]
        for table, name, host in named:
            if host not in hosts:
                raise ValueError(
                    f"[{table}.{name}] speaks of host {host}, and there are h1 to h{self.hosts}"
                )
        for name, group in self.group.items():
            if strangers := [m for m in group.members if m not in servers]:
                raise ValueError(
                    f"[group.{name}] has member {strangers[0]}, which is no server here"
                )
        for name, record in self.record.items():
            if record.server not in servers:
                raise ValueError(f"[record.{name}] is of {record.server}, which is no server here")
        for name, port in self.port.items():
            if port.server not in servers:
                raise ValueError(f"[port.{name}] is of {port.server}, which is no server here")
        return self

    @property
    def racks(self) -> frozenset[str]:
        """Return the words that name racks."""
        return frozenset(h.rack for h in self.host.values() if h.rack)

    def of_host(self, name: str) -> HostSpec:
        """Return what is said of a host."""
        return self.host.get(name, HostSpec())


def server_of(name: str, spec: ServerSpec) -> Server:
    """Return Nova's row of a server."""
    by_volume = not spec.disks.boots_from_image
    return Server(
        id=ServerId(name),
        name=name,
        project_id=spec.project,
        host=HostName(spec.host),
        status=STATUS.get(spec.vm_state, spec.vm_state.upper()),
        vm_state=spec.vm_state,
        task_state=spec.task_state,
        power_state={"active": RUNNING, "paused": PAUSED}.get(spec.vm_state, OFF),
        flavor=Flavor(
            name=f"m{spec.ram_mb}",
            vcpus=spec.vcpus,
            ram_mb=spec.ram_mb,
            disk_gb=spec.disk_gb,
            ephemeral_gb=5 if spec.disks is Disks.VOLUMES_AND_EPHEMERAL else 0,
            swap_mb=512 if spec.disks is Disks.VOLUMES_AND_SWAP else 0,
            extra_specs=spec.extra_specs,
        ),
        image_id=None if by_volume else spec.image,
        volume_ids=() if spec.disks is Disks.IMAGE else (f"volume-of-{name}",),
        availability_zone=spec.zone,
        metadata=spec.metadata,
        tags=frozenset(spec.tags),
        locked=spec.locked,
        launched=spec.launched,
    )


def _machine(number: int, name: HostName, spec: HostSpec) -> Host:
    return Host(
        name=name,
        address=str(FIRST_ADDRESS + number),
        vcpus=spec.vcpus,
        ram_mb=spec.ram_mb,
        disk_gb=spec.disk_gb,
        boot_s=spec.boot.total_seconds(),
        spawn_s=spec.spawn.total_seconds(),
        storage=spec.storage or None,
        traits=frozenset(spec.traits),
        rack=spec.rack,
    )


def build_cloud(spec: CloudSpec) -> SimCloud:
    """Return the cloud before its first moment; `furnish` fills it once it has begun."""
    heartbeat_s = spec.heartbeat.total_seconds()
    cloud = SimCloud(
        [_machine(n, h, spec.of_host(h)) for n, h in enumerate(spec.host_names, 1)],
        heartbeat_s=heartbeat_s,
        down_after_s=spec.down_after.total_seconds() if spec.down_after else 6 * heartbeat_s,
    )
    cloud.zones.update({h: spec.of_host(h).zone for h in spec.host_names})
    cloud.types.update({h: spec.of_host(h).hypervisor for h in spec.host_names})
    return cloud


def furnish(cloud: SimCloud, spec: CloudSpec) -> None:
    """Put servers, groups and records into a cloud that has begun."""
    cloud.catalogue.images.update({name: _image(name, i) for name, i in spec.image.items()})
    for name, server in spec.server.items():
        row = server_of(name, server)
        if server.served_by:
            cloud.backends.update(dict.fromkeys(row.volume_ids, f"{server.served_by}@lvm#lvm"))
        if row.image_id is None:
            cloud.catalogue.made_from.update(dict.fromkeys(row.volume_ids, server.image))
        cloud.add(row)
    cloud.groups.extend(
        ServerGroup(
            id=name, name=name, policy=g.policy, members=frozenset(map(ServerId, g.members))
        )
        for name, g in spec.group.items()
    )
    cloud.catalogue.ports.extend(
        Port(id=name, server=ServerId(p.server), vnic_type=p.vnic_type, resources=p.resources)
        for name, p in spec.port.items()
    )
    cloud.catalogue.aggregates.update(
        {
            name: Aggregate(name=name, hosts=frozenset(map(HostName, a.hosts)), metadata=a.metadata)
            for name, a in spec.aggregate.items()
        }
    )
    cloud.records.extend(_record(name, r, cloud) for name, r in spec.record.items())


def _image(name: str, spec: ImageSpec) -> Image:
    return Image(
        id=name,
        active=True,
        firmware=spec.properties.get("hw_firmware_type", ""),
        tpm=spec.properties.get("hw_tpm_version", ""),
        properties=spec.properties,
        wishes={k: v for k, v in spec.properties.items() if says_wishes(k)},
        tags=frozenset(spec.tags),
        owner=spec.owner,
        is_public=not spec.owner,
    )


def _record(name: str, spec: RecordSpec, cloud: SimCloud) -> Migration:
    at = cloud.nova_now() - spec.age
    return Migration(
        id=MigrationId(f"old-{name}"),
        server=ServerId(spec.server),
        source=HostName(spec.source),
        destination=HostName(spec.destination) if spec.destination else None,
        status=spec.status,
        type=spec.type,
        created_at=at,
        updated_at=at,
    )
