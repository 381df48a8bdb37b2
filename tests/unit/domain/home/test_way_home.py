"""The exact commands home: in the one order that loses nothing, and not a step too early."""

from dataclasses import replace

import pytest

from koboshi.domain.home.way_home import HomeStep, way_home
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import CommandEnded, IncidentMoved, RecoveryMoved
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import INCIDENT, Scene, candidate, evacuation_record

SETTLED = IncidentState.SETTLED


def settled() -> Scene:
    scene = Scene().recovering(candidate(server("a")), candidate(image_server("held")))
    scene.sent("a").tell(5, CommandEnded(command=CommandId("evacuate-a-1"), outcome=Outcome.DONE))
    for to in (RecoveryState.CONFIRMING, RecoveryState.SETTLING, RecoveryState.DONE):
        scene.tell(4, RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=to, reason=""))
    return scene.tell(3, IncidentMoved(incident=INCIDENT, to=SETTLED, reason=""))


def by_hand() -> Scene:
    """Return an incident that Koboshi left to a person."""
    to = IncidentState.NEEDS_HUMAN
    return settled().tell(2, IncidentMoved(incident=INCIDENT, to=to, reason=""))


def home(scene: Scene, *records: object) -> tuple[HomeStep, ...]:
    return way_home(
        scene.the_incident(),
        scene.state.recoveries.get(INCIDENT, {}),
        records,  # type: ignore[arg-type] - records of one kind
    )


def commands(steps: tuple[HomeStep, ...]) -> list[str]:
    return [c for s in steps for c in s.commands]


def test_the_order_of_the_way_home() -> None:
    """nova-compute starts while forced down; then the lift; then the servers; enabling comes last."""
    found = commands(home(by_hand()))
    order = (
        "migration list",
        "service list",
        "service set --up h1",
        "server start held",
        "service set --enable h1",
    )
    places = [next(i for i, c in enumerate(found) if word in c) for word in order]
    assert places == sorted(places)


def test_only_held_servers_are_started() -> None:
    assert not [c for c in commands(home(by_hand())) if "server start a" in c]


@pytest.mark.parametrize("status", ["accepted", "pre-migrating"])
def test_a_bomb_comes_before_everything_else(status: str) -> None:
    steps = home(settled(), evacuation_record("a", status))
    assert "DANGER" in steps[1].text
    assert "UPDATE migrations" in steps[1].commands[0]
    assert not steps[0].commands


def test_an_ended_record_is_no_bomb() -> None:
    assert "DANGER" not in " ".join(s.text for s in home(settled(), evacuation_record("a", "done")))


def test_what_koboshi_does_by_itself_needs_no_command() -> None:
    scene = settled()
    incident = replace(scene.the_incident(), switched_off=True)
    steps = way_home(incident, scene.state.recoveries[INCIDENT], ())
    assert all(s.text.startswith("Koboshi") and not s.commands for s in steps)
    assert "starts the 1 servers" in " ".join(s.text for s in steps)


def test_a_host_that_died_by_itself_is_a_persons_to_switch_on() -> None:
    assert home(settled())[0].text.startswith("Yours")


def test_a_parked_host_is_a_persons_to_switch_on_and_nothing_more() -> None:
    parked = settled().tell(
        2, IncidentMoved(incident=INCIDENT, to=IncidentState.PARKED, reason="found off")
    )
    steps = home(parked)
    assert [s.text.startswith("Yours") for s in steps][:2] == [True, False]
    assert not commands(steps)


def test_nothing_leads_home_while_servers_are_on_their_way() -> None:
    scene = Scene().recovering(candidate(server("a"))).sent("a")
    (only,) = home(scene)
    assert "Leave h1 off" in only.text
    assert not only.commands


@pytest.mark.parametrize("to", [IncidentState.SOURCE_BACK, IncidentState.RECOVERING])
def test_nothing_leads_home_before_it_is_settled(to: IncidentState) -> None:
    scene = Scene().recovering()
    if to is not IncidentState.RECOVERING:
        scene.tell(1, IncidentMoved(incident=INCIDENT, to=to, reason=""))
    assert not commands(home(scene))


def test_without_proof_there_is_no_way_home() -> None:
    assert home(Scene().incident(IncidentState.HELD)) == ()


def test_a_closed_incident_is_home() -> None:
    scene = settled()
    incident = scene.the_incident()
    scene.tell(1, IncidentMoved(incident=INCIDENT, to=IncidentState.CLOSED, reason=""))
    closed = scene.state.incidents[incident.id]
    assert way_home(closed, scene.state.recoveries[INCIDENT], ()) == ()


@pytest.mark.parametrize(
    ("reason", "words"),
    [("bad DIMM; see 7", "--disable --disable-reason 'bad DIMM; see 7' h1"), ("", "--disable h1")],
)
def test_a_host_that_its_operator_had_disabled_is_left_disabled(reason: str, words: str) -> None:
    scene = by_hand()
    incident = replace(scene.the_incident(), handed_over=reason)
    found = commands(way_home(incident, scene.state.recoveries[INCIDENT], ()))
    assert found[-1] == f"openstack compute service set {words} nova-compute"
    assert not [c for c in found if "--enable" in c]
