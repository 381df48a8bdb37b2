"""Everything of a cloud that a forecast needs, read once: the whole stock, not one host's part."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Hypervisor,
    Migration,
    Room,
    Server,
    ServerGroup,
)
from koboshi.domain.names import HostName, ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume, as Cinder tells an administrator."""

    id: str
    backend: str | None = None
    """`os-vol-host-attr:host` (`cmp1@lvm#pool`): where it is served from; None if not told."""
    firmware: str = ""
    """`hw_firmware_type` of the image that it was made from."""
    tpm: str = ""
    """`hw_tpm_version` of it."""
    wishes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Properties of it that may ask something of a host."""

    @property
    def tells_of_image(self) -> bool:
        """Return whether it tells anything of the image that it was made from."""
        return bool(self.firmware or self.tpm or self.wishes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image."""

    id: str
    active: bool
    firmware: str = ""
    """`hw_firmware_type`: `uefi` gives its servers an NVRAM."""
    tpm: str = ""
    """`hw_tpm_version`: gives its servers a vTPM."""
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those that may say something of its servers' policy."""
    wishes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those that may ask something of a host."""
    tags: frozenset[str] = frozenset()
    owner: str = ""
    """The project that it belongs to."""
    is_public: bool = False
    """Whether an administrator gave it to everybody."""


def made_from(
    server: Server, images: Mapping[str, Image], volumes: Mapping[str, Volume]
) -> Image | Volume | None:
    """Return what tells the properties of the image that a server was made from; None if nothing does.

    Nova keeps them with the server and shows them to nobody before 2.98. Of a server that boots from
    a volume that volume has them; which of several it is the answer does not tell, so what any was
    made from counts.
    """
    if server.image_id is not None:
        return images.get(server.image_id)
    found = [v for volume in server.volume_ids if (v := volumes.get(volume)) and v.tells_of_image]
    if len(found) < 2:  # noqa: PLR2004 one, or none
        return found[0] if found else None
    return replace(
        found[0],
        firmware=next((v.firmware for v in found if v.firmware), ""),
        tpm=next((v.tpm for v in found if v.tpm), ""),
        wishes={name: value for v in found for name, value in v.wishes.items()},
    )


def wishes_of(made_from: Image | Volume | None) -> Mapping[str, str]:
    """Return what the image that a server was made from asks of a host, as far as that is told."""
    return made_from.wishes if made_from is not None else {}


PLAIN_PORT: Final = "normal"
NEVER_EVACUATED: Final = frozenset({"accelerator-direct", "accelerator-direct-physical"})
"""nova 34 compute/api.py: block_port_accelerators, on evacuate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a server's that asks something of its host."""

    id: str
    server: ServerId
    vnic_type: str = PLAIN_PORT
    """What but `normal` stands for a device of the host's: `direct`, `macvtap`, `vdpa`, …"""
    resources: tuple[str, ...] = ()
    """Resource classes that it asks for (`NET_BW_EGR_KILOBIT_PER_SEC`), sorted."""

    @property
    def is_device(self) -> bool:
        """Return whether a device of the host's is behind it."""
        return self.vnic_type != PLAIN_PORT

    @property
    def asks(self) -> tuple[str, ...]:
        """Return in words what it asks for."""
        device = (f"a port of type {self.vnic_type}",) if self.is_device else ()
        return (*device, *(f"a port with {name}" for name in self.resources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What Placement says of one host: ratios and reservations are counted in."""

    room: Room
    traits: frozenset[str] = frozenset()
    pool: str | None = None
    """The provider of its disk space, where that is one that several hosts share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that could not be read, and so is not known."""

    what: str
    why: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """One reading of a whole cloud."""

    services: tuple[ComputeService, ...]
    hypervisors: tuple[Hypervisor, ...]
    servers: tuple[Server, ...]
    groups: tuple[ServerGroup, ...] = ()
    open_records: tuple[Migration, ...] = ()
    """Evacuation records that are `accepted` or `pre-migrating`, of all hosts."""
    aggregates: tuple[Aggregate, ...] = ()
    volumes: Mapping[str, Volume] | None = None
    """By id; None when Cinder did not tell them."""
    images: Mapping[str, Image] | None = None
    """By id; None when Glance did not tell them."""
    ports: Mapping[ServerId, tuple[Port, ...]] | None = field(
        default_factory=dict[ServerId, tuple[Port, ...]]
    )
    """Those that ask something of a host, by server; None when Neutron did not tell them."""
    tpm_hosts: frozenset[HostName] | None = frozenset()
    """Hosts that can give a vTPM, read only where Cinder hides whose image asks for one; None if not told."""
    spaces: tuple[Space, ...] | None = None
    """None when Placement did not tell them."""
    gaps: tuple[Gap, ...] = ()
