"""Volumes that a dead host served itself: their servers are held; of any other host nobody asks."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.world import ServersRead
from koboshi.domain.incidents.listing import list_new_servers
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import ServersListed
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.recoveries.stranded import goes_down_with
from koboshi.domain.rules import OnLocalDisk
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, Scene, ago

OWN = frozenset({"ctl1@ceph", "h1@lvm"})
ELSEWHERE = frozenset({"ctl1@ceph", "h2@lvm"})


@pytest.mark.parametrize(
    ("backend", "host", "is_own"),
    [
        ("cmp1@lvm#pool", "cmp1", True),
        ("CMP1@lvm", "cmp1", True),
        ("cmp1@lvm", "cmp1.example.org", True),
        ("cmp1.example.org@lvm", "cmp1", True),
        ("cmp1.a.org@lvm", "cmp1.b.org", False),
        ("cmp10@lvm", "cmp1", False),
        ("ctl1@ceph#ceph", "cmp1", False),
    ],
)
def test_whose_back_end_it_is(backend: str, host: str, *, is_own: bool) -> None:
    assert goes_down_with(backend, HostName(host)) is is_own


def scene(*servers: Server, backends: frozenset[str] = OWN, **served_by: str | None) -> Scene:
    made = Scene().recovering()
    made.state = replace(
        made.state,
        incidents={
            i: replace(incident, servers_listed=False)
            for i, incident in made.state.incidents.items()
        },
    )
    made.world = replace(
        made.world,
        on_host={H1: ServersRead(at=ago(1), servers=servers)},
        backends=backends,
        served_by={f"vol-{name}": backend for name, backend in served_by.items()},
    )
    return made


def listed(scene: Scene) -> dict[str, Candidate]:
    events = list_new_servers(scene.picture(), scene.the_incident()).events
    return {c.server: c for e in events if isinstance(e, ServersListed) for c in e.candidates}


def test_a_server_whose_volume_went_down_with_its_host_is_held() -> None:
    found = listed(scene(server("a"), server("b"), a="h1@lvm#lvm", b="ctl1@ceph#ceph"))
    assert found["a"].treatment is Treatment.HOLD
    assert "its volume vol-a is served by h1@lvm#lvm, on the dead host" in found["a"].reason
    assert found["b"].treatment is Treatment.EVACUATE


def test_what_is_held_anyway_keeps_its_reason_and_what_is_rebuilt_does_not_go() -> None:
    row = replace(image_server("a"), volume_ids=("vol-a",))
    held = listed(scene(row, a="h1@lvm"))["a"]
    assert "would be lost" in held.reason
    at_home = scene(row, a="h1@lvm")
    at_home.rules = replace(at_home.rules, on_local_disk=OnLocalDisk.REBUILD)
    assert listed(at_home)["a"].treatment is Treatment.HOLD


def test_nobody_is_sent_before_it_is_known_and_who_is_known_does_not_wait() -> None:
    waiting = scene(server("a"), server("b"), b="ctl1@ceph#ceph")
    assert set(listed(waiting)) == {"b"}
    assert interest_of(waiting.picture()).volumes == {"vol-a", "vol-b"}


def test_a_volume_that_cinder_does_not_tell_of_keeps_nobody() -> None:
    assert listed(scene(server("a"), a=None))["a"].treatment is Treatment.EVACUATE


@pytest.mark.parametrize("backends", [ELSEWHERE, frozenset[str]()])
def test_a_host_that_serves_no_volumes_waits_for_no_cinder(backends: frozenset[str]) -> None:
    made = scene(server("a"), backends=backends)
    assert listed(made)["a"].treatment is Treatment.EVACUATE
    assert interest_of(made.picture()).volumes == frozenset()
