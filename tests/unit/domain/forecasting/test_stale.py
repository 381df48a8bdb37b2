"""Evacuation records that nobody works on: bombs for the source's next start, wherever they are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Migration, Server
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.world import MigrationsRead
from koboshi.domain.forecasting.stale import all_bombs, bombs_on, cure
from koboshi.domain.forecasting.time_bombs import bomb_notices, bombs_seen, bombs_shown
from koboshi.domain.home.guard_home import bomb_text
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.watch import watch_hosts
from koboshi.domain.memory.events import HostNoticeCleared, HostNoticed, IncidentMoved
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, Scene, ago, candidate, evacuation_record


def scene_with(*records: Migration, servers: dict[str, Server | None] | None = None) -> Scene:
    scene = Scene()
    read = MigrationsRead(at=ago(1), records=records, unbroken_since=ago(1))
    left = {ServerId(name): found for name, found in (servers or {}).items()}
    scene.world = replace(scene.world, evacuations=read, left_open=left)
    return scene


def aged(
    minutes: float, status: str = "accepted", source: str = "h1", number: int = 1
) -> Migration:
    now = nova_now(Scene().world)
    assert now is not None
    stamp = now - timedelta(minutes=minutes)
    return evacuation_record("a", status, number=number, source=HostName(source), updated_at=stamp)


def told(scene: Scene) -> dict[tuple[str, str], str]:
    events = bomb_notices(scene.world, scene.state)
    return {(e.host, e.topic): e.text for e in events if isinstance(e, HostNoticed)}


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
    assert bool(bombs_on(H1, scene.world, scene.state)) is stale
    assert bool(told(scene)) is stale


def test_the_notice_names_server_host_record_what_will_happen_when_and_the_cure() -> None:
    record = aged(11)
    text = told(scene_with(record, servers={"a": image_server("a")}))["h1", "stale_record/record-1"]
    for word in (
        "server a",
        "from h1",
        record.id,
        "accepted",
        "UPDATE migrations SET status='error'",
    ):
        assert word in text
    assert "the next start of nova-compute on h1 destroys its guest, and its root for good" in text
    assert "instance_uuid='a'" in cure(record)


def test_each_bomb_is_told_once_and_its_end_once() -> None:
    scene = scene_with(aged(11), aged(12, source="h3", number=2))
    assert set(told(scene)) == {("h1", "stale_record/record-1"), ("h3", "stale_record/record-2")}
    scene.tell(1, *bomb_notices(scene.world, scene.state))
    assert list(bomb_notices(scene.world, scene.state)) == []
    rest = MigrationsRead(at=ago(0), records=(aged(11),), unbroken_since=ago(0))
    scene.world = replace(scene.world, evacuations=rest)
    cleared = HostNoticeCleared(host=HostName("h3"), topic="stale_record/record-2")
    assert list(bomb_notices(scene.world, scene.state)) == [cleared]


def test_it_is_told_again_when_its_server_is_moved_back() -> None:
    scene = scene_with(aged(11), servers={"a": server("a", "h2")})
    assert "nothing while it is on h2" in told(scene)["h1", "stale_record/record-1"]
    scene.tell(1, *bomb_notices(scene.world, scene.state))
    scene.world = replace(scene.world, left_open={ServerId("a"): server("a")})
    assert (
        "destroys its guest, and Nova shows it ACTIVE" in told(scene)["h1", "stale_record/record-1"]
    )


def test_whoever_made_it_on_every_host_and_at_every_start() -> None:
    """Hosts that Nova does not list any more, and those that are not protected, too."""
    scene = scene_with(aged(50000, source="gone"), aged(20, source="h5", number=2))
    scene.world = replace(scene.world, protected=scene.world.protected - {HostName("h5")})
    assert {e.host for e in watch_hosts(scene.picture()).events if e.kind == "host_noticed"} == {
        "gone",
        "h5",
    }


def test_a_deleted_server_has_nothing_to_lose() -> None:
    scene = scene_with(aged(11), servers={"a": None})
    assert told(scene) == {}
    (bomb,) = bombs_seen(scene.world, scene.state)
    assert bomb.is_harmless


def test_what_our_own_recovery_works_on_is_told_by_that() -> None:
    scene = scene_with(aged(11)).recovering(candidate(server("a"))).sent("a")
    scene.world = replace(scene.world, from_host={})
    assert bombs_on(H1, scene.world, scene.state) == ()


def test_a_held_server_of_an_open_incident_is_no_exception() -> None:
    scene = scene_with(aged(11)).recovering(candidate(image_server("a")))
    scene.world = replace(scene.world, from_host={})
    assert len(bombs_on(H1, scene.world, scene.state)) == 1


def test_the_newer_reading_of_a_host_counts() -> None:
    """After the cure: the records of an open incident's host are read every few seconds."""
    scene = scene_with(aged(11), aged(11, source="h3", number=2)).read_records(aged(11, "error"))
    assert {r.source for r in all_bombs(scene.world, scene.state)} == {"h3"}
    scene = scene_with().read_records(aged(11, "pre-migrating"))
    assert len(bombs_on(H1, scene.world, scene.state)) == 1


