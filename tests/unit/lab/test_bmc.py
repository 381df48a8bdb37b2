"""What a BMC tells in each of its modes; its switch is tried on a lab that is up."""

from pathlib import Path

import pytest

from lab import bmc, configure, knobs, layout
from lab.bmc import Bmc
from lab.guests import HostDisk
from lab.layout import Layout

HOSTS = ["cmp1", "cmp2"]
IPMI_PASSWORD_MAX = 20


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    place = Layout(tmp_path)
    HostDisk(place.run, "cmp1").set_powered(powered=True)
    HostDisk(place.run, "cmp2").set_powered(powered=False)
    return place


@pytest.mark.parametrize(
    ("mode", "reads_on"),
    [("normal", True), ("accept-only", True), ("lie-off", False), ("wrong-host", False)],
)
def test_what_it_reads_of_a_host_with_power(place: Layout, mode: str, *, reads_on: bool) -> None:
    knobs.write(place.run, "bmc-cmp1", {"mode": mode})

    assert Bmc(place, "cmp1", HOSTS).reads_on() is reads_on


def test_a_bmc_in_the_wrong_machine_says_so(place: Layout) -> None:
    knobs.write(place.run, "bmc-cmp2", {"mode": "wrong-host"})

    assert Bmc(place, "cmp2", HOSTS).uuid == layout.system_id("cmp1")


@pytest.mark.parametrize("mode", ["lie-off", "accept-only"])
def test_one_that_does_nothing_leaves_the_power_alone(place: Layout, mode: str) -> None:
    knobs.write(place.run, "bmc-cmp1", {"mode": mode})

    Bmc(place, "cmp1", HOSTS).off()

    assert HostDisk(place.run, "cmp1").powered


def test_its_password_fits_into_ipmi(place: Layout) -> None:
    assert 12 <= len(configure.bmc_password(place)) <= IPMI_PASSWORD_MAX


def test_normal_is_a_mode() -> None:
    assert bmc.MODES[0] == "normal"
