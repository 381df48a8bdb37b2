"""The witnesses beyond Nova, the management network and power: what each adds, and what it must not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import NetworkAgent, Power
from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.hearsay import AgentBeat, AgentTrack, KdumpSeen, SampleTrack
from koboshi.domain.judging.networks import Network
from koboshi.domain.judging.proof import heard_elsewhere
from koboshi.domain.judging.testimony import External, Group
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.names import DomainName, HostName, NetworkName
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, OFF_THRICE, READ_AGO_S, Scene, ago, probe, readings

STORAGE = NetworkName("storage")


def agents(
    scene: Scene, age_s: float | None, *, interval_s: float = 30, read: bool = True
) -> Scene:
    """Let h1's agent have reported so long ago."""
    row = NetworkAgent(id="a", host=H1, binary="ovs", heartbeat_at=BEGINNING)
    read_at = ago(READ_AGO_S) if read else ago(90)
    beat = AgentBeat(
        row=row,
        seen_at=read_at,
        advanced_at=None if age_s is None else ago(age_s),
        intervals=(timedelta(seconds=interval_s),),
    )
    track = AgentTrack(beats={"a": beat}, asked_at=read_at, read_at=read_at)
    scene.world = replace(scene.world, agents={H1: track}, agents_read_at=ago(READ_AGO_S))
    return scene


def storage(scene: Scene, silent_s: float | None, *, others_silent: int = 0) -> Scene:
    """Let every host be asked on a second network, which h1 answered until so long ago."""
    tracks = {
        h: replace(probe(h, 7.0 if n <= others_silent else None), target=f"icmp@{h}")
        for n, h in enumerate(scene.world.services)
    }
    tracks[H1] = replace(probe("h1", silent_s), target="icmp@h1")
    scene.world = replace(scene.world, further={STORAGE: tracks})
    trusted = {(h, STORAGE): replace(t, target=f"icmp@{h}") for h, t in scene.state.trusted.items()}
    scene.state = replace(scene.state, trusted_further=trusted)
    return scene


def sample(scene: Scene, age_s: float) -> Scene:
    track = SampleTrack(stamp=BEGINNING, read_at=ago(READ_AGO_S), alive_at=ago(age_s))
    scene.world = replace(scene.world, samples={H1: track})
    return scene


def kdump(scene: Scene, age_s: float, *, authenticated: bool = False) -> Scene:
    seen = KdumpSeen(at=ago(age_s), authenticated=authenticated)
    scene.world = replace(scene.world, kdumps={H1: seen})
    return scene


# Neutron's agents


@pytest.mark.parametrize(
    ("nova_s", "agent_s", "control"),
    [
        (3, 500, Control.FRESH),
        (25, 26, Control.LATE),  # both fell silent together: Nova's own pace counts
        (25, 14.5, Control.FRESH),  # heard after Nova had missed one: the host lives without it
        (500, 20, Control.FRESH),
        (500, 40, Control.LATE),
    ],
)
def test_agents_and_heartbeats_are_one_group(
    nova_s: float, agent_s: float, control: Control
) -> None:
    scene = agents(Scene().set_heartbeat("h1", nova_s), agent_s)
    assert scene.judgement().control is control


def test_an_agent_keeps_a_host_whose_nova_compute_is_down_from_being_fenced() -> None:
    scene = agents(Scene().dark("h1"), 5)
    assert scene.judgement().verdict is Verdict.SUSPECT
    scene.set_probe("h1", probe("h1"))
    assert scene.judgement().verdict is Verdict.SERVICE_FAILED


def test_agents_that_cannot_be_read_any_more_confirm_nothing() -> None:
    scene = agents(Scene().dark("h1", 120), 100, read=False)
    assert scene.judgement().control is Control.DONT_KNOW
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_agents_that_never_reported_say_nothing() -> None:
    assert agents(Scene().dark("h1"), None).judgement().verdict is Verdict.UNREACHABLE


# Further networks


@pytest.mark.parametrize(
    ("silent_s", "word", "verdict"),
    [
        (None, Network.USERLAND, Verdict.SUSPECT),
        (3, Network.QUIET, Verdict.SUSPECT),
        (8, Network.SILENT, Verdict.UNREACHABLE),
    ],
)
def test_a_host_that_answers_elsewhere_is_not_unreachable(
    silent_s: float | None, word: Network, verdict: Verdict
) -> None:
    judgement = storage(Scene().dark("h1"), silent_s).judgement()
    assert judgement.further == {STORAGE: word}
    assert judgement.verdict is verdict


def test_not_even_when_its_power_reads_off() -> None:
    scene = storage(Scene().dark("h1"), None).set_power("h1", OFF_THRICE)
    assert scene.judgement().verdict is Verdict.SUSPECT


def test_the_silence_of_a_further_network_alone_is_nothing() -> None:
    assert storage(Scene(), 60).judgement().verdict is Verdict.UP


def test_a_further_network_has_a_positive_control_of_its_own() -> None:
    judgement = storage(Scene().dark("h1"), 60, others_silent=5).judgement()
    assert judgement.further == {STORAGE: Network.DONT_KNOW}
    assert judgement.verdict is Verdict.UNREACHABLE


def test_a_further_network_that_was_never_reached_does_not_count() -> None:
    scene = storage(Scene().dark("h1"), 60)
    scene.state = replace(scene.state, trusted_further={})
    assert scene.judgement().further == {STORAGE: Network.DONT_KNOW}


