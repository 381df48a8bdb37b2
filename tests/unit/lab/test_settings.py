"""Settings and passwords as files."""

from pathlib import Path

import pytest

from lab import LabError, Settings, settings
from lab.layout import Layout


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    place = Layout(tmp_path)
    place.run.mkdir(parents=True)
    return place


@pytest.mark.parametrize("hosts", [0, -1, 21])
def test_a_lab_has_one_to_twenty_hosts(hosts: int) -> None:
    with pytest.raises(LabError, match="1 to 20"):
        Settings(hosts=hosts)


def test_unknown_intervals_are_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="fast, default"):
        Settings(intervals="slow")


def test_settings_come_back_as_they_were_saved(place: Layout) -> None:
    settings.save(place, Settings(hosts=7, intervals="default"), ready=True)

    assert settings.load(place) == (Settings(hosts=7, intervals="default"), True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hosts": 3}'])
def test_a_damaged_file_means_that_there_is_no_lab(place: Layout, text: str) -> None:
    place.settings_file.write_text(text)

    assert settings.load(place) is None


def test_a_lab_that_came_up_half_is_not_up(place: Layout) -> None:
    settings.save(place, Settings(), ready=False)

    with pytest.raises(LabError, match="make lab"):
        settings.require(place)


def test_an_unknown_host_is_refused_with_the_known_ones(place: Layout) -> None:
    settings.save(place, Settings(hosts=2), ready=True)

    with pytest.raises(LabError, match=r"'cmp3'.*cmp1, cmp2"):
        settings.require_host(place, "cmp3")


def test_a_password_is_made_once_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    first = settings.password(tmp_path / "secrets", "bmc")

    assert settings.password(tmp_path / "secrets", "bmc") == first
    assert len(first) >= 20
    assert (tmp_path / "secrets" / "bmc").stat().st_mode & 0o777 == 0o600
