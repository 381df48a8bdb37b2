"""The judgement of a host: every combination of its witnesses, and when none is believed."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.cloud import Power, ProbeAnswer
from koboshi.domain.judging.evidence import PowerTrack, observe_probe
from koboshi.domain.judging.networks import is_trusted
from koboshi.domain.judging.verdict import Control, Network, Verdict
from koboshi.domain.memory.events import DeviceQuarantined
from tests.fakes.scene import H1, OFF_THRICE, Scene, ago, heartbeat, probe, readings

NETWORKS = (
    "userland",
    "kernel",
    "quiet",
    "silent",
    "untrusted",
    "own_trouble",
    "never",
    "not_asked_now",
)
CONTROLS = ("fresh", "late", "vanished", "cell_unknown", "too_young", "stalled", "unread")


def set_network(scene: Scene, case: str) -> None:
    match case:
        case "userland":
            track = probe("h1")
        case "kernel":
            track = probe("h1", kernel_only=True)
        case "quiet":
            track = probe("h1", 3)
        case "silent":
            track = probe("h1", 7)
        case "untrusted":
            track = replace(probe("h1", 7), target="ssh:22@another-address")
        case "own_trouble":
            track = replace(
                probe("h1", 7), answer=ProbeAnswer.OWN_TROUBLE, silent_since=None, kernel_at=ago(9)
            )
        case "not_asked_now":
            track = replace(probe("h1", 60), asked_at=ago(4))
        case _:
            track = None
    scene.set_probe("h1", track)


def set_control(scene: Scene, case: str) -> None:
    scene.set_heartbeat("h1", 3 if case == "fresh" else 14)
    world = scene.world
    match case:
        case "vanished":
            old = replace(heartbeat("h1", 14), read_at=ago(20), asked_at=ago(20.1))
            scene.world = replace(world, services={**world.services, H1: old})
        case "cell_unknown":
            scene.set_heartbeat("h1", 14, up=None)
        case "too_young":
            scene.set_heartbeat("h1", None)
            scene.world = replace(scene.world, began_at=ago(59))
        case "stalled":
            late = heartbeat("ctl", 14)
            scene.world = replace(world, control={**world.control, "nova-conductor@ctl": late})
        case "unread":
            tracks = {h: replace(t, read_at=ago(61)) for h, t in world.services.items()}
            tracks[H1] = replace(heartbeat("h1", 70), read_at=ago(61))
            scene.world = replace(world, services=tracks, services_read_at=ago(61))
        case _:
            pass


EXPECTED: dict[Network, dict[Control, Verdict]] = {
    Network.USERLAND: {
        Control.FRESH: Verdict.UP,
        Control.LATE: Verdict.SERVICE_FAILED,
        Control.DONT_KNOW: Verdict.UP,
    },
    Network.KERNEL: {
        Control.FRESH: Verdict.UP,
        Control.LATE: Verdict.HUNG,
        Control.DONT_KNOW: Verdict.UNKNOWN,
    },
    Network.QUIET: dict.fromkeys(Control, Verdict.SUSPECT),
    Network.SILENT: {
        Control.FRESH: Verdict.SUSPECT,
        Control.LATE: Verdict.UNREACHABLE,
        Control.DONT_KNOW: Verdict.SUSPECT,
    },
    Network.DONT_KNOW: {
        Control.FRESH: Verdict.UP,
        Control.LATE: Verdict.SUSPECT,
        Control.DONT_KNOW: Verdict.UNKNOWN,
    },
}
NETWORK_OF = {
    "userland": Network.USERLAND,
    "kernel": Network.KERNEL,
    "quiet": Network.QUIET,
    "silent": Network.SILENT,
}
CONTROL_OF = {"fresh": Control.FRESH, "late": Control.LATE}


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("network", NETWORKS)
def test_each_combination_of_two_witnesses(network: str, control: str) -> None:
    scene = Scene()
    set_network(scene, network)
    set_control(scene, control)
    judgement = scene.judgement()
    expected_network = NETWORK_OF.get(network, Network.DONT_KNOW)
    expected_control = CONTROL_OF.get(control, Control.DONT_KNOW)
    assert (judgement.network, judgement.control) == (expected_network, expected_control)
    assert judgement.verdict is EXPECTED[expected_network][expected_control]
    assert all(judgement.reasons)


@pytest.mark.parametrize("control", CONTROLS)
def test_power_proven_off_needs_no_silence_of_the_control_plane(control: str) -> None:
    scene = Scene()
    set_network(scene, "silent")
    set_control(scene, control)
    scene.set_power("h1", OFF_THRICE)
    assert scene.judgement().verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize(
    "track",
    [
        None,
        readings((3.5, Power.OFF), (1.0, Power.OFF)),
        readings((6.0, Power.OFF), (3.5, Power.OFF), (2.0, Power.OFF), (1.0, Power.UNKNOWN)),
        readings((30.0, Power.OFF), (28.0, Power.OFF), (26.0, Power.OFF)),
        readings((6.0, Power.OFF), (3.5, Power.OFF), (1.0, Power.ON)),
    ],
)
def test_power_that_is_not_proven_off_confirms_no_silence(track: PowerTrack | None) -> None:
    scene = Scene()
    set_network(scene, "silent")
    set_control(scene, "fresh")
    scene.set_power("h1", track)
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_off_of_a_bmc_that_contradicted_a_living_host_confirms_nothing() -> None:
    scene = Scene()
    set_network(scene, "silent")
    set_control(scene, "fresh")
    scene.set_power("h1", OFF_THRICE)
    scene.tell(
        60,
        DeviceQuarantined(host=H1, device="bmc", cause="contradicts", reason="wrong", table=""),
    )
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_off_while_heartbeats_go_on_confirms_nothing() -> None:
    scene = Scene()
    set_network(scene, "silent")
    scene.set_heartbeat("h1", 1)
    scene.set_power("h1", readings(*((s, Power.OFF) for s in (20.0, 15.0, 10.0, 5.0, 1.0))))
    assert scene.judgement().verdict is Verdict.SUSPECT


@pytest.mark.parametrize(
    ("others", "silent", "confirmed"),
    [
        (1, 0, True),
        (1, 1, False),
        (2, 1, True),
        (2, 2, False),
        (4, 1, True),
        (4, 2, False),
        (5, 1, True),
        (5, 2, False),
        (9, 1, True),
        (10, 2, True),
        (10, 3, False),
    ],
)
def test_the_positive_control(others: int, silent: int, *, confirmed: bool) -> None:
    """80 % of the others must answer the same prober, or all but one of up to five."""
    scene = Scene(hosts=others + 1).dark("h1")
    for number in range(2, 2 + silent):
        scene.set_probe(f"h{number}", probe(f"h{number}", 7))
    expected = Verdict.UNREACHABLE if confirmed else Verdict.SUSPECT
    assert scene.judgement().verdict is expected


def test_an_answer_of_others_from_before_the_silence_is_no_positive_control() -> None:
    scene = Scene().dark("h1")
    for host in list(scene.world.probes):
        if host != H1:
            scene.set_probe(host, probe(host, 4))
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_nothing_advances_is_a_stall_of_the_cell() -> None:
    scene = Scene()
    for host in scene.world.services:
        scene.set_heartbeat(host, 20)
    set_network(scene, "silent")
    assert scene.judgement().control is Control.DONT_KNOW
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_a_conductor_that_is_known_to_be_down_stalls_nobody() -> None:
    scene = Scene().dark("h1")
    gone = heartbeat("ctl2", 500, up=False)
    scene.world = replace(scene.world, control={**scene.world.control, "nova-conductor@ctl2": gone})
    assert scene.judgement().verdict is Verdict.UNREACHABLE


def test_a_host_that_was_found_down_stays_found_down_until_it_is_up() -> None:
    scene = Scene().dark("h1")
    scene.state = replace(scene.state, found_down=frozenset({H1}))
    assert scene.judgement().verdict is Verdict.FOUND_DOWN
    scene.set_probe("h1", probe("h1")).set_heartbeat("h1", 2)
    assert scene.judgement().verdict is Verdict.UP


def test_trust_is_of_an_address_and_of_ten_minutes() -> None:
    scene = Scene().dark("h1")
    scene.state = replace(scene.state, trusted={})
    assert scene.judgement().network is Network.DONT_KNOW
    # Up to the last answer, and no longer: 599 s are too few although 603 s have passed.
    young = replace(probe("h1", 3), answering_since=ago(603), kernel_at=ago(4))
    old_enough = replace(young, answering_since=ago(604))
    for track, trusted in ((young, False), (old_enough, True)):
        scene.set_probe("h1", track)
        assert is_trusted(H1, scene.world, scene.state, scene.rules, scene.now) is trusted


def test_our_own_trouble_breaks_a_silence() -> None:
    track = None
    for age_s in range(20, 10, -1):
        track = observe_probe(track, ProbeAnswer.SILENT, ago(age_s), "ssh:22@h1")
    track = observe_probe(track, ProbeAnswer.OWN_TROUBLE, ago(10), "ssh:22@h1")
    track = observe_probe(track, ProbeAnswer.SILENT, ago(1), "ssh:22@h1")
    assert track.silent_since == ago(1)


def test_the_same_picture_has_the_same_judgement() -> None:
    scene = Scene().dark("h1")
    assert scene.picture() == scene.picture()
    assert list(scene.picture().judgements) == sorted(scene.world.services)
