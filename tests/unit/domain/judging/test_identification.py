"""A power device is known by what it said of itself: whoever says another thing later is not used."""

from dataclasses import replace

from koboshi.domain.facts.device import NAMELESS, Identity, mistaken
from koboshi.domain.facts.world import World
from koboshi.domain.judging.identification import identified, why_not_switch
from koboshi.domain.memory.events import DeviceIdentified, DeviceQuarantined
from koboshi.domain.names import HostName
from tests.fakes.scene import H1, Scene

H2 = HostName("h2")
S1, S2 = Identity(serial="s1"), Identity(serial="s2")


def world(told: Identity | None, machine: str | None) -> World:
    found = replace(
        Scene().world,
        identities={} if told is None else {H1: told},
        machines={} if machine is None else {H1: machine},
    )
    return replace(found, mistaken=mistaken(found.identities, (), found.machines))


def test_a_device_is_switched_only_when_it_says_what_it_said_before() -> None:
    assert why_not_switch(H1, world(S1, "S1")) is None
    assert "it was s2" in (why_not_switch(H1, world(S1, "s2")) or "")
    assert "does not say now" in (why_not_switch(H1, world(None, "s1")) or "")
    assert "does not say now" in (why_not_switch(H1, world(NAMELESS, "s1")) or "")


def test_a_device_that_never_told_is_switched_as_ever() -> None:
    assert why_not_switch(H1, world(None, None)) is None
    assert why_not_switch(H1, world(NAMELESS, None)) is None


def test_whose_it_is_now_is_named_where_that_is_known() -> None:
    known = {H1: "s1", H2: "s2"}
    assert "hit h2's" in mistaken({H1: S2}, (), known)[H1]
    assert "not known here" in mistaken({H1: Identity(serial="s3")}, (), known)[H1]


def test_what_a_device_says_first_is_remembered_once() -> None:
    scene = Scene()
    (event,) = identified(H1, world(S1, None), scene.state.devices)
    assert event == DeviceIdentified(host=H1, device="bmc", serial="s1", table="")
    scene.tell(1, event)
    assert scene.state.devices.machines[H1].serial == "s1"
    assert list(identified(H1, world(S1, "s1"), scene.state.devices)) == []
    assert list(identified(H1, world(NAMELESS, None), scene.state.devices)) == []
    assert list(identified(H1, world(S2, "s1"), scene.state.devices)) == []


def test_a_device_that_contradicted_its_host_was_never_the_hosts() -> None:
    scene = Scene().tell(9, DeviceIdentified(host=H1, device="bmc", serial="s2", table=""))
    wrong = DeviceQuarantined(host=H1, device="bmc", cause="mistaken", reason="", table="")
    scene.tell(6, wrong)
    assert H1 in scene.state.devices.machines
    scene.tell(5, replace(wrong, cause="contradicts"))
    assert scene.state.devices.machines == {}
    assert list(identified(H1, world(S2, None), scene.state.devices)) == []
