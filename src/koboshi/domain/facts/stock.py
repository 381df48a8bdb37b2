"""Everything of a cloud that a forecast needs, read once: the whole stock, not one host's part."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Hypervisor,
    Migration,
    Room,
    Server,
    ServerGroup,
)


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
    a volume that volume has them; which of several it is the answer does not tell.
    """
    if server.image_id is not None:
        return images.get(server.image_id)
    found = (volumes.get(volume) for volume in server.volume_ids)
    return next((v for v in found if v is not None and (v.firmware or v.tpm)), None)


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
    spaces: tuple[Space, ...] | None = None
    """None when Placement did not tell them."""
    gaps: tuple[Gap, ...] = ()