@pytest.mark.parametrize(
    ("minutes", "status", "task", "destination_up", "is_bomb"),
    [
        (30, "pre-migrating", "rebuild_spawning", True, False),
        (30, "pre-migrating", "rebuild_spawning", False, True),
        (30, "pre-migrating", None, True, True),
        (30, "accepted", "rebuilding", True, True),
        (121, "pre-migrating", "rebuild_spawning", True, True),
    ],
)
def test_what_a_living_destination_still_builds_is_on_its_way(
    minutes: float, status: str, task: str | None, *, destination_up: bool, is_bomb: bool
) -> None:
    at_work = server("a", task_state=task)
    scene = scene_with(aged(minutes, status), servers={"a": at_work})
    scene.set_heartbeat("h2", 3.0, up=destination_up)
    assert bool(bombs_on(H1, scene.world, scene.state)) is is_bomb


def test_nothing_read_nothing_said() -> None:
    scene = Scene()
    scene.world = replace(scene.world, evacuations=None)
    assert all_bombs(scene.world, scene.state) == ()
    assert list(bomb_notices(scene.world, scene.state)) == []


def needs_a_person(record: Migration) -> Scene:
    """Return an incident that was stopped by a record of its host, though it is young."""
    scene = scene_with()
    scene.recovering(candidate(image_server("a")))
    read = MigrationsRead(at=ago(0.5), records=(record,), unbroken_since=ago(0.5))
    scene.world = replace(scene.world, from_host={H1: read})
    (incident,) = scene.state.open_incidents()
    text = bomb_text(incident, (record,))
    return scene.tell(
        1, IncidentMoved(incident=incident.id, to=IncidentState.NEEDS_HUMAN, reason=text)
    )


def test_a_young_record_that_stopped_a_way_home_is_shown_with_its_cure() -> None:
    record = aged(2)
    scene = needs_a_person(record)
    assert bombs_seen(scene.world, scene.state) == ()
    (bomb,) = bombs_shown(scene.world, scene.state)
    assert (bomb.host, bomb.server, bomb.server_name, bomb.record) == (H1, "a", "a", record.id)
    assert bomb.cure == cure(record)


def test_other_young_records_are_shown_by_nobody() -> None:
    scene = needs_a_person(aged(2))
    for other in (aged(2, number=11), aged(2, "done")):
        read = MigrationsRead(at=ago(0.5), records=(other,), unbroken_since=ago(0.5))
        world = replace(scene.world, from_host={H1: read})
        assert bombs_shown(world, scene.state) == ()


def test_one_that_stops_a_way_home_and_is_old_is_shown_once() -> None:
    scene = needs_a_person(aged(11))
    assert len(bombs_seen(scene.world, scene.state)) == 1
    assert len(bombs_shown(scene.world, scene.state)) == 1
