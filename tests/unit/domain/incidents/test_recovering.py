"""While servers are on their way: what makes the incident a person's, and what does not."""

from dataclasses import replace

from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.facts.world import ServersRead
from koboshi.domain.home.powering import go_home
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.listing import not_listed_yet
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import CommandEnded, IncidentMoved, RecoveryMoved
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.recoveries.stall import stalled_notice
from koboshi.domain.rules import Mode, OnLocalDisk, Rules
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, INCIDENT, Scene, ago, candidate, sweep


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


def unread() -> Scene:
    """Return a dark host of whose servers one has landed, and one's image was never read."""
    s = Scene(rules=Rules(mode=Mode.ACT, install="test", on_local_disk=OnLocalDisk.REBUILD))
    s.recovering(candidate(server("web")), age_s=300)
    s.sent("web", age_s=290)
    s.tell(280, CommandEnded(command=CommandId("evacuate-web-1"), outcome=Outcome.DONE))
    for to in (RecoveryState.CONFIRMING, RecoveryState.SETTLING, RecoveryState.DONE):
        s.tell(270, RecoveryMoved(incident=INCIDENT, server=ServerId("web"), to=to, reason=""))
    rows = (server("web"), image_server("db"))
    s.world = replace(
        s.world, images={}, on_host={H1: ServersRead(at=ago(1), servers=rows)}, sweep=sweep(*rows)
    )
    return s


def test_a_host_is_not_settled_while_one_of_its_servers_waits_for_what_glance_says() -> None:
    s = unread()
    assert [x.id for x in not_listed_yet(s.picture(), s.the_incident())] == ["db"]
    assert moved_to(s) == []
    told = stalled_notice(s.picture(), H1)
    assert told is not None
    assert "1 of its servers (db) wait for what Glance and Cinder say" in told


def test_a_settled_host_is_not_switched_on_for_such_a_server_that_came_late() -> None:
    s = unread().tell(260, IncidentMoved(incident=INCIDENT, to=IncidentState.SETTLED, reason=""))
    s.read_records()
    assert not go_home(s.picture(), s.the_incident())
    s.world = replace(s.world, on_host={})
    assert go_home(s.picture(), s.the_incident())
