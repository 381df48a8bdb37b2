"""While servers are on their way: what makes the incident a person's, and what does not."""

from dataclasses import replace

from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.events import IncidentMoved
from tests.fakes.scene import H1, Scene


def moved_to(s: Scene) -> list[IncidentState]:
    events = advance(s.picture(), s.the_incident()).events
    return [e.to for e in events if isinstance(e, IncidentMoved)]


def test_an_edit_of_the_service_by_somebody_else_is_a_person_s_matter() -> None:
    s = Scene().recovering()
    row = s.world.services[H1]
    edited = replace(row, service=replace(row.service, disabled_reason="maintenance"))
    s.world = replace(s.world, services={**s.world.services, H1: edited})
    assert moved_to(s) == [IncidentState.NEEDS_HUMAN]


def test_the_stub_of_a_cell_that_does_not_answer_is_nobody_s_edit() -> None:
    s = Scene().recovering()
    stub = replace(s.world.services[H1], service=ComputeService(host=H1, binary="nova-compute"))
    s.world = replace(s.world, services={**s.world.services, H1: stub})
    assert IncidentState.NEEDS_HUMAN not in moved_to(s)
