"""A person is reminded of what waits, ever more rarely, until it does not wait any more."""

import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.reminding import reminders
from koboshi.domain.memory.events import (
    Event,
    HostNoticeCleared,
    HostNoticed,
    IncidentMoved,
    RecoveryMoved,
)
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, INCIDENT, Scene, candidate

S = IncidentState
MINUTE = 60.0


def told(scene: Scene) -> list[Event]:
    return list(reminders(scene.picture(), H1))


def waiting(minutes: float, *path: IncidentState) -> Scene:
    return Scene().incident(*(path or (S.FENCING, S.UNPROVEN)), age_s=minutes * MINUTE)


@pytest.mark.parametrize("path", [(S.HELD,), (S.FENCING, S.UNPROVEN), (S.NEEDS_HUMAN,)])
def test_what_waits_is_told_again_after_a_quarter_of_an_hour(path: tuple[S, ...]) -> None:
    assert told(waiting(14.9, *path)) == []
    (event,) = told(waiting(15, *path))
    assert isinstance(event, HostNoticed)
    assert "still waits for a person, for 15 minutes" in event.text


@pytest.mark.parametrize(
    ("waited", "told_ago", "again"),
    [(29.9, 14.9, False), (30, 15, True), (59.9, 29.9, False), (60, 30, True)],
)
def test_each_pause_is_twice_the_one_before(waited: float, told_ago: float, *, again: bool) -> None:
    scene = waiting(waited)
    scene.tell(told_ago * MINUTE, HostNoticed(host=H1, topic="waiting_for_a_person", text=""))
    assert bool(told(scene)) is again


def test_never_less_than_once_a_day() -> None:
    scene = waiting(100 * 60)
    scene.tell(24 * 60 * MINUTE, HostNoticed(host=H1, topic="waiting_for_a_person", text=""))
    assert len(told(scene)) == 1


def test_it_ends_with_the_waiting() -> None:
    scene = waiting(20)
    scene.tell(MINUTE, *told(scene))
    assert told(scene) == []
    scene = Scene().incident(S.FENCING, age_s=10)
    scene.tell(5, HostNoticed(host=H1, topic="waiting_for_a_person", text=""))
    (event,) = told(scene)
    assert isinstance(event, HostNoticeCleared)
    assert told(Scene()) == []


def test_a_new_wait_begins_anew() -> None:
    """It was told of an earlier wait of the same incident."""
    scene = Scene().incident(S.FENCING, S.UNPROVEN, age_s=120 * MINUTE)
    scene.tell(60 * MINUTE, HostNoticed(host=H1, topic="waiting_for_a_person", text=""))
    incident = scene.the_incident().id
    scene.tell(10 * MINUTE, IncidentMoved(incident=incident, to=S.FENCING, reason=""))
    scene.tell(10 * MINUTE, IncidentMoved(incident=incident, to=S.UNPROVEN, reason=""))
    assert told(scene) == []


# Held servers

HOUR = 60 * MINUTE


def holding(hours: float, *path: IncidentState) -> Scene:
    servers = (candidate(image_server("a")), candidate(image_server("b")), candidate(server("c")))
    scene = Scene().recovering(*servers, age_s=hours * HOUR)
    for to in path or (S.SETTLED,):
        scene.tell(hours * HOUR - 1, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    return scene


@pytest.mark.parametrize("path", [(S.SETTLED,), (S.SETTLED, S.PARKED)])
def test_held_servers_are_told_of_after_an_hour_with_both_ways_out(path: tuple[S, ...]) -> None:
    assert told(holding(0.9, *path)) == []
    (event,) = told(holding(5, *path))
    assert isinstance(event, HostNoticed)
    assert event.topic == "servers_held"
    for words in (
        "2 servers are held on h1 for 5 hours: a (root), b (root).",
        "koboshi incident show h1-incident",
        "koboshi server rebuild a",
    ):
        assert words in event.text


@pytest.mark.parametrize(("told_ago", "again"), [(23.9, False), (24, True)])
def test_then_once_a_day(told_ago: float, *, again: bool) -> None:
    scene = holding(100)
    scene.tell(told_ago * HOUR, HostNoticed(host=H1, topic="servers_held", text=""))
    assert bool(told(scene)) is again


def test_not_while_its_host_is_on_its_way_home_and_over_when_none_is_held() -> None:
    assert told(holding(5, S.SETTLED, S.RETURNING)) == []
    scene = holding(5)
    scene.tell(HOUR, HostNoticed(host=H1, topic="servers_held", text=""))
    for name in ("a", "b"):
        gone = RecoveryMoved(
            incident=INCIDENT, server=ServerId(name), to=RecoveryState.GONE, reason=""
        )
        scene.tell(MINUTE, gone)
    assert told(scene) == [HostNoticeCleared(host=H1, topic="servers_held")]
