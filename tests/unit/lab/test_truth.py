"""The truth is read from the hosts' disks, and a server that runs twice is always found."""

from pathlib import Path

import pytest

from lab import truth
from lab.guests import RUNNING, STOPPED, Guest, HostDisk


def host(run: Path, name: str, *, powered: bool = True) -> HostDisk:
    disk = HostDisk(run, name)
    disk.set_powered(powered)
    return disk


def guest(state: str = RUNNING, **more: object) -> Guest:
    return Guest(server="s1", name="bfv-1", domain="instance-1", state=state, **more)  # type: ignore[arg-type] the test chooses the fields


def where_it_runs(run: Path) -> list[str]:
    return [e["host"] for e in truth.read(run) if e["running"]]


def test_no_lab_has_no_truth(tmp_path: Path) -> None:
    assert truth.read(tmp_path) == []
    assert truth.violations(tmp_path) == []


def test_a_server_is_listed_with_its_disks(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")
    root = disk.ensure_disk("s1", "root", shared=False)
    disk.define(guest(volumes=["v1"]))

    (entry,) = truth.read(tmp_path)
    assert (entry["server"], entry["host"], entry["running"]) == ("s1", "cmp1", True)
    assert entry["disks"] == [
        {"name": "root", "kind": "local", "id": root},
        {"name": "v1", "kind": "volume", "id": "v1"},
    ]


def test_without_power_nothing_runs_and_everything_stays(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")
    root = disk.ensure_disk("s1", "root", shared=False)
    disk.define(guest())
    disk.set_powered(False)

    (entry,) = truth.read(tmp_path)
    assert not entry["running"]
    assert entry["disks"][0]["id"] == root


def test_after_a_power_cycle_a_server_is_stopped(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")
    disk.define(guest())
    disk.set_powered(False)
    disk.stop_all()
    disk.set_powered(True)

    assert where_it_runs(tmp_path) == []


def test_a_disk_that_exists_is_used_again(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")

    assert disk.ensure_disk("s1", "root", shared=False) == disk.ensure_disk(
        "s1", "root", shared=False
    )


def test_a_disk_that_was_destroyed_comes_back_as_another(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")
    before = disk.ensure_disk("s1", "root", shared=False)
    disk.define(guest())
    disk.undefine("s1", destroy_disks=True)

    assert truth.read(tmp_path) == []
    assert disk.ensure_disk("s1", "root", shared=False) != before


def test_a_disk_on_shared_storage_is_the_same_on_each_host(tmp_path: Path) -> None:
    one, two = host(tmp_path, "cmp1"), host(tmp_path, "cmp2")

    assert one.ensure_disk("s1", "root", shared=True) == two.ensure_disk("s1", "root", shared=True)


def test_a_start_beside_a_running_copy_is_a_violation_for_ever(tmp_path: Path) -> None:
    one, two = host(tmp_path, "cmp1"), host(tmp_path, "cmp2")
    one.define(guest())
    two.define(guest())
    two.undefine("s1", destroy_disks=True)

    (found,) = truth.violations(tmp_path)
    assert found["server"] == "s1"
    assert found["hosts"] == ["cmp2", "cmp1"]


@pytest.mark.parametrize("other", ["off", "stopped"])
def test_a_copy_that_does_not_run_is_no_violation(tmp_path: Path, other: str) -> None:
    one, two = host(tmp_path, "cmp1"), host(tmp_path, "cmp2")
    one.define(guest(RUNNING if other == "off" else STOPPED))
    one.set_powered(other != "off")
    two.define(guest())

    assert truth.violations(tmp_path) == []


def test_a_second_copy_is_found_even_if_its_start_was_not_seen(tmp_path: Path) -> None:
    one, two = host(tmp_path, "cmp1", powered=False), host(tmp_path, "cmp2")
    one.define(guest())
    two.define(guest())
    one.set_powered(True)

    (found,) = truth.violations(tmp_path)
    assert found["hosts"] == ["cmp1", "cmp2"]


def test_starts_stops_and_ends_are_recorded_in_order(tmp_path: Path) -> None:
    disk = host(tmp_path, "cmp1")
    disk.define(guest())
    disk.define(guest(volumes=["v1"]))
    disk.define(guest(STOPPED))
    disk.undefine("s1", destroy_disks=False)

    assert [e["event"] for e in truth.events(tmp_path)] == ["start", "stop", "destroy"]
