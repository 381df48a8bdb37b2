"""Hosts without an incident: when one opens, and what is told of them once and once when over."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from koboshi.domain.decide import decide
from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.watch import EVENTS_AT_ONCE, watch_hosts
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.events import (
    DeviceQuarantined,
    Event,
    HostFoundDown,
    HostNoticeCleared,
    HostNoticed,
    HostSeenUp,
    IncidentOpened,
    WitnessTrusted,
)
from koboshi.domain.names import HostName
from koboshi.sim.samples import server
from tests.fakes.scene import H1, Scene, ago, probe, readings, sweep

OFF, ON, UNKNOWN = Power.OFF, Power.ON, Power.UNKNOWN


def told(scene: Scene) -> tuple[Event, ...]:
    return watch_hosts(scene.picture()).events


def topics(scene: Scene) -> list[str]:
    return [e.topic for e in told(scene) if isinstance(e, HostNoticed)]


def opens(scene: Scene) -> bool:
    return any(isinstance(e, IncidentOpened) for e in told(scene))


def test_nothing_is_told_of_a_well_cloud() -> None:
    assert told(Scene()) == ()
    assert not decide(Scene().picture())


def test_confirmed_silence_opens_an_incident_with_its_evidence() -> None:
    (event,) = told(Scene().dark())
    assert isinstance(event, IncidentOpened)
    assert event.host == "h1"
    assert any("silent for" in word for word in event.evidence)


def disabled(reason: str | None) -> Callable[[Scene], object]:
    return lambda s: s.set_heartbeat("h1", 25, enabled=False, disabled_reason=reason)


OPENS_NONE: dict[str, Callable[[Scene], object]] = {
    "has one": lambda s: s.incident(IncidentState.HELD),
    "found down": lambda s: setattr(s, "state", replace(s.state, found_down=frozenset({H1}))),
    "forced down": lambda s: s.set_heartbeat("h1", 25, forced_down=True),
    "disabled": disabled("repair"),
    "disabled without a word": disabled(None),
    "our old marker": disabled("koboshi:test:old"),
    "not protected": lambda s: setattr(
        s, "world", replace(s.world, protected=s.world.protected - {H1})
    ),
    "answers": lambda s: s.set_probe("h1", probe("h1")),
}


@pytest.mark.parametrize("case", OPENS_NONE)
def test_no_incident_opens(case: str) -> None:
    scene = Scene().dark()
    assert opens(scene)
    OPENS_NONE[case](scene)
    assert not opens(scene)


def test_libvirts_own_disable_opens_one() -> None:
    scene = Scene().dark()
    disabled("AUTO: libvirt is gone")(scene)
    assert opens(scene)


@pytest.mark.parametrize(
    ("age_s", "expected"), [(14, list[str]()), (29, list[str]()), (31, ["service_failed"])]
)
def test_a_dead_nova_compute_is_told_when_it_is_late_by_three_intervals(
    age_s: float, expected: list[str]
) -> None:
    assert topics(Scene().set_heartbeat("h1", age_s)) == expected


def test_a_hung_host_is_told() -> None:
    scene = Scene().set_heartbeat("h1", 40).set_probe("h1", probe("h1", kernel_only=True))
    assert topics(scene) == ["hung"]


def test_what_was_told_is_told_once_and_once_when_it_is_over() -> None:
    scene = Scene().set_heartbeat("h1", 40)
    (event,) = told(scene)
    scene.tell(5, event)
    assert told(scene) == ()
    (over,) = told(scene.set_heartbeat("h1", 2))
    assert isinstance(over, HostNoticeCleared)


def test_what_was_told_is_not_over_while_nobody_can_know() -> None:
    """Seed 102478: a second dead nova-compute made it a brownout, and the first was told to be well."""
    scene = Scene(6).set_heartbeat("h1", 40)
    (event,) = told(scene)
    scene.tell(30, event)
    scene.set_heartbeat("h2", 20)
    assert scene.judgement().verdict is Verdict.UP
    assert told(scene) == ()
    (over,) = told(scene.set_heartbeat("h1", 2))
    assert isinstance(over, HostNoticeCleared)


def test_a_bmc_that_cannot_be_read_three_times_is_told() -> None:
    two = readings((600, ON), (5, UNKNOWN), (3, UNKNOWN))
    assert topics(Scene().set_power("h1", two)) == []
    three = readings((600, ON), (5, UNKNOWN), (3, UNKNOWN), (1, UNKNOWN))
    assert topics(Scene().set_power("h1", three)) == ["bmc_unreadable"]


def test_a_bmc_that_reads_off_while_its_host_answers_is_quarantined() -> None:
    scene = Scene().set_power("h1", readings((10, OFF)))
    (event,) = told(scene)
    assert isinstance(event, DeviceQuarantined)
    assert (event.device, event.cause) == ("bmc", "contradicts")
    scene.tell(8, event)
    (notice,) = told(scene)
    assert isinstance(notice, HostNoticed)
    assert notice.topic == "bmc_contradicts"
    scene.tell(8, notice)
    assert told(scene.set_power("h1", readings((10, OFF), (5, UNKNOWN)))) == ()
    assert told(scene.set_power("h1", readings((10, OFF), (1, ON)))) == ()


def test_off_that_was_read_before_the_host_answered_is_no_contradiction() -> None:
    """Somebody switched it on."""
    track = replace(probe("h1"), answering_since=ago(5))
    scene = Scene().set_probe("h1", track).set_power("h1", readings((60, OFF), (8, OFF)))
    assert topics(scene) == []


def test_a_host_without_fencing_is_told() -> None:
    scene = Scene()
    scene.world = replace(scene.world, fenced=scene.world.fenced - {H1})
    assert topics(scene) == ["no_fencing"]


@pytest.mark.parametrize(("vm_state", "expected"), [("active", True), ("stopped", False)])
def test_a_disabled_dark_host_with_running_servers_is_told(
    vm_state: str, *, expected: bool
) -> None:
    scene = Scene().dark(for_s=40)
    disabled("repair, anna")(scene)
    scene.world = replace(scene.world, sweep=sweep(server("a", vm_state=vm_state)))
    assert ("disabled_and_dark" in topics(scene)) is expected


def test_a_host_that_was_never_seen_alive_is_found_down() -> None:
    scene = Scene().set_heartbeat("h1", None).set_probe("h1", None)
    scene.state = replace(scene.state, trusted={})
    found = [e for e in told(scene) if isinstance(e, HostFoundDown)]
    assert [e.host for e in found] == ["h1"]
    scene.state = replace(scene.state, found_down=frozenset({H1}))
    assert not [e for e in told(scene) if isinstance(e, HostFoundDown)]
    scene.set_heartbeat("h1", 2).set_probe("h1", probe("h1"))
    assert [type(e) for e in told(scene) if isinstance(e, HostSeenUp)] == [HostSeenUp]


def test_a_host_that_was_trusted_once_is_not_found_down() -> None:
    scene = Scene().set_heartbeat("h1", None).set_probe("h1", None)
    assert not [e for e in told(scene) if isinstance(e, HostFoundDown)]


def test_trust_is_remembered_once() -> None:
    scene = Scene()
    scene.state = replace(scene.state, trusted={})
    events = told(scene)
    assert {e.host for e in events if isinstance(e, WitnessTrusted)} == scene.world.protected
    scene.tell(1, *events)
    assert told(scene) == ()
    moved = replace(probe("h2"), target="ssh:22@elsewhere")
    (event,) = told(scene.set_probe("h2", moved))
    assert isinstance(event, WitnessTrusted)
    assert event.host == HostName("h2")


def test_dark_and_unconfirmed_is_told() -> None:
    """The prober never knew it: its silence does not count, and nothing is done."""
    scene = Scene().dark(for_s=40)
    scene.state = replace(scene.state, trusted={})
    assert "silent_unconfirmed" in topics(scene)


def test_no_more_is_remembered_at_once_than_one_decision_may_hold() -> None:
    scene = Scene(hosts=EVENTS_AT_ONCE + 10)
    scene.state = replace(scene.state, trusted={})
    first = told(scene)
    assert len(first) == EVENTS_AT_ONCE
    scene.tell(0.0, *first)
    assert len(told(scene)) == 10
