"""The brake through time: held, eased, released; and what holds on a person's word."""

from dataclasses import replace

import pytest

from koboshi.domain.decide import decide
from koboshi.domain.judging.verdict import Control, Network
from koboshi.domain.memory.events import (
    Armed,
    BrakeEased,
    BrakeHeld,
    BrakeReleased,
    DaemonStarted,
    Disarmed,
    DisarmEnded,
    DomainConfirmed,
    Event,
)
from koboshi.domain.names import THE_CELL, DomainName, HostName
from koboshi.domain.restraint.holding import keep_holds
from koboshi.domain.rules import Mode, Rules
from tests.fakes.scene import OFF_THRICE, Scene, ago

HELD = BrakeHeld(cell=THE_CELL, reason="test")
EASED, RELEASED = BrakeEased(cell=THE_CELL), BrakeReleased(cell=THE_CELL)
H1 = HostName("h1")


def changes(scene: Scene) -> list[str]:
    return [e.kind for e in keep_holds(scene.picture()).events]


def why(scene: Scene, host: str = "h1") -> str | None:
    return scene.picture().brake.why(HostName(host))


def test_it_is_held_when_too_many_are_silent() -> None:
    assert changes(Scene(20).dark()) == []
    assert changes(Scene(20).dark().dark("h2")) == ["brake_held"]
    assert changes(Scene(20).dark().dark("h2").tell(2, HELD)) == []


def test_a_lost_packet_holds_a_host_but_is_not_remembered() -> None:
    scene = Scene(20).dark()
    scene.set_probe("h2", replace(Scene(2).dark("h2", 2).world.probes[HostName("h2")]))
    assert why(scene) is not None
    assert changes(scene) == []


def test_it_is_eased_when_the_picture_is_plausible_again_and_released_a_minute_later() -> None:
    assert changes(Scene(20).tell(4, HELD)) == []  # not so soon
    assert changes(Scene(20).tell(6, HELD)) == ["brake_eased"]
    assert changes(Scene(20).tell(90, HELD).tell(59, EASED)) == []
    assert changes(Scene(20).tell(90, HELD).tell(60, EASED)) == ["brake_released"]


def test_it_is_held_anew_while_it_is_eased() -> None:
    scene = Scene(20).dark(for_s=40).dark("h2", for_s=40).tell(90, HELD).tell(60, EASED)
    assert changes(scene) == ["brake_held"]


def test_until_it_is_released_no_host_is_acted_upon() -> None:
    scene = Scene(20).dark(for_s=40).tell(90, HELD).tell(50, EASED)
    assert "the brake is held" in (why(scene) or "")
    assert why(scene.tell(1, RELEASED)) is None


def test_silence_counts_anew_since_it_was_eased() -> None:
    scene = Scene(20).dark(for_s=40)
    assert scene.judgement().network is Network.SILENT
    scene.tell(90, HELD).tell(4, EASED)
    assert scene.judgement().network is Network.QUIET
    assert scene.judgement().control is Control.DONT_KNOW


def test_lateness_counts_anew_after_a_brownout() -> None:
    scene = Scene(20).set_heartbeat("h2", 100).tell(90, HELD).tell(5, EASED)
    assert scene.judgement("h2").control is Control.DONT_KNOW
    assert scene.judgement("h2").verdict == "up"
    scene = Scene(20).set_heartbeat("h2", 100).tell(90, HELD).tell(20, EASED)
    assert scene.judgement("h2").verdict == "service_failed"


def test_too_little_evidence_changes_nothing() -> None:
    scene = Scene(20).dark().dark("h2")
    scene.world = replace(scene.world, began_at=ago(59))
    assert changes(scene) == []


def test_our_own_machine_is_never_fenced() -> None:
    scene = Scene(20).dark()
    scene.world = replace(scene.world, ours=frozenset({H1}))
    assert "carries Koboshi itself" in (why(scene) or "")


# Domains


