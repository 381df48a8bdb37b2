"""The shapes of the lists that only a forecast reads; parsed as `bulk` does it, for they grow."""

import msgspec

from koboshi.adapters.openstack.bulk import Link


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


class Image(msgspec.Struct, frozen=True):
    """One image."""

    id: str
    status: str
    firmware: str | None = msgspec.field(name="hw_firmware_type", default=None)
    tpm: str | None = msgspec.field(name="hw_tpm_version", default=None)


class Images(msgspec.Struct, frozen=True):
    """`GET /v2/images`."""

    images: list[Image]
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
