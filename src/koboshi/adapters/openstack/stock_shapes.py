"""The shapes of the lists that only a forecast reads; parsed as `bulk` does it, for they grow."""

from collections.abc import Mapping
from typing import Any

import msgspec

from koboshi.adapters.openstack.bulk import Link
from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.facts import stock
from koboshi.domain.facts.disks import NO_WISHES
from koboshi.domain.facts.wishes import says_wishes
from koboshi.domain.policies.terms import may_speak


class Volume(msgspec.Struct, frozen=True):
    """One volume; its back end is told to administrators only."""

    id: str
    backend: str | None = msgspec.field(name="os-vol-host-attr:host", default=None)
    image: dict[str, Any] | None = msgspec.field(name="volume_image_metadata", default=None)
    """What it keeps of the image that it was made from."""


class Volumes(msgspec.Struct, frozen=True):
    """`GET /volumes/detail`."""

    volumes: list[Volume]
    links: list[Link] = msgspec.field(name="volumes_links", default_factory=list[Link])


class VolumeDetail(msgspec.Struct, frozen=True):
    """`GET /volumes/ID`."""

    volume: Volume


class Image(msgspec.Struct, frozen=True):
    """One image."""

    id: str
    status: str
    firmware: str | None = msgspec.field(name="hw_firmware_type", default=None)
    tpm: str | None = msgspec.field(name="hw_tpm_version", default=None)
    owner: str | None = None
    visibility: str = ""
    tags: list[str] = msgspec.field(default_factory=list[str])


class Images(msgspec.Struct, frozen=True):
    """`GET /v2/images`. Properties are keys like any other, whatever they are called."""

    images: list[dict[str, Any]]
    next: str | None = None


class ResourceGroup(msgspec.Struct, frozen=True):
    """Resources that a port asks for together."""

    resources: dict[str, int] | None = None


class ResourceRequest(msgspec.Struct, frozen=True):
    """What a port asks of Placement: in groups (port-resource-request-groups), or in one as before."""

    resources: dict[str, int] | None = None
    request_groups: list[ResourceGroup] | None = None


class Port(msgspec.Struct, frozen=True):
    """One port, as far as it is asked for; what Neutron does not have is not in the answer."""

    id: str
    device_id: str | None = None
    vnic_type: str | None = msgspec.field(name="binding:vnic_type", default=None)
    resource_request: ResourceRequest | None = None


class Ports(msgspec.Struct, frozen=True):
    """`GET /v2.0/ports`."""

    ports: list[Port]
    links: list[Link] = msgspec.field(name="ports_links", default_factory=list[Link])


class Inventory(msgspec.Struct, frozen=True):
    """What a provider has of one resource class: ratios and reservations are counted in."""

    capacity: int
    used: int


class Provider(msgspec.Struct, frozen=True):
    """One resource provider."""

    resources: dict[str, Inventory]
    root: str = msgspec.field(name="root_provider_uuid")
    traits: list[str] = msgspec.field(default_factory=list[str])


class Allocation(msgspec.Struct, frozen=True):
    """What would be taken from one provider."""

    resources: dict[str, int]


class AllocationRequest(msgspec.Struct, frozen=True):
    """One way to satisfy the demand."""

    allocations: dict[str, Allocation]


class Candidates(msgspec.Struct, frozen=True):
    """`GET /allocation_candidates` (1.29)."""

    requests: list[AllocationRequest] = msgspec.field(name="allocation_requests")
    providers: dict[str, Provider] = msgspec.field(name="provider_summaries")


def volume_of(row: Volume) -> stock.Volume:
    """Return one volume."""
    image = {k: v for k, v in (row.image or {}).items() if isinstance(v, str)}
    return stock.Volume(
        id=row.id,
        backend=row.backend,
        firmware=image.get("hw_firmware_type", ""),
        tpm=image.get("hw_tpm_version", ""),
        wishes=_wishes(image),
    )


def _wishes(properties: Mapping[str, str]) -> Mapping[str, str]:
    """Return what asks something of a host; mostly nothing, and then one object for all."""
    return {k: v for k, v in properties.items() if says_wishes(k)} or NO_WISHES


def image_of(row: dict[str, Any]) -> stock.Image:
    """Return one image. Raises InvalidAnswer where it has not the shape of one."""
    try:
        image = msgspec.convert(row, Image)
    except msgspec.ValidationError as error:
        raise InvalidAnswer(f"Glance's image {row.get('id', '')}: {error}") from None
    return stock.Image(
        id=image.id,
        active=image.status == "active",
        firmware=image.firmware or "",
        tpm=image.tpm or "",
        properties={k: v for k, v in row.items() if may_speak(k) and isinstance(v, str)},
        wishes=_wishes({k: v for k, v in row.items() if isinstance(v, str)}),
        tags=frozenset(t for t in image.tags if may_speak(t.partition("=")[0])),
        owner=image.owner or "",
        is_public=image.visibility == "public",
    )
