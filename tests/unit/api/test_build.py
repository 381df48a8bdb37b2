"""What is shown is what the domain knows."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from koboshi.api.build import (
    incident_detail,
    incidents_of,
    snapshot_of,
    status_of,
    status_of_journal,
)
from koboshi.api.explain import explain
from koboshi.api.lookup import NoSuchIncident, find_incident
from koboshi.api.views import IncidentDetail, Source, StatusView
from koboshi.domain.incidents.incident import IncidentState, ProofKind
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.state import State
from koboshi.domain.names import IncidentId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import Mode, Rules

from .story import DB, EVENTS, HOST, INCIDENT, OPENING, WEB, StorySource, after, recorded, state


def test_the_overview_says_what_is_going_on() -> None:
    view = status_of(snapshot_of(StorySource()))
    assert view.source is Source.DAEMON
    assert (view.is_acting, view.mode) == (True, "act")
    verdicts = {host.host: host.verdict for host in view.hosts}
    assert {host for host, verdict in verdicts.items() if verdict is Verdict.UP} == {
        "cmp2",
        "cmp3",
        "cmp4",
    }
    (dead,) = [host for host in view.hosts if host.host == "cmp1"]
    assert (dead.is_forced_down, dead.is_enabled, dead.servers) == (True, False, 1)
    assert dead.power == "off"
    assert dead.incident == INCIDENT
    assert [(held.server, held.local_disks) for held in view.held] == [(DB, ["root"])]
    assert [notice.topic for notice in view.notices] == ["service_failed"]
    assert view.next == [f"koboshi incident show {INCIDENT}", "koboshi check"]
    assert {evidence.kind for evidence in view.evidence} == {
        "compute_services",
        "servers",
        "evacuation_records",
        "probes",
        "power",
    }


def test_the_overview_has_the_way_home_of_a_settled_host_with_and_without_a_daemon() -> None:
    for view in (status_of(snapshot_of(StorySource())), status_of_journal(state(), after(60))):
        (way,) = view.ways_home
        assert (way.incident, way.host) == (INCIDENT, "cmp1")
        commands = [command for step in way.steps for command in step.commands]
        assert "openstack compute service set --up cmp1 nova-compute" in commands
        assert f"openstack server start {DB}" in commands


class Homeward(StorySource):
    """The story, on its way home."""

    def rules(self) -> Rules:
        """Let Koboshi bring hosts home."""
        return Rules(mode=Mode.ACT)

    def state(self) -> State:
        """Return the memory of a host that came back."""
        back = ev.IncidentMoved(incident=INCIDENT, to=IncidentState.RETURNING, reason="it answers")
        return state((*EVENTS, (29, back)))


def test_what_a_host_on_its_way_home_waits_for_stands_wherever_its_incident_does() -> None:
    source = Homeward()
    (shown,) = status_of(snapshot_of(source)).incidents
    awaits = shown.awaits
    assert awaits is not None
    assert "2 heartbeats of its nova-compute" in awaits.what
    assert (awaits.since, awaits.until) == (after(29).wall, after(929).wall)
    assert awaits.you_may
    assert explain(source, HOST).incident == shown
    picture = source.look()
    (listed,) = incidents_of(picture.state, picture)
    assert listed == shown
    detail = incident_detail(
        picture.state.incidents[INCIDENT], picture.state, (), (), acts=True, picture=picture
    )
    assert detail.incident == shown


def test_where_nobody_watches_nothing_is_awaited() -> None:
    (shown,) = status_of_journal(Homeward().state(), after(60)).incidents
    assert shown.awaits is None


def test_the_age_of_evidence_is_that_of_the_oldest_host() -> None:
    ages = {
        evidence.kind: evidence.age_s for evidence in status_of(snapshot_of(StorySource())).evidence
    }
    assert ages["compute_services"] == pytest.approx(1)
    assert ages["servers"] == pytest.approx(10)
    assert ages["power"] == pytest.approx(2)
    assert ages["evacuation_records"] is None


def test_json_has_stable_values_and_utc_times() -> None:
    data = json.loads(status_of(snapshot_of(StorySource())).model_dump_json())
    assert data["started_at"] == "2026-03-01T12:00:20.000Z"
    assert data["source"] == "daemon"
    assert data["incidents"][0]["state"] == "settled"
    assert StatusView.model_validate(data) == StatusView.model_validate_json(json.dumps(data))


def test_the_journal_alone_tells_less_and_says_so() -> None:
    view = status_of_journal(state(), after(60))
    assert view.source is Source.JOURNAL
    assert (view.is_acting, view.acting_reason) == (False, "no daemon is running")
    assert view.hosts == []
    assert [incident.id for incident in view.incidents] == [INCIDENT]
    assert "koboshi run" in view.next


def test_an_incident_in_brief() -> None:
    (view,) = incidents_of(state())
    assert (view.servers, view.recovered, view.held, view.on_their_way) == (2, 1, 1, 0)
    assert not view.is_over


def test_an_incident_in_full() -> None:
    memory = state()
    detail = incident_detail(memory.incidents[INCIDENT], memory, recorded(), (), acts=True)
    assert detail.proof is not None
    assert detail.proof.kind is ProofKind.FENCED_OFF
    assert detail.marker == f"koboshi:koboshi:{INCIDENT}"
    assert {r.server: r.state for r in detail.recoveries} == {
        WEB: RecoveryState.DONE,
        DB: RecoveryState.HELD,
    }
    commands = [command for step in detail.way_home for command in step.commands]
    assert "starts the 1 servers" in " ".join(step.text for step in detail.way_home)
    assert not [command for command in commands if WEB in command]


def test_the_timeline_tells_each_step_with_its_reason() -> None:
    memory = state()
    detail = incident_detail(memory.incidents[INCIDENT], memory, recorded(), (), acts=False)
    told = [(round(e.offset_s), e.subject, e.what) for e in detail.timeline]
    assert told[:3] == [
        (0, "cmp1", "incident opened"),
        (0, "cmp1", "fencing: the host is being switched off, and its power read back"),
        (0, "cmp1", "switch off"),
    ]
    assert (1, "cmp1", "switch off: done") in told
    assert (7, "web", "evacuate to cmp2") in told
    assert (8, "web", "evacuate to cmp2: accepted") in told
    assert (10, "koboshi", "daemon 0.1.0 started") in told  # the restart in its middle
    assert (17, "web", "done: up again, on its destination or with its host") in told
    assert detail.timeline[0].why.startswith("its management address is silent for 7 s")
    assert "nova-compute is dead" not in [e.why for e in detail.timeline]  # another host's
    (listed,) = [e for e in detail.timeline if e.kind == "servers_listed"]
    assert listed.why == "1 to evacuate, 1 to hold"


def test_incidents_are_found_by_what_people_type() -> None:
    memory = state()
    for wanted in (INCIDENT, "cmp1", "last"):
        assert find_incident(memory, wanted).id == INCIDENT
    with pytest.raises(NoSuchIncident, match="koboshi incident list"):
        find_incident(memory, "cmp7")
    with pytest.raises(NoSuchIncident, match="no incident"):
        find_incident(memory, "")
    with pytest.raises(NoSuchIncident, match="no incident yet"):
        find_incident(State(), "last")


def test_a_beginning_that_several_incidents_share_names_them() -> None:
    first = state(OPENING).incidents[INCIDENT]
    second = replace(first, id=IncidentId("cmp1-20260302T000000Z"))
    both = State(incidents={first.id: first, second.id: second})
    with pytest.raises(NoSuchIncident, match=f"may mean 2 incidents.*{second.id}, {first.id}"):
        find_incident(both, "cmp1-2026030")
    assert find_incident(both, "cmp1-20260302").id == second.id


def detail(events: Sequence[tuple[float, ev.Event]]) -> IncidentDetail:
    incident = state(events).incidents[INCIDENT]
    return incident_detail(incident, state(events), recorded(events), (), acts=False)


def test_a_server_that_waits_for_others_says_for_whom_and_why() -> None:
    listed = next(n for n, (_, e) in enumerate(EVENTS) if isinstance(e, ev.ServersListed))
    waits = ev.WaitsForOthers(
        incident=INCIDENT, server=WEB, awaits=("db",), reason="it waits for db"
    )
    over = replace(waits, awaits=(), without=("db",), reason="it goes on without db")
    events = [*EVENTS[: listed + 1], (8.0, waits)]
    shown = detail(events)
    (web,) = [r for r in shown.recoveries if r.server == WEB]
    assert (web.state, web.waits_for) == (RecoveryState.QUEUED, ["db"])
    assert web.reason == "it waits for db"
    assert shown.timeline[-1].what == "waits for db"
    events = [*events, (9.0, over)]
    shown = detail(events)
    (web,) = [r for r in shown.recoveries if r.server == WEB]
    assert (web.waits_for, web.reason) == ([], "it goes on without db")
    assert shown.timeline[-1].what == "goes on without db"
