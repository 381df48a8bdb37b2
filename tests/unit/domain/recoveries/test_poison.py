"""A server whose arrival may have killed a host: last, alone, once more at most."""

from dataclasses import replace

import pytest

from koboshi.domain.memory.events import PoisonSuspected, RecoveryMoved, ServersListed
from koboshi.domain.names import HostName, IncidentId, ServerId
from koboshi.domain.recoveries.plan import give_up_without_room, plan
from koboshi.domain.recoveries.poison import suspect_poison
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState
from koboshi.sim.samples import server
from tests.fakes.scene import INCIDENT, Scene, candidate, destinations, room

S = RecoveryState


def of(*names: str) -> list[Candidate]:
    return [candidate(server(n)) for n in names]


def died_with(*path: RecoveryState, moved_s: float, died_s: float) -> Scene:
    """Let h1's server have come to h2, which died later."""
    scene = Scene().recovering(*of("a"), age_s=3000).sent("a", "h2", age_s=moved_s + 10)
    for to in path:
        event = RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=to, reason="")
        scene.tell(moved_s, event)
    return scene.recovering(host="h2", age_s=died_s)


@pytest.mark.parametrize(
    ("path", "moved_s", "is_suspected"),
    [
        ((), 100, True),
        ((S.STUCK,), 100, True),
        ((S.CONFIRMING, S.SETTLING, S.DONE), 600, True),
        ((S.CONFIRMING, S.SETTLING, S.DONE), 650, False),
        ((S.ORPHAN_SUSPECTED,), 100, False),
    ],
)
def test_who_is_suspected(
    path: tuple[RecoveryState, ...], moved_s: float, *, is_suspected: bool
) -> None:
    scene = died_with(*path, moved_s=moved_s, died_s=20)
    events = suspect_poison(scene.picture()).events
    assert [e.server for e in events if isinstance(e, PoisonSuspected)] == ["a"] * is_suspected
    scene.tell(0, *events)
    assert not suspect_poison(scene.picture())


def suspected(scene: Scene, name: str, *hosts: str) -> Scene:
    for host in hosts:
        event = PoisonSuspected(
            incident=IncidentId(f"{host}-incident"), server=ServerId(name), host=HostName(host)
        )
        scene.tell(5, event)
    return scene


def sent(scene: Scene) -> dict[str, str]:
    return destinations(plan(scene.picture()).commands)


def test_it_goes_after_all_others_and_alone() -> None:
    scene = suspected(Scene(3).recovering(*of("a", "b")), "a", "h9").rooms(room("h2"), room("h3"))
    assert list(sent(scene)) == ["b"]
    scene.sent("b", "h2")
    assert sent(scene) == {"a": "h3"}
    scene.sent("a", "h3")
    new = ServersListed(incident=INCIDENT, candidates=tuple(of("c")))
    scene.tell(1, new).rooms(room("h3"))
    assert sent(scene) == {}
    assert sent(scene.rooms(room("h2"), room("h3"))) == {"c": "h2"}


def test_not_onto_a_host_with_a_critical_server() -> None:
    critical = replace(of("b")[0], priority=Priority.CRITICAL)
    scene = suspected(Scene(3).recovering(critical, *of("a")), "a", "h9")
    scene.rooms(room("h2", ram_mb=99_999), room("h3")).sent("b", "h2", age_s=30)
    for to in (S.CONFIRMING, S.SETTLING, S.DONE):
        scene.tell(20, RecoveryMoved(incident=INCIDENT, server=ServerId("b"), to=to, reason=""))
    assert sent(scene) == {"a": "h3"}


def test_after_two_deaths_it_goes_nowhere_and_says_why() -> None:
    scene = suspected(Scene().recovering(*of("a")), "a", "h8", "h9").rooms(room("h2"))
    assert sent(scene) == {}
    (event,) = give_up_without_room(scene.picture()).events
    assert isinstance(event, RecoveryMoved)
    assert (event.to, "h8 and h9 died" in event.reason) == (S.GIVEN_UP, True)
    scene.tell(0, event)
    assert not give_up_without_room(scene.picture())
