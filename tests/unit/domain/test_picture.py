"""What is judged again for the next picture, and what is taken over from the one before."""

from dataclasses import replace

import pytest

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Power
from koboshi.domain.judging.verdict import Network, Verdict
from koboshi.domain.names import HostName
from koboshi.domain.picture import take_picture
from tests.fakes.scene import NOW_S, Scene, at, heartbeat, probe, readings

H1 = HostName("h1")


def after(scene: Scene, before: Picture, seconds: float = 0.2) -> Picture:
    now = at(NOW_S + seconds)
    return take_picture(scene.world, scene.state, scene.rules, now, before)


def judged_anew(before: Picture, picture: Picture) -> list[HostName]:
    """Return the hosts whose judgement is not the very same object as before."""
    return [h for h, j in picture.judgements.items() if j is not before.judgements[h]]


def test_a_cloud_that_is_well_is_left_alone() -> None:
    scene = Scene(hosts=200)
    first = scene.picture()
    assert first.restless == ()
    assert judged_anew(first, after(scene, first)) == []


def test_new_answers_of_well_hosts_cost_no_judgement() -> None:
    scene = Scene(hosts=200)
    first = scene.picture()
    services = {h: heartbeat(h, age_s=1.0) for h in scene.world.services}
    probes = {h: probe(h) for h in scene.world.probes}
    scene.world = replace(scene.world, services=services, probes=probes)
    second = after(scene, first)
    assert second.restless == ()
    assert judged_anew(first, second) == []


def test_one_host_that_falls_silent_is_the_only_one_that_is_judged() -> None:
    scene = Scene(hosts=200)
    first = scene.picture()
    scene.world = replace(scene.world, probes={**scene.world.probes, H1: probe("h1", 2.0)})
    second = after(scene, first)
    assert second.restless == (H1,)
    assert judged_anew(first, second) == [H1]
    assert second.judgements[H1].verdict is Verdict.SUSPECT


def test_a_host_that_is_not_asked_any_more_is_judged_when_its_last_answer_is_too_old() -> None:
    scene = Scene()
    first = scene.picture()
    assert after(scene, first, seconds=2.0).restless == ()
    late = after(scene, first, seconds=3.0)
    assert late.judgements[H1].network is Network.DONT_KNOW
    assert H1 in late.restless


def test_a_power_reading_is_forgotten_in_time() -> None:
    scene = Scene()
    track = readings((9.0, Power.ON))
    scene.world = replace(scene.world, probes={}, power={**scene.world.power, H1: track})
    first = scene.picture()
    assert first.judgements[H1].power is Power.ON
    assert H1 in first.quiet
    assert after(scene, first, seconds=1.5).judgements[H1].power is Power.UNKNOWN


def test_calm_of_another_kind_is_judged_again() -> None:
    scene = Scene()
    scene.world = replace(
        scene.world, probes={**scene.world.probes, H1: probe("h1", kernel_only=True)}
    )
    first = scene.picture()
    assert first.judgements[H1].network is Network.KERNEL
    scene.world = replace(scene.world, probes={**scene.world.probes, H1: probe("h1")})
    second = after(scene, first)
    assert second.judgements[H1].network is Network.USERLAND
    assert second.restless == ()


@pytest.mark.parametrize("reads", [Power.OFF, Power.UNKNOWN])
def test_a_host_whose_power_does_not_read_on_is_looked_at(reads: Power) -> None:
    scene = Scene()
    track = readings(*((age, reads) for age in (9.0, 6.0, 3.0)))
    scene.world = replace(scene.world, power={**scene.world.power, H1: track})
    assert H1 in scene.picture().restless


def test_a_host_with_an_open_incident_is_never_left_alone() -> None:
    scene = Scene().recovering()
    scene.world = replace(scene.world, services={**scene.world.services, H1: heartbeat("h1")})
    scene.world = replace(scene.world, probes={**scene.world.probes, H1: probe("h1")})
    assert scene.picture().restless == (H1,)


def test_a_host_that_is_new_in_nova_is_judged() -> None:
    scene = Scene()
    first = scene.picture()
    new = HostName("h7")
    scene.world = replace(scene.world, services={**scene.world.services, new: heartbeat("h7")})
    assert new in after(scene, first).judgements
