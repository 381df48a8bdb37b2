"""A host that rebooted and whose nova-compute does not come; one that is dark though disabled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from koboshi.domain.alone.boots import BootTrack
from koboshi.domain.decision import Decision, Refused
from koboshi.domain.facts.sweep import sweep_of
from koboshi.domain.incidents.confirm_dead import confirm_dead
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.noticing import notices
from koboshi.domain.incidents.steps import answers_again, is_to_be_fenced, proof_of
from koboshi.domain.incidents.watch import watch_hosts
from koboshi.domain.judging.proof import proof_by_word
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.events import (
    BrakeEased,
    BrakeHeld,
    Event,
    HostNoticed,
    IncidentOpened,
    WordGiven,
)
from koboshi.domain.names import THE_CELL, HostName
from koboshi.domain.policies.policy import swept
from koboshi.domain.rules import Mode, Rules
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, NOVA_IS_AHEAD, OFF_THRICE, Scene, ago, probe

WILLING = Rules(mode=Mode.ACT)
FENCES = replace(WILLING, fence_down_inside=True)


def booted(
    minutes: float | None,
    heartbeat_s: float | None = 3600.0,
    *,
    rules: Rules = WILLING,
    step_s: float = 15,
) -> Scene:
    """Return a host that answers, whose heartbeat is old, and whose boot was seen so long ago.

    It booted `step_s` before that was read.
    """
    scene = Scene(rules=rules).set_heartbeat("h1", heartbeat_s)
    changed_at = None if minutes is None else ago(60 * minutes)
    booted = BEGINNING if changed_at is None else changed_at.wall - timedelta(seconds=step_s)
    boots = {
        H1: BootTrack(booted=booted, read_at=ago(1), changed_at=changed_at, known_since=changed_at)
    }
    scene.world = replace(scene.world, boots=boots)
    return scene


def seen_since(scene: Scene, **boot: Any) -> Scene:
    """Return the scene with another reading of the boot time of h1."""
    track = replace(scene.world.boots[H1], **boot)
    scene.world = replace(scene.world, boots={H1: track})
    return scene


def told(scene: Scene) -> dict[str, str]:
    events = notices(scene.picture(), scene.judgement())
    return {e.topic: e.text for e in events if isinstance(e, HostNoticed)}


def opened(scene: Scene) -> list[Event]:
    return [e for e in watch_hosts(scene.picture()).events if isinstance(e, IncidentOpened)]


def test_after_ten_minutes_it_is_down_inside() -> None:
    assert "down_inside" not in told(booted(9.9))
    assert "elsewhere: koboshi host confirm-dead h1" in told(booted(10))["down_inside"]
    assert booted(9.9).judgement().verdict is Verdict.SERVICE_FAILED
    assert booted(10).judgement().verdict is Verdict.DOWN_INSIDE


def test_without_a_power_device_no_command_of_ours_helps() -> None:
    scene = booted(10)
    scene.world = replace(scene.world, fenced=scene.world.fenced - {H1})
    assert "switch h1 off at its BMC" in told(scene)["down_inside"]


def test_it_is_fenced_by_policy_only() -> None:
    assert opened(booted(10)) == []
    scene = booted(10, rules=FENCES)
    assert [type(e) for e in opened(scene)] == [IncidentOpened]
    assert "down_inside" not in told(scene)


def _disabled(scene: Scene) -> Scene:
    row = replace(scene.world.services[H1].service, enabled=False, disabled_reason="disks")
    track = replace(scene.world.services[H1], service=row)
    scene.world = replace(scene.world, services={**scene.world.services, H1: track})
    return scene


def _unfenced(scene: Scene) -> Scene:
    scene.world = replace(scene.world, fenced=scene.world.fenced - {H1})
    return scene


def _eased(scene: Scene) -> Scene:
    return scene.tell(300, BrakeHeld(cell=THE_CELL, reason="test")).tell(
        200, BrakeEased(cell=THE_CELL)
    )


NEVER: dict[str, Callable[[], Scene]] = {
    "too early": lambda: booted(9.9, rules=FENCES),
    "no boot time": lambda: seen_since(booted(None, rules=FENCES), known_since=ago(3000)),
    "its boot time is not read any more": lambda: seen_since(
        booted(30, rules=FENCES), read_at=ago(61)
    ),
    "it reported since": lambda: booted(11, heartbeat_s=60.0, rules=FENCES),
    "it reported between its boot and the reading": lambda: booted(
        11, heartbeat_s=665, rules=FENCES, step_s=15
    ),
    "its clock was set: the boot is of before its last heartbeat": lambda: booted(
        11, heartbeat_s=700, rules=FENCES, step_s=7000
    ),
    "its clock is wrong: the boot is of after its reading": lambda: booted(
        11, rules=FENCES, step_s=-6
    ),
    "it is disabled by an operator": lambda: _disabled(booted(11, rules=FENCES)),
    "it has no power device": lambda: _unfenced(booted(11, rules=FENCES)),
    "the picture was implausible until lately": lambda: _eased(booted(11, rules=FENCES)),
}


@pytest.mark.parametrize("why", NEVER)
def test_it_is_never_fenced(why: str) -> None:
    assert opened(NEVER[why]()) == []


def _first_seen(minutes: float, beat_before_s: float) -> Scene:
    """Return the host as a daemon sees it that began after the boot: no change was seen."""
    scene = seen_since(booted(minutes, heartbeat_s=None, rules=FENCES), changed_at=None)
    row = scene.world.services[H1].service
    beat = scene.world.boots[H1].booted + NOVA_IS_AHEAD - timedelta(seconds=beat_before_s)
    track = replace(scene.world.services[H1], service=replace(row, updated_at=beat), beat=beat)
    scene.world = replace(scene.world, services={**scene.world.services, H1: track})
    return scene


def test_a_daemon_that_began_later_knows_it_by_the_age_of_the_last_heartbeat() -> None:
    assert opened(_first_seen(11, 90)) != []
    assert opened(_first_seen(11, 30)) == []  # two clocks may differ by so much
    assert opened(_first_seen(9, 90)) == []
    assert "servers are down" in told(_first_seen(2, 90))["service_failed"]


def test_a_clock_that_was_set_is_no_reboot() -> None:
    assert "its servers run" in told(booted(11, heartbeat_s=700, step_s=7000))["service_failed"]


def test_each_that_is_fenced_counts_for_the_brake() -> None:
    def scene(rules: Rules) -> Scene:
        found = booted(10, rules=rules)
        found.set_heartbeat("h2", 3600.0)
        boots = {**found.world.boots, HostName("h2"): found.world.boots[H1]}
        found.world = replace(found.world, boots=boots)
        told_long_ago = [  # else so many late heartbeats are the control plane's
            HostNoticed(host=host, topic="service_failed", text="x")
            for host in (H1, HostName("h2"))
        ]
        return found.tell(1200, *told_long_ago)

    assert len(scene(FENCES).picture().brake.in_trouble) == 2
    assert scene(WILLING).picture().brake.in_trouble == frozenset()


def _word(scene: Scene) -> WordGiven:
    answered = confirm_dead(scene.picture(), H1, "I looked", "uid 0 (root)")
    assert isinstance(answered, Decision), answered
    return next(e for e in answered.events if isinstance(e, WordGiven))


def test_a_word_of_it_lets_it_be_fenced_and_proves_nothing() -> None:
    scene = booted(10)
    scene.incident()
    given = _word(scene)
    assert given.to_fence
    scene.tell(1, given)
    picture, incident = scene.picture(), scene.the_incident()
    assert is_to_be_fenced(picture, incident)
    assert not answers_again(picture, incident)
    dark = booted(10).dark(for_s=60)
    dark.incident()
    dark.tell(59, given)
    assert proof_by_word(dark.the_incident(), dark.world, dark.picture().now) is None


def test_a_word_without_a_power_device_or_too_early_is_refused() -> None:
    for scene in (_unfenced(booted(10)), booted(9.9)):
        answered = confirm_dead(scene.picture(), H1, "", "uid 0 (root)")
        assert isinstance(answered, Refused), answered


def test_what_answered_until_its_proof_was_not_off() -> None:
    scene = booted(10, rules=FENCES)
    scene.incident(IncidentState.FENCING)
    scene.set_power("h1", OFF_THRICE)
    assert proof_of(scene.picture(), scene.the_incident()) is None
    scene.set_probe("h1", probe("h1", silent_s=6.5))
    assert proof_of(scene.picture(), scene.the_incident()) is not None


def test_until_then_nobody_says_that_its_servers_run() -> None:
    assert "servers are down" in told(booted(2))["service_failed"]
    assert "its servers run" in told(booted(None))["service_failed"]


def test_one_that_has_reported_since_or_that_is_silent_is_not() -> None:
    assert "down_inside" not in told(booted(11, heartbeat_s=60.0))
    assert "down_inside" not in told(booted(11).dark())
    assert "down_inside" not in told(booted(11).incident())


@pytest.mark.parametrize(
    ("forced", "words"),
    [
        (False, "recovered: koboshi host confirm-dead h1"),
        (
            True,
            "openstack compute service set --up h1 nova-compute, then koboshi host confirm-dead h1",
        ),
    ],
)
def test_a_disabled_host_that_is_dark_is_told_with_the_one_command(
    words: str, *, forced: bool
) -> None:
    scene = Scene().dark(for_s=60)
    scene.set_heartbeat("h1", 65, enabled=False, disabled_reason="disks", forced_down=forced)
    scene.world = replace(scene.world, sweep=sweep_of([swept(server("a"))], ago(90)))
    text = told(scene)["disabled_and_dark"]
    assert words in text
    assert "1 of its servers" in text
