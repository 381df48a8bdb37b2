"""An incident that was begun and cannot go on: a person's, and taken up again when it can."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import Armed, Disarmed, IncidentMoved, RecoveryMoved
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import Mode
from koboshi.sim.samples import server
from tests.fakes.scene import H1, INCIDENT, OFF_THRICE, Scene, candidate

S_ = IncidentState


def waiting(age_s: float) -> Scene:
    """Return a recovery of which one server waits, since so long ago."""
    return Scene().recovering(candidate(server("a")), age_s=age_s)


def moved_to(s: Scene) -> list[IncidentState]:
    decision = advance(s.picture(), s.the_incident())
    assert not decision.commands
    return [e.to for e in decision.events if isinstance(e, IncidentMoved)]


def observing(s: Scene) -> Scene:
    s.rules = replace(s.rules, mode=Mode.OBSERVE)
    return s


def laid_down(s: Scene) -> Scene:
    s.tell(30, IncidentMoved(incident=INCIDENT, to=S_.NEEDS_HUMAN, reason="test"))
    return s


@pytest.mark.parametrize(("age_s", "to"), [(590, []), (610, [S_.NEEDS_HUMAN])])
def test_a_recovery_without_proof_has_a_deadline(age_s: float, to: list[IncidentState]) -> None:
    assert moved_to(waiting(age_s).set_power("h1", None)) == to


def test_a_recovery_that_is_proven_has_none() -> None:
    assert moved_to(waiting(3000).set_power("h1", OFF_THRICE)) == []


def test_no_person_is_asked_for_what_nova_owes() -> None:
    s = waiting(3000).set_power("h1", None)
    api = replace(s.world.api, failing_since=s.now.later(-timedelta(seconds=60)))
    s.world = replace(s.world, api=api)
    assert moved_to(s) == []


def test_a_restart_in_observe_mode_hands_it_to_a_person_at_once() -> None:
    assert moved_to(observing(waiting(60)).set_power("h1", OFF_THRICE)) == [S_.NEEDS_HUMAN]


def test_a_disarm_is_no_restart() -> None:
    s = waiting(60).set_power("h1", OFF_THRICE)
    s.tell(30, Disarmed(by="root", reason="test", until=None))
    assert moved_to(s) == []


def test_what_waits_stays_queued_and_its_power_is_watched() -> None:
    s = laid_down(waiting(900)).set_power("h1", None)
    assert not advance(s.picture(), s.the_incident())
    assert H1 in interest_of(s.picture()).power


def test_it_goes_on_when_the_host_is_proven_dead_again() -> None:
    assert moved_to(laid_down(waiting(900)).set_power("h1", OFF_THRICE)) == [S_.RECOVERING]


def test_it_goes_on_when_somebody_arms() -> None:
    s = observing(laid_down(waiting(900)).set_power("h1", OFF_THRICE))
    assert moved_to(s) == []
    s.tell(10, Armed(by="root", reason="test", keep=False))
    assert moved_to(s) == [S_.RECOVERING]


def test_a_host_that_lived_meanwhile_is_left_to_its_person() -> None:
    s = laid_down(waiting(900)).set_power("h1", OFF_THRICE)
    on = replace(s.world.services[H1].service, forced_down=False, disabled_reason="mine")
    track = replace(s.world.services[H1], service=on)
    s.world = replace(s.world, services={**s.world.services, H1: track})
    (event,) = advance(s.picture(), s.the_incident()).events
    assert isinstance(event, RecoveryMoved)
    assert event.to is RecoveryState.HELD