def racks(scene: Scene) -> Scene:
    names = sorted(scene.world.services)
    domains = {DomainName(f"r{n}"): frozenset(names[n::4]) for n in range(4)}
    scene.world = replace(scene.world, domains=domains)
    return scene


def dark_rack(hosts: int = 20, *, off: bool = True) -> Scene:
    scene = racks(Scene(hosts))
    for host in scene.world.domains[DomainName("r0")]:
        scene.dark(host)
        if off:
            scene.set_power(host, OFF_THRICE)
    return scene


def test_a_rack_that_is_off_is_the_limit_itself() -> None:
    scene = dark_rack()
    assert why(scene) is None
    assert changes(scene) == []


def test_a_rack_that_is_only_silent_is_held_and_a_command_is_offered() -> None:
    assert "koboshi domain confirm r0" in (why(dark_rack(off=False)) or "")


def test_one_more_may_be_outside_and_no_second_one() -> None:
    assert why(dark_rack().dark("h3")) is None
    assert why(dark_rack().dark("h3").dark("h4")) is not None


def test_each_host_of_the_rack_must_be_off() -> None:
    scene = dark_rack()
    scene.set_power("h1", None)
    assert why(scene) is not None


def test_there_must_be_three_domains() -> None:
    scene = dark_rack()
    two = dict(list(scene.world.domains.items())[:2])
    scene.world = replace(scene.world, domains=two)
    assert why(scene) is not None


def test_a_domain_of_more_than_a_third_is_no_limit() -> None:
    scene = dark_rack()
    names = sorted(scene.world.services)
    large = frozenset(names[::4]) | frozenset(names[1::4])
    scene.world = replace(scene.world, domains={**scene.world.domains, DomainName("r0"): large})
    assert why(scene) is not None


def test_a_confirmed_domain_is_let_go_though_the_brake_is_held() -> None:
    scene = dark_rack(off=False).tell(20, HELD)
    dead = scene.world.domains[DomainName("r0")]
    scene.tell(1, DomainConfirmed(domain=DomainName("r0"), hosts=dead, by="anna"))
    assert why(scene) is None
    assert why(scene.dark("h3"), "h3") is not None  # it is not of the domain


# Words of persons


def acting(scene: Scene) -> str | None:
    return scene.picture().why_not_acting


def test_a_disarm_ends_by_itself() -> None:
    scene = Scene().tell(5, Disarmed(until=ago(-60), by="anna", reason="a change"))
    assert "disarmed by anna" in (acting(scene) or "")
    assert changes(scene) == []
    scene = Scene().tell(65, Disarmed(until=ago(1), by="anna", reason="a change"))
    assert acting(scene) is None
    assert keep_holds(scene.picture()).events == (DisarmEnded(),)


def started(mode: str = "act") -> Event:
    return DaemonStarted(version="1", mode=mode, install="test")


def test_a_disarm_outlives_a_restart() -> None:
    scene = Scene().tell(5, Disarmed(until=None, by="anna", reason="a change")).tell(1, started())
    assert acting(scene) is not None
    assert acting(scene.tell(0, Armed(by="anna", reason="done", keep=False))) is None


@pytest.mark.parametrize("keep", [True, False])
def test_arm_lets_an_observer_act_until_it_restarts_or_for_good(*, keep: bool) -> None:
    scene = Scene(rules=Rules(mode=Mode.OBSERVE, install="test"))
    assert "observe mode" in (acting(scene) or "")
    scene.tell(5, Armed(by="anna", reason="go", keep=keep))
    assert acting(scene) is None
    assert (acting(scene.tell(1, started("observe"))) is None) is keep


def test_what_is_disarmed_holds_a_new_incident() -> None:
    scene = Scene().dark().incident().read_records()
    scene.tell(1, Disarmed(until=None, by="anna", reason="a change"))
    moved = [e for e in decide(scene.picture()).events if e.kind == "incident_moved"]
    assert [getattr(e, "to", None) for e in moved] == ["held"]
    assert not decide(scene.picture()).commands
