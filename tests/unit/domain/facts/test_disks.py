"""Where a server's data lies: each layout, and what is asked of a destination for it."""

import pytest

from koboshi.domain.facts.cloud import Demand, Flavor
from koboshi.domain.facts.disks import LAYOUT_MEANING, Layout, demand_of, disks_of
from koboshi.sim.samples import server

PLAIN = Flavor(name="f", vcpus=2, ram_mb=2048, disk_gb=20)
EPHEMERAL = Flavor(name="f", vcpus=2, ram_mb=2048, disk_gb=20, ephemeral_gb=5)
SWAP = Flavor(name="f", vcpus=2, ram_mb=2048, disk_gb=20, swap_mb=1)
BOTH = Flavor(name="f", vcpus=2, ram_mb=2048, disk_gb=20, ephemeral_gb=5, swap_mb=1025)


@pytest.mark.parametrize(
    ("image", "volume", "flavor", "layout", "local"),
    [
        (True, False, PLAIN, Layout.EPHEMERAL_ONLY, ("root",)),
        (True, True, PLAIN, Layout.EPHEMERAL_AND_VOLUMES, ("root",)),
        (True, False, BOTH, Layout.EPHEMERAL_ONLY, ("root", "ephemeral", "swap")),
        (False, True, PLAIN, Layout.BOOT_FROM_VOLUME, ()),
        (False, True, EPHEMERAL, Layout.BOOT_FROM_VOLUME_AND_EPHEMERAL, ("ephemeral",)),
        (False, True, SWAP, Layout.BOOT_FROM_VOLUME_AND_EPHEMERAL, ("swap",)),
    ],
)
def test_each_layout(
    *, image: bool, volume: bool, flavor: Flavor, layout: Layout, local: tuple[str, ...]
) -> None:
    disks = disks_of(server("a", image=image, volume=volume, flavor=flavor))
    assert (disks.layout, disks.local) == (layout, local)


def test_a_config_drive_is_no_data() -> None:
    assert disks_of(server("a", config_drive=True)).local == ()


@pytest.mark.parametrize(
    ("image", "flavor", "disk_gb"),
    [(True, PLAIN, 20), (False, PLAIN, 0), (True, BOTH, 27), (False, BOTH, 7), (False, SWAP, 1)],
)
def test_only_local_disk_is_asked_of_a_destination(
    *, image: bool, flavor: Flavor, disk_gb: int
) -> None:
    demand = demand_of(server("a", image=image, flavor=flavor))
    assert demand == Demand(vcpus=2, ram_mb=2048, disk_gb=disk_gb)


def test_required_traits_are_asked_for_and_others_are_not() -> None:
    specs = {"trait:HW_CPU_X86_AVX2": "required", "trait:X": "forbidden", "hw:cpu_policy": "shared"}
    flavor = Flavor(name="f", vcpus=1, ram_mb=1, disk_gb=1, extra_specs=specs)
    assert demand_of(server("a", flavor=flavor)).required_traits == {"HW_CPU_X86_AVX2"}


def test_every_layout_has_its_meaning() -> None:
    assert set(LAYOUT_MEANING) == set(Layout)
