"""When a power device is believed no more, and what makes it believed again."""

from dataclasses import replace

from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import Identity, mistaken
from koboshi.domain.judging.evidence import PowerTrack, distrusting, off_proven_at
from koboshi.domain.judging.quarantine import has_trusted_device, neighbours, watch_devices
from koboshi.domain.memory.events import DeviceQuarantined, DeviceTrusted, Event
from koboshi.domain.names import HostName
from tests.fakes.scene import H1, OFF_THRICE, Scene, ago, readings

H2 = HostName("h2")
BMC, OUTLETS = "bmc", "outlets"


def quarantined(cause: str = "contradicts", device: str = BMC, table: str = "") -> Event:
    return DeviceQuarantined(host=H1, device=device, cause=cause, reason="wrong", table=table)


def watched(scene: Scene) -> list[Event]:
    return list(watch_devices(scene.picture(), H1))


def on_for(scene: Scene, hours: float) -> None:
    track = readings((1, Power.ON))
    scene.set_power("h1", replace(track, on_since=ago(hours * 3600)))


def test_a_long_time_of_on_ends_a_contradiction() -> None:
    scene = Scene().tell(100_000, quarantined())
    on_for(scene, 23.9)
    assert watched(scene) == []
    on_for(scene, 24)
    (event,) = watched(scene)
    assert isinstance(event, DeviceTrusted)


def test_time_does_not_mend_a_device_that_is_another_hosts() -> None:
    scene = Scene().tell(100_000, quarantined("mistaken"))
    on_for(scene, 1000)
    assert watched(scene) == []
    scene.world = replace(
        scene.world, identities={H1: Identity(serial="new")}, machines={H1: "new"}
    )
    (event,) = watched(scene)
    assert isinstance(event, DeviceTrusted)


def test_other_settings_make_another_device() -> None:
    scene = Scene().tell(60, quarantined(table="old"))
    scene.world = replace(scene.world, devices={H1: {BMC: "old"}})
    assert watched(scene) == []
    scene.world = replace(scene.world, devices={H1: {BMC: "new"}})
    (event,) = watched(scene)
    assert isinstance(event, DeviceTrusted)


def test_only_the_device_that_spoke_is_quarantined() -> None:
    scene = Scene()
    scene.world = replace(scene.world, devices={H1: {BMC: "b", OUTLETS: "o"}})
    track = readings((10, Power.OFF))
    track = replace(track, readings=(replace(track.newest, device=OUTLETS),))
    (event,) = watched(scene.set_power("h1", track))
    assert isinstance(event, DeviceQuarantined)
    assert event.device == OUTLETS
    scene.tell(5, event)
    assert has_trusted_device(H1, scene.world, scene.state)
    scene.tell(5, quarantined())
    assert not has_trusted_device(H1, scene.world, scene.state)


def test_no_off_of_a_distrusted_device_counts() -> None:
    assert off_proven_at(OFF_THRICE) is not None
    assert off_proven_at(distrusting(OFF_THRICE, {BMC})) is None
    assert distrusting(OFF_THRICE, {OUTLETS}) is OFF_THRICE
    on: PowerTrack = readings((1, Power.ON))
    assert distrusting(on, {BMC}) is on


def test_who_says_that_it_is_another() -> None:
    hosts = [HostName(f"cmp{n}.example.com") for n in range(4)]
    told = {
        hosts[0]: Identity(serial="A", host_name="cmp0"),
        hosts[1]: Identity(serial="b"),
        hosts[2]: Identity(serial="B", host_name="localhost"),
        hosts[3]: Identity(serial="C", host_name="CMP0.bmc.example.com"),
    }
    found = mistaken(told, hosts)
    assert set(found) == {hosts[1], hosts[2], hosts[3]}
    assert "the same machine (b)" in found[hosts[1]]
    assert f"would kill {hosts[0]}" in found[hosts[3]]
    assert mistaken({}, hosts) == {}


def test_the_nearest_by_name_are_looked_at_first() -> None:
    scene = Scene()
    picture = scene.picture()
    everyone = neighbours(picture, H1)
    assert everyone
    assert H1 not in everyone
    few = replace(picture, rules=replace(picture.rules, look_first=1))
    assert len(neighbours(few, H1)) == 1
