"""An incident at rest whose host is in service: the same failure, another one, or over."""

from dataclasses import replace

import pytest

from koboshi.domain.decision import Decision
from koboshi.domain.facts.cloud import Running
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import IncidentMoved, RecoveryMoved
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.samples import image_server
from tests.fakes.scene import H1, INCIDENT, OFF_THRICE, Scene, candidate, probe, sweep

S_ = IncidentState


def at_rest(s: Scene) -> Decision:
    return advance(s.picture(), s.the_incident())


def without_fencing() -> Scene:
    """Return a host that is dark, in service, and has no power device: its incident is a person's."""
    s = Scene().dark(for_s=60).set_power("h1", None).incident(S_.NEEDS_HUMAN)
    s.world = replace(s.world, fenced=s.world.fenced - {H1})
    return s


def test_a_failure_without_fencing_is_one_incident_and_not_many() -> None:
    assert not at_rest(without_fencing())


def test_it_goes_on_when_fencing_is_configured() -> None:
    s = without_fencing()
    s.world = replace(s.world, fenced=s.world.fenced | {H1})
    (event,) = at_rest(s).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S_.CONFIRMED


def test_a_host_that_lived_meanwhile_fails_anew() -> None:
    s = without_fencing().set_power("h1", OFF_THRICE)
    s.set_probe("h1", probe("h1", 20.0))
    (event,) = at_rest(s).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S_.CLOSED


def coming_home(*running: Running) -> Scene:
    """Return a host that is home for as long as the latch, and the server that waited for it."""
    s = Scene().recovering(candidate(image_server("a")), age_s=3000)
    s.tell(2900, IncidentMoved(incident=INCIDENT, to=S_.SETTLED, reason="test"))
    s.set_probe("h1", probe("h1")).set_heartbeat("h1", 3.0).set_power("h1", None)
    s.world = replace(s.world, sweep=sweep(image_server("a")))
    for said in running:
        s.read_running(said, age_s=3.0)
    return s


def test_novas_word_that_a_held_server_runs_is_not_taken() -> None:
    s = coming_home()
    assert interest_of(s.picture()).running == {"a"}
    assert not at_rest(s)


@pytest.mark.parametrize("said", [Running.NO, Running.UNKNOWN])
def test_a_held_server_that_does_not_run_is_not_called_done(said: Running) -> None:
    (event,) = at_rest(coming_home(said)).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S_.CLOSED


def test_a_held_server_is_done_by_its_hypervisors_word() -> None:
    moved, closed = at_rest(coming_home(Running.YES)).events
    assert isinstance(moved, RecoveryMoved)
    assert moved.to is RecoveryState.DONE
    assert isinstance(closed, IncidentMoved)


def enabled_while_dark(state: IncidentState) -> Scene:
    """Return a host that was isolated, and that somebody enabled though nobody has seen it alive."""
    s = Scene().recovering(age_s=300)
    s.tell(100, IncidentMoved(incident=INCIDENT, to=state, reason="test"))
    s.set_heartbeat("h1", 400)
    return s.set_probe("h1", probe("h1", 395))


def test_an_operator_who_enables_a_dead_host_is_respected() -> None:
    assert not at_rest(enabled_while_dark(S_.NEEDS_HUMAN))


def test_and_is_told_when_all_was_done() -> None:
    (event,) = at_rest(enabled_while_dark(S_.SETTLED)).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S_.NEEDS_HUMAN
    assert "somebody enabled h1" in event.reason


@pytest.mark.parametrize("state", [S_.SETTLED, S_.NEEDS_HUMAN])
def test_one_that_lived_since_fails_anew(state: IncidentState) -> None:
    s = enabled_while_dark(state)
    s.set_probe("h1", probe("h1", 60))
    (event,) = at_rest(s).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S_.CLOSED
