"""The shapes of the lists that only a forecast reads; parsed as `bulk` does it, for they grow."""

from typing import Any

import msgspec

from koboshi.adapters.openstack.bulk import Link
from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.facts import stock
from koboshi.domain.policies.terms import may_speak


class ImageProperties(msgspec.Struct, frozen=True):
    """What a volume keeps of the image that it was made from."""

    firmware: str = msgspec.field(name="hw_firmware_type", default="")
    tpm: str = msgspec.field(name="hw_tpm_version", default="")


class Volume(msgspec.Struct, frozen=True):
    """One volume; its back end is told to administrators only."""

    id: str
    backend: str | None = msgspec.field(name="os-vol-host-attr:host", default=None)
    image: ImageProperties = msgspec.field(
        name="volume_image_metadata", default_factory=ImageProperties
    )


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
    image = row.image
    return stock.Volume(id=row.id, backend=row.backend, firmware=image.firmware, tpm=image.tpm)


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
        tags=frozenset(t for t in image.tags if may_speak(t.partition("=")[0])),
        owner=image.owner or "",
        is_public=image.visibility == "public",
    )
