"""A host on its way home says what it waits for, until when, and what a person may do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Power
from koboshi.domain.home.awaiting import Awaited, awaited
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import DEADLINES, IncidentState
from koboshi.domain.memory.commands import LiftForceDown, Outcome
from koboshi.domain.memory.events import (
    CommandEnded,
    Disarmed,
    HostBeat,
    HostNoticed,
    IncidentMoved,
)
from koboshi.domain.names import CommandId, NetworkName, ServiceId
from koboshi.domain.rules import Mode, Rules
from koboshi.sim.samples import image_server
from tests.fakes.scene import (
    H1,
    INCIDENT,
    MARKER,
    Scene,
    ago,
    candidate,
    evacuation_record,
    probe,
    readings,
)

S = IncidentState
RULES = Rules(mode=Mode.ACT, install="test")
HOMEWARD = (S.POWERING_ON, S.RETURNING, S.RECONCILING, S.RESTORING, S.ENABLING)
PATHS = {state: (S.SETTLED, *HOMEWARD[1 : n + 1]) for n, state in enumerate(HOMEWARD)}
PATHS[S.POWERING_ON] = (S.SETTLED, S.POWERING_ON)
PATHS[S.SETTLED] = (S.SETTLED,)
FOR_S = 120.0


def homeward(state: IncidentState, for_s: float = FOR_S) -> Scene:
    """Return an incident that came to a state so long ago; its host answers, and its power reads on."""
    scene = Scene(rules=RULES).recovering(candidate(image_server("a")), age_s=for_s + 5)
    for to in PATHS[state]:
        scene.tell(for_s, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    scene.set_probe("h1", probe("h1")).set_power("h1", readings((1.0, Power.ON)))
    return scene.read_records()


def told(scene: Scene) -> Awaited:
    found = awaited(scene.picture(), scene.the_incident())
    assert found is not None
    return found


@pytest.mark.parametrize("state", list(PATHS))
def test_every_state_on_the_way_home_says_what_it_waits_for_and_until_when(
    state: IncidentState,
) -> None:
    found = told(homeward(state))
    assert found.what
    assert found.may.text
    assert found.since == ago(FOR_S)
    assert found.until == ago(FOR_S).later(DEADLINES[state])


@pytest.mark.parametrize("state", sorted(set(S) - set(PATHS)))
def test_elsewhere_the_reason_says_it(state: IncidentState) -> None:
    scene = homeward(S.SETTLED)
    assert awaited(scene.picture(), replace(scene.the_incident(), state=state)) is None


def test_time_in_which_nobody_watched_does_not_count() -> None:
    scene = homeward(S.RETURNING)
    scene.world = replace(scene.world, began_at=ago(30))
    assert told(scene).until == ago(30).later(DEADLINES[S.RETURNING])


def test_one_who_answers_and_does_not_report_is_told_by_what_is_seen_of_it() -> None:
    found = told(homeward(S.RETURNING))
    assert "2 heartbeats of its nova-compute: none came since it returned" in found.what
    assert "its management address answers; its power reads on" in found.what
    assert "ssh h1 systemctl status nova-compute" in found.may.commands


def test_a_heartbeat_that_came_is_counted() -> None:
    scene = homeward(S.RETURNING)
    stamp = scene.world.services[H1].service.updated_at
    assert stamp is not None
    scene.tell(5, HostBeat(incident=INCIDENT, updated_at=stamp + timedelta(seconds=60)))
    assert "1 of 2 came" in told(scene).what


def test_a_network_that_stays_cut_is_named() -> None:
    scene = homeward(S.RETURNING)
    storage = NetworkName("storage")
    tracks = {h: probe(h, 60 if h == H1 else None) for h in scene.world.services}
    scene.world = replace(scene.world, further={storage: tracks})
    trusted = {(h, storage): trust for h, trust in scene.state.trusted.items()}
    scene.state = replace(scene.state, trusted_further=trusted)
    found = told(scene)
    assert "its network storage is SILENT" in found.what
    assert found.may.text.startswith("Mend its network storage first")


def test_one_who_does_not_answer_is_looked_at_by_its_console() -> None:
    found = told(homeward(S.RETURNING).set_probe("h1", probe("h1", 100)))
    assert "its management address is silent since" in found.what
    assert "console" in found.may.text
    assert found.may.commands == ()


@pytest.mark.parametrize("state", [S.RETURNING, S.RESTORING])
def test_nobody_is_told_to_start_a_nova_compute_that_would_destroy_a_guest(
    state: IncidentState,
) -> None:
    scene = homeward(state).read_records(evacuation_record("a", "accepted"))
    scene.set_heartbeat("h1", 125, up=False, enabled=False, disabled_reason=MARKER)
    found = told(scene)
    assert found.may.text.startswith("Do NOT start nova-compute on h1")
    assert "UPDATE migrations" in found.may.text
    assert found.may.commands == ()


def reconciling(*records: tuple[str, str, int]) -> Scene:
    scene = homeward(S.RECONCILING)
    scene.set_heartbeat("h1", 1, enabled=False, forced_down=True, disabled_reason=MARKER)
    return scene.read_records(*(evacuation_record(*r) for r in records))


def test_records_that_nova_has_not_cleared_away_are_named() -> None:
    found = told(reconciling(*((f"s{n}", "done", n) for n in range(5))))
    assert "record-0 of server s0, done" in found.what
    assert "record-2 of server s2" in found.what
    assert "record-3" not in found.what
    assert "and 2 more" in found.what
    assert found.may.commands == ("ssh h1 systemctl restart nova-compute",)


def notice(scene: Scene) -> str:
    (text,) = (
        e.text
        for e in advance(scene.picture(), scene.the_incident()).events
        if isinstance(e, HostNoticed)
    )
    return text


def test_an_open_record_is_ended_before_one_more_start() -> None:
    """Its guest may be on this host still, and that start would destroy it."""
    scene = reconciling(("a", "accepted", 1), ("b", "done", 2))
    for text in (told(scene).may.text, notice(scene)):
        warned, ended = text.index("Do NOT restart"), text.index("UPDATE migrations")
        assert warned < ended
        assert "instance_uuid='a'" in text
        assert "instance_uuid='b'" not in text
    assert notice(scene).index("UPDATE") < notice(scene).index("ssh h1 systemctl restart")


def test_only_records_that_a_start_ends_are_cured_by_one() -> None:
    assert "Do NOT" not in notice(reconciling(("b", "done", 2)))


def test_a_refused_lift_says_nova_s_own_words() -> None:
    scene = reconciling()
    command = LiftForceDown(
        id=CommandId("lift-1"),
        incident=INCIDENT,
        host=H1,
        service=ServiceId("service-h1"),
        marker=MARKER,
    )
    scene.intend(command, 60)
    scene.tell(
        59, CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail="400 still done")
    )
    assert "400 still done" in told(scene).what


@pytest.mark.parametrize("state", [S.RECONCILING, S.RESTORING, S.ENABLING])
def test_who_is_disarmed_waits_for_its_person_and_has_no_deadline(state: IncidentState) -> None:
    scene = reconciling() if state is S.RECONCILING else homeward(state)
    scene.set_heartbeat("h1", 1, enabled=False, disabled_reason=MARKER, forced_down=True)
    scene.tell(5, Disarmed(until=None, by="uid 0 (root)", reason="maintenance"))
    found = told(scene)
    assert "maintenance" in found.what
    assert found.may.commands == ("koboshi arm",)
    assert found.until is None


def test_trouble_of_nova_is_told_first() -> None:
    scene = homeward(S.RETURNING)
    api = replace(scene.world.api, failing_since=ago(20), error="503")
    scene.world = replace(scene.world, api=api)
    assert "Nova does not answer: 503" in told(scene).what


def enabled(change: Callable[[Scene], object] = lambda _: None) -> Scene:
    scene = homeward(S.ENABLING).set_heartbeat("h1", 1)
    change(scene)
    return scene


def test_one_in_service_says_until_when_it_is_watched() -> None:
    found = told(enabled())
    at = ago(FOR_S).later(RULES.latch)
    assert found.what == f"that h1 stays healthy until {at.wall:%H:%M:%S} UTC"
    assert found.may.commands == ()


def test_one_in_service_that_is_not_well_says_what_it_lacks() -> None:
    found = told(enabled(lambda s: s.set_heartbeat("h1", 300)))
    assert "its management address answers" in found.what
    assert "no fresh heartbeat" in found.what
    found = told(enabled(lambda s: s.set_probe("h1", probe("h1", 50))))
    assert "its management address is silent since" in found.what
    assert "it reports" in found.what


def test_servers_that_wait_for_their_disks_are_named() -> None:
    scene = Scene(rules=RULES).recovering(
        *(candidate(replace(image_server(f"s{n}"), name=f"web{n}")) for n in range(5)), age_s=125
    )
    for to in PATHS[S.RESTORING]:
        scene.tell(FOR_S, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    scene.set_probe("h1", probe("h1")).set_heartbeat("h1", 1, enabled=False, disabled_reason=MARKER)
    found = told(scene.read_records())
    assert "web0, web1, web2 and 2 more: to run on h1 again (0 of 5" in found.what
    assert found.may.commands[0] == "openstack server start s0"


def test_what_is_awaited_stands_in_the_notice_that_asks_a_person() -> None:
    after_s = DEADLINES[S.RETURNING].total_seconds() + 20
    scene = homeward(S.RETURNING, after_s)
    events = advance(scene.picture(), scene.the_incident()).events
    (moved,) = (e for e in events if isinstance(e, IncidentMoved))
    assert moved.to is S.NEEDS_HUMAN
    assert "none came since it returned" in moved.reason
    assert "ssh h1 systemctl status nova-compute" in moved.reason


def test_all_open_records_keep_a_host_from_being_enabled_by_name_and_cure() -> None:
    scene = homeward(S.ENABLING)
    scene.set_heartbeat("h1", 1, enabled=False, disabled_reason=MARKER)
    scene.read_records(*(evacuation_record(f"s{n}", "accepted", n) for n in range(5)))
    (moved,) = (
        e
        for e in advance(scene.picture(), scene.the_incident()).events
        if isinstance(e, IncidentMoved)
    )
    assert moved.to is S.NEEDS_HUMAN
    for n in range(5):
        assert f"record record-{n}" in moved.reason  # `stopped_by` looks for it
    assert [f"instance_uuid='s{n}'" in moved.reason for n in range(5)] == [True] * 3 + [False] * 2
    assert "5 evacuation records" in moved.reason
    assert "2 more: koboshi status" in moved.reason


def test_nothing_is_said_to_be_cleared_away_before_it_was_read() -> None:
    """On a served simulation `reconciling` said so right above the record that was not."""
    scene = homeward(S.RETURNING).read_records(evacuation_record("a", "done"))
    stamp = scene.world.services[H1].service.updated_at
    assert stamp is not None
    for n in (60, 70):
        scene.tell(5, HostBeat(incident=INCIDENT, updated_at=stamp + timedelta(seconds=n)))
    events = advance(scene.picture(), scene.the_incident()).events
    (moved,) = (e for e in events if isinstance(e, IncidentMoved))
    assert moved.to is S.RECONCILING
    assert "is cleared away" not in moved.reason
