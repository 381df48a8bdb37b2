"""What Cinder tells of stranded servers' volumes: whom it holds, and how long its word is waited for."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.facts.world import ImageRead, ServersRead, VolumeRead
from koboshi.domain.incidents.listing import list_new_servers
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import ServersListed
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.recoveries.stranded import UNKNOWN_BACKEND, backends_of, goes_down_with
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


NO_TPM = frozenset[HostName]()


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
        tpm_hosts=NO_TPM,
        volumes={
            f"vol-{n}": VolumeRead(volume=Volume(id=f"vol-{n}", backend=backend))
            for n, backend in served_by.items()
        },
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


def asked(
    *, failing_s: float | None = None, listing_s: float = 1, backends: frozenset[str] = ELSEWHERE
) -> Scene:
    """Return a scene whose server's volume is not known: not read yet, or not to be read for so long."""
    made = scene(server("a"), backends=backends)
    if failing_s is not None:
        unread = VolumeRead(failing_since=ago(failing_s))
        made.world = replace(made.world, volumes={"vol-a": unread})
    incident = replace(made.the_incident(), moved_at=ago(listing_s))
    read = ServersRead(at=ago(0.5), servers=(server("a"),))
    made.world = replace(made.world, on_host={H1: read})
    made.state = replace(made.state, incidents={incident.id: incident})
    return made


@pytest.mark.parametrize("backends", [ELSEWHERE, frozenset[str]()])
def test_a_host_that_serves_no_volumes_waits_for_cinder_a_moment_only(
    backends: frozenset[str],
) -> None:
    """It has no vTPMs, so Cinder can only say which back end is busy."""
    assert listed(asked(backends=backends)) == {}
    assert interest_of(asked(backends=backends).picture()).volumes == {"vol-a"}
    assert listed(asked(failing_s=5, backends=backends)) == {}
    found = listed(asked(failing_s=11, listing_s=20, backends=backends))["a"]
    assert found.treatment is Treatment.EVACUATE
    assert found.backends == {UNKNOWN_BACKEND}
    assert listed(asked(listing_s=61, backends=backends))["a"].treatment is Treatment.EVACUATE


def test_a_host_that_serves_volumes_waits_for_cinder_however_long() -> None:
    assert listed(asked(failing_s=300, listing_s=600, backends=OWN)) == {}


def on_hosts_with(made: Scene, tpm_hosts: frozenset[HostName] | None) -> Scene:
    made.world = replace(made.world, tpm_hosts=tpm_hosts)
    return made


@pytest.mark.parametrize("tpm_hosts", [frozenset({H1}), None])
def test_whose_host_may_give_a_vtpm_waits_for_cinder_however_long(
    tpm_hosts: frozenset[HostName] | None,
) -> None:
    made = on_hosts_with(asked(failing_s=300, listing_s=600), tpm_hosts)
    assert listed(made) == {}
    assert interest_of(made.picture()).tpm_hosts
    assert listed(on_hosts_with(asked(listing_s=600), tpm_hosts)) == {}
    other = on_hosts_with(asked(failing_s=11, listing_s=20), frozenset({HostName("h2")}))
    assert listed(other)["a"].treatment is Treatment.EVACUATE


def test_nobody_asks_for_hosts_with_vtpms_while_cinder_answers() -> None:
    assert not interest_of(scene(server("a"), a="ctl1@ceph").picture()).tpm_hosts
    assert not interest_of(asked().picture()).tpm_hosts, "it was asked a moment ago"
    assert interest_of(asked(listing_s=20).picture()).tpm_hosts
    assert interest_of(asked(failing_s=1).picture()).tpm_hosts


def not_shown(tpm_hosts: frozenset[HostName] | None) -> Scene:
    made = scene(server("a"))
    made.world = replace(made.world, tpm_hosts=tpm_hosts, volumes={"vol-a": VolumeRead()})
    return made


def test_a_volume_that_cinder_does_not_show_holds_where_it_may_hide_a_vtpm() -> None:
    found = listed(not_shown(frozenset({H1})))["a"]
    assert found.treatment is Treatment.HOLD
    assert "not known whether its image gives it a vTPM" in found.reason
    assert listed(not_shown(NO_TPM))["a"].treatment is Treatment.EVACUATE
    assert listed(not_shown(None)) == {}, "until Placement has told which hosts can"
    assert interest_of(not_shown(None).picture()).tpm_hosts


@pytest.mark.parametrize("tpm", ["2.0", ""])
def test_a_tpm_that_the_image_of_its_volume_gives_holds_it(tpm: str) -> None:
    made = scene(server("a"))
    volume = Volume(id="vol-a", backend="ctl1@ceph#ceph", tpm=tpm, firmware="uefi")
    made.world = replace(made.world, volumes={"vol-a": VolumeRead(volume=volume)})
    found = listed(made)["a"]
    assert found.treatment is (Treatment.HOLD if tpm else Treatment.EVACUATE)
    assert "its image gives it a vTPM" in found.reason or not tpm


def test_a_tpm_that_its_image_gives_holds_it() -> None:
    made = scene(image_server("a"))
    made.rules = replace(made.rules, on_local_disk=OnLocalDisk.REBUILD)
    image = Image(id="image-1", active=True, tpm="2.0")
    made.world = replace(made.world, images={"image-1": ImageRead(at=ago(1), image=image)})
    found = listed(made)["a"]
    assert found.treatment is Treatment.HOLD
    assert "its image gives it a vTPM" in found.reason


def test_back_ends_are_services_and_what_is_not_told_is_one() -> None:
    row = replace(server("a"), volume_ids=("x", "y", "z", "w"))
    told = {
        "x": Volume(id="x", backend="ctl1@ceph#fast"),
        "y": Volume(id="y", backend="ctl1@ceph#slow"),
        "z": Volume(id="z"),
    }
    assert backends_of(row, told) == {"ctl1@ceph", UNKNOWN_BACKEND}
    assert backends_of(replace(row, volume_ids=()), told) == frozenset()
