"""Where a server's data lies, and so what its host's death costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from koboshi.domain.facts.cloud import Demand, Flavor, Server
from koboshi.domain.facts.wishes import traits_required

NO_WISHES: Final[Mapping[str, str]] = MappingProxyType({})


class Layout(StrEnum):
    """The kinds of disks a server has together."""

    EPHEMERAL_ONLY = "ephemeral_only"
    EPHEMERAL_AND_VOLUMES = "ephemeral_and_volumes"
    BOOT_FROM_VOLUME = "boot_from_volume"
    BOOT_FROM_VOLUME_AND_EPHEMERAL = "boot_from_volume_and_ephemeral"


LAYOUT_MEANING: dict[Layout, str] = {
    Layout.EPHEMERAL_ONLY: "every disk lies on the host: an evacuation makes it again from its image",
    Layout.EPHEMERAL_AND_VOLUMES: "the root lies on the host, volumes keep their data",
    Layout.BOOT_FROM_VOLUME: "every disk is a volume: an evacuation loses nothing",
    Layout.BOOT_FROM_VOLUME_AND_EPHEMERAL: (
        "the root is a volume, but an ephemeral disk or swap lies on the host"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disks:
    """A server's layout and the names of the disks that lie on its host."""

    layout: Layout
    local: tuple[str, ...]


def disks_of(server: Server) -> Disks:
    """Return where the server's data lies, by Nova's own rules.

    An empty image means that the root is a volume (nova compute/utils.py:
    is_volume_backed_instance). The flavor's ephemeral disk and swap are local even then. A config
    drive is regenerated, and counts as no data.
    """
    local: list[str] = []
    boots_from_volume = server.image_id is None
    if not boots_from_volume:
        local.append("root")
    if server.flavor.ephemeral_gb > 0:
        local.append("ephemeral")
    if server.flavor.swap_mb > 0:
        local.append("swap")
    if boots_from_volume:
        layout = Layout.BOOT_FROM_VOLUME_AND_EPHEMERAL if local else Layout.BOOT_FROM_VOLUME
    else:
        layout = Layout.EPHEMERAL_AND_VOLUMES if server.volume_ids else Layout.EPHEMERAL_ONLY
    return Disks(layout=layout, local=tuple(local))


def _gib_of_swap(flavor: Flavor) -> int:
    """Return swap in whole GiB, rounded up, as Nova asks Placement for it."""
    return -(-flavor.swap_mb // 1024)


def demand_of(server: Server, image: Mapping[str, str] = NO_WISHES) -> Demand:
    """Return what the server asks of a destination (nova scheduler/utils.py: ResourceRequest).

    `image` is what the image that it was made from asks for.
    """
    flavor = server.flavor
    root_gb = flavor.disk_gb if server.image_id is not None else 0
    return Demand(
        vcpus=flavor.vcpus,
        ram_mb=flavor.ram_mb,
        disk_gb=root_gb + flavor.ephemeral_gb + _gib_of_swap(flavor),
        required_traits=frozenset(traits_required(flavor.extra_specs))
        | frozenset(traits_required(image)),
    )
