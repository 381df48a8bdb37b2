"""A wrong power device: our *off* hit another host, and what the device reads proves nothing."""

import pytest

from koboshi.domain.decide import decide
from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.judging.felled import felled_by_our_off
from koboshi.domain.memory.commands import FenceOff
from koboshi.domain.memory.events import CommandEnded, IncidentMoved, Outcome
from koboshi.domain.names import CommandId, HostName
from tests.fakes.scene import H1, INCIDENT, OFF_THRICE, Scene, probe, readings

S = IncidentState


def fenced(ago_s: float = 7.0) -> Scene:
    """Return a cloud in which h1 was switched off so long ago, and reads off three times since."""
    scene = Scene().dark("h1", for_s=20).incident(S.FENCING, age_s=ago_s)
    command = FenceOff(id=CommandId("fence"), incident=INCIDENT, host=H1)
    scene.intend(command, ago_s)
    scene.tell(
        ago_s - 0.2,
        CommandEnded(command=command.id, outcome=Outcome.DONE, detail="accepted"),
    )
    return scene.set_power("h1", OFF_THRICE)


def felled(scene: Scene, now: Instant | None = None) -> HostName | None:
    return felled_by_our_off(scene.the_incident(), scene.world, scene.state, now or scene.now)


def next_state(scene: Scene) -> str | None:
    moves = [e for e in decide(scene.picture()).events if isinstance(e, IncidentMoved)]
    return next((str(m.to) for m in moves if m.incident == INCIDENT), None)


def test_three_readings_after_our_off_are_a_proof_when_nobody_else_fell() -> None:
    assert next_state(fenced()) == "proven"


def test_they_are_none_when_another_host_fell_silent_right_after_it() -> None:
    scene = fenced().set_probe("h2", probe("h2", 5.5))

    assert felled(scene) == "h2"
    assert next_state(scene) != "proven"


def test_a_person_is_told_whose_device_it_may_be() -> None:
    scene = fenced(31).set_probe("h2", probe("h2", 29))

    scene.tell(0, *decide(scene.picture()).events)  # two hosts at once: the brake is held
    (told,) = [e for e in decide(scene.picture()).events if isinstance(e, IncidentMoved)][:1]

    assert told.to is S.UNPROVEN
    assert "h2 fell silent right after" in told.reason


@pytest.mark.parametrize(
    "silent_s", [pytest.param(1.0, id="a lost packet"), pytest.param(9.0, id="silent before")]
)
def test_who_lost_a_packet_or_was_silent_before_was_not_hit(silent_s: float) -> None:
    assert felled(fenced().set_probe("h2", probe("h2", silent_s))) is None


def test_it_is_remembered_over_a_restart_by_the_other_hosts_incident() -> None:
    scene = fenced(40).incident(host="h2", age_s=30)
    silent_from_the_start = probe("h2", 20)
    scene.set_probe("h2", silent_from_the_start)

    assert felled(scene) == "h2"


def test_a_host_that_answers_again_was_not_hit() -> None:
    scene = fenced(40).incident(host="h2", age_s=30).set_probe("h2", probe("h2"))

    assert felled(scene) is None


def test_a_much_later_failure_has_nothing_to_do_with_it() -> None:
    scene = fenced(100).incident(host="h2", age_s=30).set_probe("h2", probe("h2", 36))

    assert felled(scene) is None


def test_its_device_is_not_used_again_when_the_host_that_it_hit_is_back() -> None:
    scene = fenced(100).tell(90, IncidentMoved(incident=INCIDENT, to=S.UNPROVEN, reason="test"))
    scene.set_power("h1", readings((3.0, Power.ON), (1.0, Power.ON)))
    assert [c.type for c in decide(scene.picture()).commands] == ["fence_off"]

    scene.incident(host="h2", age_s=92)

    assert decide(scene.picture()).commands == ()
