"""The brake: which pictures are plausible enough to act upon one more host."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.judging.evidence import PowerTrack
from koboshi.domain.memory.events import IncidentMoved, IncidentOpened
from koboshi.domain.memory.state import apply
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.restraint.brake import why_braked
from koboshi.domain.rules import Mode, Rules
from tests.fakes.scene import OFF_THRICE, Scene, ago, probe, readings


def braked(scene: Scene, host: str = "h1") -> str | None:
    picture = scene.picture()
    return why_braked(
        HostName(host),
        picture.judgements,
        picture.world,
        picture.state,
        picture.rules,
        picture.now,
    )


@pytest.mark.parametrize("hosts", [3, 4, 5, 6, 7, 20])
def test_one_host_of_a_well_cloud_may_be_acted_upon(hosts: int) -> None:
    assert braked(Scene(hosts).dark()) is None


def test_evidence_must_have_been_gathered_for_a_while() -> None:
    scene = Scene().dark()
    scene.world = replace(scene.world, began_at=ago(59))
    assert "evidence is gathered for 59 s only" in (braked(scene) or "")
    scene.world = replace(scene.world, began_at=ago(61))
    assert braked(scene) is None


def test_a_host_without_others_is_never_acted_upon() -> None:
    assert "no other host" in (braked(Scene(1).dark()) or "")


@pytest.mark.parametrize(
    ("track", "free"), [(OFF_THRICE, True), (readings((1, Power.ON)), False), (None, False)]
)
def test_of_two_hosts_only_one_that_is_found_off(track: PowerTrack | None, *, free: bool) -> None:
    scene = Scene(2).dark().set_power("h1", track)
    assert (braked(scene) is None) is free


@pytest.mark.parametrize("hosts", [4, 20])
@pytest.mark.parametrize("how", ["dark", "suspect", "hung"])
def test_another_host_in_trouble_holds(hosts: int, how: str) -> None:
    scene = Scene(hosts).dark()
    match how:
        case "dark":
            scene.dark("h2")
        case "suspect":
            scene.set_probe("h2", probe("h2", 2))
        case _:
            scene.set_heartbeat("h2", 20).set_probe("h2", probe("h2", kernel_only=True))
    assert "more than 1 at a time is implausible" in (braked(scene) or "")


def test_one_whose_nova_compute_is_down_holds_only_where_hosts_are_few() -> None:
    """It answers the prober; but of few hosts all others must report."""
    assert braked(Scene(20).dark().set_heartbeat("h2", 20)) is None
    assert "in a cloud this small" in (braked(Scene(4).dark().set_heartbeat("h2", 20)) or "")


def test_a_host_that_an_operator_disabled_before_does_not_count() -> None:
    scene = Scene(8).dark().dark("h2")
    scene.set_heartbeat("h2", 100, enabled=False, disabled_reason="repair, anna")
    assert braked(scene) is None


@pytest.mark.parametrize("reason", ["AUTO: libvirt is gone", "koboshi:test:x"])
def test_one_that_libvirt_or_koboshi_disabled_does(reason: str) -> None:
    scene = Scene(8).dark().dark("h2")
    scene.set_heartbeat("h2", 100, enabled=False, disabled_reason=reason)
    assert braked(scene) is not None


@pytest.mark.parametrize(("age_s", "free"), [(10, False), (899, False), (901, True)])
@pytest.mark.parametrize("closed", [True, False])
def test_at_most_one_host_in_fifteen_minutes(age_s: float, *, free: bool, closed: bool) -> None:
    scene = Scene(10).dark()
    scene.incident(IncidentState.CLOSED, host="h2", age_s=age_s)
    if not closed:
        scene = Scene(10).dark()
        scene.incident(IncidentState.FENCING, IncidentState.UNPROVEN, host="h2", age_s=age_s)
    assert (braked(scene) is None) is free


def test_a_hosts_own_earlier_incident_does_not_hold_it() -> None:
    scene = Scene().dark()
    scene.incident(IncidentState.CLOSED, age_s=60)
    assert braked(scene) is None


def test_an_old_incident_explains_its_host_unless_it_was_held() -> None:
    dead = Scene(10).dark().dark("h2")
    assert braked(dead) is not None
    explained = Scene(10).dark().dark("h2")
    explained.incident(IncidentState.FENCING, IncidentState.UNPROVEN, host="h2", age_s=1000)
    assert braked(explained) is None
    held = Scene(10).dark().dark("h2")
    held.incident(IncidentState.HELD, host="h2", age_s=1000)
    assert braked(held) is not None


@pytest.mark.parametrize(("hosts", "free"), [(5, False), (6, True)])
def test_up_to_five_hosts_all_others_must_have_fresh_heartbeats(hosts: int, *, free: bool) -> None:
    scene = Scene(hosts).dark()
    scene.set_heartbeat("h2", None)
    scene.world = replace(scene.world, began_at=ago(60.0))
    assert (braked(scene) is None) is free


def test_the_prober_must_reach_the_others() -> None:
    scene = Scene(6).dark()
    for number in range(2, 5):
        scene.set_probe(f"h{number}", None)
    assert braked(scene) is None
    for number in range(2, 7):
        scene.set_probe(f"h{number}", None)
    assert "no other host by which the prober could be checked" in (braked(scene) or "")


def test_the_memory_is_a_setting() -> None:
    rules = Rules(mode=Mode.ACT, install="test", incident_memory=timedelta(seconds=60))
    scene = Scene(10, rules).dark()
    scene.incident(IncidentState.CLOSED, host="h2", age_s=61)
    assert braked(scene) is None


@pytest.mark.parametrize(("memory_h", "free"), [(4, False), (2, True)])
def test_a_stepped_wall_clock_ends_no_memory_of_another_boot(memory_h: int, *, free: bool) -> None:
    """The wall clock says five hours; that our machine has been up for three is certain."""
    rules = Rules(mode=Mode.ACT, install="test", incident_memory=timedelta(hours=memory_h))
    scene = Scene(10, rules).dark()
    before = replace(ago(0), wall=ago(5 * 3600).wall, boot_id="earlier")
    opened = IncidentOpened(incident=IncidentId("i2"), host=HostName("h2"), evidence=())
    closed = IncidentMoved(incident=opened.incident, to=IncidentState.CLOSED, reason="test")
    for event in (opened, closed):
        scene.state = apply(scene.state, before, event)
    assert (braked(scene) is None) is free