# Prometheus


@pytest.mark.parametrize(
    ("age_s", "external"),
    [
        (5.0, External.ALIVE),
        (19.0, External.DONT_KNOW),  # not later than the silence of 20 s by more than the slack
        (25.0, External.DONT_KNOW),
        (40.0, External.DONT_KNOW),
    ],
)
def test_a_sample_counts_if_it_is_newer_than_the_silence(age_s: float, external: External) -> None:
    judgement = sample(Scene().dark("h1", 20), age_s).judgement()
    assert judgement.external is external
    alive = external is External.ALIVE
    assert judgement.verdict is (Verdict.SUSPECT if alive else Verdict.UNREACHABLE)


# A crashed kernel


@pytest.mark.parametrize("authenticated", [False, True])
def test_a_crash_confirms_a_silence_at_once(*, authenticated: bool) -> None:
    scene = Scene().set_probe("h1", probe("h1", 3)).set_heartbeat("h1", 8)
    assert scene.judgement().verdict is Verdict.SUSPECT
    judgement = kdump(scene, 1, authenticated=authenticated).judgement()
    assert judgement.verdict is Verdict.UNREACHABLE
    assert "crashed" in judgement.rule


def test_a_crash_is_nothing_while_a_program_answers() -> None:
    assert kdump(Scene(), 10, authenticated=True).judgement().verdict is Verdict.UP


def test_a_crash_is_forgotten_when_the_host_was_heard_afterwards() -> None:
    scene = Scene().set_probe("h1", probe("h1", 3)).set_heartbeat("h1", 2)
    assert kdump(scene, 30, authenticated=True).judgement().verdict is Verdict.SUSPECT


def test_the_kernel_that_writes_the_dump_is_no_sign_of_life() -> None:
    scene = Scene().set_probe("h1", probe("h1", kernel_only=True)).set_heartbeat("h1", 30)
    assert scene.judgement().verdict is Verdict.HUNG
    assert kdump(scene, 10).judgement().verdict is Verdict.HUNG
    assert kdump(scene, 10, authenticated=True).judgement().verdict is Verdict.UNREACHABLE


def test_a_kernel_that_says_no_more_that_it_crashed_is_another_one_that_boots() -> None:
    scene = Scene().set_probe("h1", probe("h1", kernel_only=True)).set_heartbeat("h1", 60)
    assert kdump(scene, 26, authenticated=True).judgement().verdict is Verdict.HUNG


def test_a_crash_needs_a_positive_control_too() -> None:
    scene = kdump(Scene().dark("h1"), 10, authenticated=True)
    for host in list(scene.world.probes):
        scene.set_probe(host, probe(host, 7))
    assert scene.judgement().verdict is Verdict.SUSPECT


# What is hung, and who measures the prober


def test_a_host_whose_programs_never_answered_is_not_hung() -> None:
    track = replace(probe("h1", kernel_only=True), userland_at=None)
    scene = Scene().set_probe("h1", track).set_heartbeat("h1", 30)
    assert scene.judgement().verdict is Verdict.SERVICE_FAILED


def test_hosts_of_the_same_domain_do_not_measure_the_prober() -> None:
    """A rack of four in twelve, dark together: the prober reaches all others."""
    scene = Scene(hosts=12)
    for n in range(1, 5):
        scene.dark(f"h{n}")
    assert scene.judgement().verdict is Verdict.SUSPECT
    racks = {
        DomainName(f"rack{r}"): frozenset(HostName(f"h{n}") for n in range(4 * r + 1, 4 * r + 5))
        for r in range(3)
    }
    scene.world = replace(scene.world, domains=racks)
    assert scene.judgement().verdict is Verdict.UNREACHABLE


# Testimony, and life after proof


def test_every_witness_is_named_with_its_group_and_age() -> None:
    scene = sample(storage(agents(Scene(), 9), None), 4).set_power("h1", readings((3.0, Power.ON)))
    told = {t.witness: t for t in kdump(scene, 2).judgement().testimony}
    assert {w: t.group for w, t in told.items()} == {
        "ssh:22@h1": Group.MANAGEMENT,
        "nova-compute": Group.CONTROL_PLANE,
        "neutron agents": Group.CONTROL_PLANE,
        "power": Group.POWER,
        "icmp@h1": Group.FURTHER,
        "prometheus": Group.EXTERNAL,
        "kdump": Group.HOST,
    }
    assert told["neutron agents"].age == timedelta(seconds=9)
    assert told["icmp@h1"].network == STORAGE


def test_every_verdict_names_its_rule_and_what_would_change_it() -> None:
    for scene in (Scene(), Scene().dark("h1"), Scene().set_probe("h1", probe("h1", 2))):
        judgement = scene.judgement()
        assert judgement.rule
        assert judgement.would_change


@pytest.mark.parametrize(("age_s", "lives"), [(1.0, True), (40.0, False)])
def test_life_after_proof_by_any_witness(age_s: float, *, lives: bool) -> None:
    """The proof is 22 s old."""
    for heard in (
        agents(Scene().recovering(), age_s),
        sample(Scene().recovering(), age_s),
        storage(Scene().recovering(), age_s if age_s > 1 else None),
    ):
        life = heard_elsewhere(heard.the_incident(), heard.world)
        assert (life is not None) is lives
