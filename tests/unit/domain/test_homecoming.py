"""An incident at rest whose host is in service: the same failure, another one, or over."""

from dataclasses import replace

from koboshi.domain.advance import advance
from koboshi.domain.decision import Decision
from koboshi.domain.events import IncidentMoved
from koboshi.domain.incident import IncidentState
from tests.fakes.scene import H1, OFF_THRICE, Scene, probe

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
