"""A host that rebooted and whose nova-compute does not come; one that is dark though disabled."""

from dataclasses import replace

import pytest

from koboshi.domain.alone.boots import BootTrack
from koboshi.domain.facts.sweep import sweep_of
from koboshi.domain.incidents.noticing import notices
from koboshi.domain.memory.events import HostNoticed
from koboshi.domain.policies.policy import swept
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, Scene, ago


def booted(minutes: float | None, heartbeat_s: float = 3600.0) -> Scene:
    """Return a host that answers, whose heartbeat is old, and whose boot was seen so long ago."""
    scene = Scene().set_heartbeat("h1", heartbeat_s)
    changed_at = None if minutes is None else ago(60 * minutes)
    boots = {H1: BootTrack(booted=BEGINNING, read_at=ago(1), changed_at=changed_at)}
    scene.world = replace(scene.world, boots=boots)
    return scene


def told(scene: Scene) -> dict[str, str]:
    events = notices(scene.picture(), scene.judgement())
    return {e.topic: e.text for e in events if isinstance(e, HostNoticed)}


def test_after_ten_minutes_it_is_down_inside() -> None:
    assert "down_inside" not in told(booted(9.9))
    assert "switch the host off" in told(booted(10))["down_inside"]


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
