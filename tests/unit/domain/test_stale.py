"""Evacuation records that nobody works on: bombs for the source's next start, wherever they are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.cloud import Migration
from koboshi.domain.names import HostName
from koboshi.domain.nova_time import nova_now
from koboshi.domain.stale import cure, stale_record_notice, stale_records
from koboshi.domain.world import MigrationsRead
from koboshi.sim.samples import server
from tests.fakes.scene import H1, Scene, ago, candidate, evacuation_record


def scene_with(*records: Migration) -> Scene:
    scene = Scene()
    read = MigrationsRead(at=ago(1), records=records, unbroken_since=ago(1))
    scene.world = replace(scene.world, evacuations=read)
    return scene


def aged(minutes: float, status: str = "accepted", source: str = "h1") -> Migration:
    now = nova_now(Scene().world)
    assert now is not None
    stamp = now - timedelta(minutes=minutes)
    return evacuation_record("a", status, source=HostName(source), updated_at=stamp)


@pytest.mark.parametrize(
    ("record", "stale"),
    [
        (aged(11), True),
        (aged(11, "pre-migrating"), True),
        (aged(9), False),
        (aged(11, "done"), False),
        (aged(11, "error"), False),
    ],
)
def test_open_and_untouched_for_ten_minutes_by_novas_own_clock(
    record: Migration, *, stale: bool
) -> None:
    scene = scene_with(record)
    assert bool(stale_records(H1, scene.world, scene.state)) is stale
    notice = stale_record_notice(H1, scene.world, scene.state)
    assert bool(notice) is stale


def test_the_warning_names_host_server_record_and_cure() -> None:
    record = aged(11)
    scene = scene_with(record)
    notice = stale_record_notice(H1, scene.world, scene.state) or ""
    for word in ("h1", "server a", record.id, "accepted", "UPDATE migrations SET status='error'"):
        assert word in notice
    assert "instance_uuid='a'" in cure(record)
    assert stale_record_notice(HostName("h2"), scene.world, scene.state) is None


def test_whoever_made_it_on_every_host_and_at_every_start() -> None:
    scene = scene_with(aged(50000, source="h3"), aged(20, source="h5"))
    assert stale_record_notice(HostName("h3"), scene.world, scene.state)
    assert stale_record_notice(HostName("h5"), scene.world, scene.state)


def test_a_host_that_is_being_recovered_has_records_on_which_we_work() -> None:
    scene = scene_with(aged(11)).recovering(candidate(server("a")))
    assert stale_records(H1, scene.world, scene.state) == ()


def test_nothing_read_nothing_said() -> None:
    scene = Scene()
    scene.world = replace(scene.world, evacuations=None)
    assert stale_records(H1, scene.world, scene.state) == ()
