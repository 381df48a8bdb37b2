"""A person's word: when it is taken, what follows, when it is void, and when nothing is sent on it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from koboshi.domain.decide import decide
from koboshi.domain.decision import Decision, Refused
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.world import MigrationsRead
from koboshi.domain.incidents.incident import IncidentState, Isolation, ProofKind
from koboshi.domain.judging.hearsay import KdumpSeen
from koboshi.domain.judging.proof import proof_by_word, why_host_not_proven_now
from koboshi.domain.memory.events import (
    DeathProven,
    HostFoundDown,
    HostIsolated,
    IncidentMoved,
    IncidentOpened,
    WordGiven,
    WordVoided,
)
from koboshi.domain.rules import Mode, ProofPolicy, Rules
from koboshi.domain.word import ConfirmDead, answer
from tests.fakes.following import moves
from tests.fakes.scene import H1, INCIDENT, MARKER, Scene, ago, probe, readings

S = IncidentState
WHO = "uid 0 (root), pid 7"
DEAF = readings((5.0, Power.UNKNOWN), (1.0, Power.UNKNOWN))


def unproven(hosts: int = 6) -> Scene:
    """Return a host whose BMC died with it, after we tried to switch it off."""
    scene = Scene(hosts).dark("h1", for_s=60).set_power("h1", DEAF)
    scene.incident(S.FENCING, S.UNPROVEN, age_s=40)
    scene.world = replace(
        scene.world,
        from_host={H1: MigrationsRead(at=ago(1), records=(), unbroken_since=ago(1))},
    )
    return scene


def say(scene: Scene) -> Decision | Refused:
    return answer(scene.picture(), ConfirmDead(host=H1, note="I pulled the plug"), WHO)


def given(scene: Scene, age_s: float = 0.0) -> Scene:
    answered = say(scene)
    assert isinstance(answered, Decision), answered
    return scene.tell(age_s, *answered.events)


@pytest.mark.parametrize(
    "path", [(), (S.HELD,), (S.FENCING,), (S.FENCING, S.UNPROVEN), (S.NEEDS_HUMAN,)]
)
def test_a_word_is_the_proof_that_an_incident_waits_for(path: tuple[IncidentState, ...]) -> None:
    scene = unproven()
    scene.state = Scene().state
    scene.incident(*path, age_s=40)
    assert given(scene).the_incident().word is not None
    assert moves(scene)[-2:] == ["proven", "isolating"]
    proof = scene.the_incident().proof
    assert proof is not None
    assert proof.kind is ProofKind.WORD


def test_who_gave_it_and_why_is_remembered() -> None:
    answered = say(unproven())
    assert answered == Decision(
        events=(WordGiven(host=H1, incident=INCIDENT, by=WHO, note="I pulled the plug"),)
    )


def test_of_two_hosts_a_word_counts() -> None:
    scene = unproven(hosts=2)
    scene.state = Scene(2).state
    scene.incident(age_s=20)
    assert moves(scene) == ["held"]
    assert moves(given(scene)) == ["confirmed", "proven", "isolating"]


def test_a_host_found_down_gets_its_incident_with_the_word() -> None:
    scene = unproven()
    scene.state = replace(Scene().state, trusted={})
    scene.tell(3000, HostFoundDown(host=H1))
    answered = say(scene)
    assert isinstance(answered, Decision)
    assert [type(e) for e in answered.events] == [IncidentOpened, WordGiven]


def powered(power: Power, age_s: float = 1.0) -> Callable[[Scene], object]:
    return lambda s: s.set_power("h1", readings((age_s, power)))


REFUSED: dict[str, tuple[Callable[[Scene], object], str]] = {
    "it answers": (lambda s: s.set_probe("h1", probe("h1")), "answered 0 s ago"),
    "its kernel answers": (lambda s: s.set_probe("h1", probe("h1", kernel_only=True)), "answered"),
    "silent for too short": (lambda s: s.set_probe("h1", probe("h1", 7.0)), "answered 8 s ago"),
    "not probed": (lambda s: s.set_probe("h1", None), "not being asked"),
    "heartbeat": (lambda s: s.set_heartbeat("h1", 4.0), "heartbeat"),
    "power on": (powered(Power.ON), "power of h1 reads on"),
    "unprotected": (
        lambda s: setattr(s, "world", replace(s.world, protected=frozenset())),
        "not protected",
    ),
    "observe": (
        lambda s: setattr(s, "rules", Rules(mode=Mode.OBSERVE, install="test")),
        "observe mode",
    ),
    "somebody's force-down": (
        lambda s: s.set_heartbeat("h1", 65, forced_down=True),
        "forced down in Nova by somebody else",
    ),
    "disabled, and forced down": (
        lambda s: s.set_heartbeat(
            "h1", 65, enabled=False, disabled_reason="mine", forced_down=True
        ),
        "forced down in Nova by somebody else",
    ),
    "prober blind": (
        lambda s: [s.set_probe(f"h{n}", probe(f"h{n}", 30)) for n in range(2, 7)],
        "reaches no other host",
    ),
    "said already": (given, "given already"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_speaks_against_a_word(why: str) -> None:
    change, told = REFUSED[why]
    scene = unproven()
    change(scene)
    answered = say(scene)
    assert isinstance(answered, Refused)
    assert told in answered.reason
    assert answered.cure


def test_a_healthy_host_without_an_incident() -> None:
    assert isinstance(say(Scene()), Refused)


ALIVE: dict[str, Callable[[Scene], object]] = {
    "answers": lambda s: s.set_probe("h1", probe("h1")),
    "power on": powered(Power.ON),
    "heartbeat": lambda s: s.set_heartbeat("h1", 1.0),
}


@pytest.mark.parametrize("how", ALIVE)
def test_a_sign_of_life_makes_it_void_before_anything_else(how: str) -> None:
    scene = given(unproven(), age_s=5.0)
    ALIVE[how](scene)
    decision = decide(scene.picture())
    assert [type(e) for e in decision.events] == [WordVoided]
    assert scene.tell(0.0, *decision.events).the_incident().word is None


def recovering_on_a_word() -> Scene:
    scene = given(unproven(), age_s=20.0)
    word = scene.the_incident().word
    assert word is not None
    row = {"enabled": False, "forced_down": True, "disabled_reason": MARKER}
    scene.set_heartbeat("h1", 65, **row)
    service = scene.world.services[H1].service
    assert service.id is not None
    isolation = Isolation(service=service.id, marker=MARKER, baseline=service.updated_at)
    proof = proof_by_word(scene.the_incident(), scene.world, scene.now)
    assert proof is not None
    scene.tell(19.0, DeathProven(incident=INCIDENT, proof=proof))
    for to in (S.PROVEN, S.ISOLATING):
        scene.tell(19.0, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    scene.tell(18.0, HostIsolated(incident=INCIDENT, isolation=isolation))
    return scene.tell(18.0, IncidentMoved(incident=INCIDENT, to=S.RECOVERING, reason="test"))


def why_not(scene: Scene) -> str | None:
    return why_host_not_proven_now(scene.the_incident(), scene.world, scene.now)


def test_while_the_host_is_silent_it_proves_its_death() -> None:
    assert why_not(recovering_on_a_word()) is None


def heard_between(scene: Scene) -> None:
    """Let a heartbeat come between the word and the force-down: the baseline does not tell of it."""
    row = {"enabled": False, "forced_down": True, "disabled_reason": MARKER}
    track = scene.set_heartbeat("h1", 15.0, **row).world.services[H1]
    stamp = scene.the_incident().isolation
    assert stamp is not None
    service = replace(track.service, updated_at=stamp.baseline)
    services = {**scene.world.services, H1: replace(track, service=service)}
    scene.world = replace(scene.world, services=services)


PERISHED: dict[str, Callable[[Scene], object]] = {
    "answered since": lambda s: s.set_probe("h1", probe("h1", 15)),
    "not asked now": lambda s: s.set_probe("h1", None),
    "power on": powered(Power.ON),
    "power not asked": powered(Power.UNKNOWN, 11.0),
    "void": lambda s: s.tell(0.0, WordVoided(incident=INCIDENT, reason="test")),
    "heard between": heard_between,
    "blind": REFUSED["prober blind"][0],
}


@pytest.mark.parametrize("why", PERISHED)
def test_it_perishes(why: str) -> None:
    scene = recovering_on_a_word()
    PERISHED[why](scene)
    assert why_not(scene) is not None


def assumed(silent_s: float = 70.0, proof: ProofPolicy = ProofPolicy.SILENCE) -> Scene:
    """Return a silent host without a power device, in a cloud whose operator declared `proof`."""
    scene = Scene(rules=Rules(mode=Mode.ACT, install="test", proof=proof))
    scene.dark("h1", for_s=silent_s).set_power("h1", None).incident(age_s=max(silent_s - 10, 1))
    scene.world = replace(
        scene.world,
        fenced=frozenset(),
        from_host={H1: MigrationsRead(at=ago(0.5), records=(), unbroken_since=ago(1))},
    )
    return scene


def test_declared_silence_stands_for_death_and_says_so() -> None:
    scene = assumed()
    assert moves(scene, "ASSUMED, not proven") == ["proven", "isolating"]
    proof = scene.the_incident().proof
    assert proof is not None
    assert proof.kind is ProofKind.SILENCE


def test_it_takes_a_minute() -> None:
    assert moves(assumed(silent_s=50.0)) == []


@pytest.mark.parametrize("proof", [ProofPolicy.POWER, ProofPolicy.WORD])
def test_without_the_declaration_a_person_is_waited_for(proof: ProofPolicy) -> None:
    scene = assumed(proof=proof)
    assert moves(scene) == ["needs_human"]
    assert "koboshi host confirm-dead h1" in scene.the_incident().reason
    assert moves(given(scene)) == ["confirmed", "proven", "isolating"]


def test_the_brake_holds_what_is_assumed() -> None:
    assert set(moves(assumed().dark("h2"))) == {"held"}


def test_a_host_that_can_be_fenced_is_never_assumed_dead() -> None:
    scene = assumed()
    scene.world = replace(scene.world, fenced=frozenset({H1}))
    assert moves(scene) == ["fencing"]


@pytest.mark.parametrize(("authenticated", "state"), [(True, "proven"), (False, "needs_human")])
def test_a_crash_kernels_message_is_proof_if_only_the_host_could_send_it(
    authenticated: bool,  # noqa: FBT001 it is a table's column
    state: str,
) -> None:
    scene = assumed(proof=ProofPolicy.WORD)
    seen = KdumpSeen(at=ago(68.0), authenticated=authenticated)
    scene.world = replace(scene.world, kdumps={H1: seen})
    assert moves(scene)[0] == state
