"""What a person may order of Koboshi as a whole."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.decision import NOTHING, Decision, Refused
from koboshi.domain.memory.events import Armed, Disarmed, DomainConfirmed
from koboshi.domain.names import DomainName, HostName
from koboshi.domain.restraint.arming import why_not_acting
from koboshi.domain.rules import Mode, ProofPolicy, Rules
from koboshi.domain.word import Arm, ConfirmDomain, Disarm, Word, answer
from tests.fakes.scene import H1, Scene, probe

WHO = "uid 0 (root), pid 7"
RACK = DomainName("rack1")


def observing(proof: ProofPolicy = ProofPolicy.POWER) -> Scene:
    return Scene(rules=Rules(mode=Mode.OBSERVE, install="test", proof=proof))


def said(scene: Scene, word: Word) -> Decision | Refused:
    return answer(scene.picture(), word, WHO)


def obeyed(scene: Scene, word: Word) -> Scene:
    answered = said(scene, word)
    assert isinstance(answered, Decision)
    return scene.tell(0.0, *answered.events)


def acts(scene: Scene) -> bool:
    return why_not_acting(scene.rules, scene.state, scene.now) is None


def test_an_observing_daemon_is_armed() -> None:
    scene = observing()
    assert not acts(scene)
    assert acts(obeyed(scene, Arm()))
    assert said(scene, Arm()) == NOTHING
    assert isinstance(obeyed(scene, Arm(keep=True)), Scene)


@pytest.mark.parametrize("proof", ProofPolicy)
def test_it_is_armed_without_power_control_only_by_policy(proof: ProofPolicy) -> None:
    scene = observing(proof)
    scene.world = replace(scene.world, fenced=scene.world.fenced - {H1})
    assert isinstance(said(scene, Arm()), Refused) is (proof is ProofPolicy.POWER)


def test_a_disarm_ends_with_an_arm() -> None:
    scene = Scene()
    until = scene.now.later(timedelta(hours=2))
    assert said(scene, Disarm(until=until, reason="work")) == Decision(
        events=(Disarmed(until=until, by=WHO, reason="work"),)
    )
    assert not acts(obeyed(scene, Disarm(until=until, reason="work")))
    assert isinstance(said(scene, Disarm(until=None, reason="longer")), Decision)
    assert said(scene, Arm()) == Decision(
        events=(Armed(by=WHO, reason="a person ordered it", keep=False),)
    )
    assert acts(obeyed(scene, Arm()))


def test_who_only_observes_has_nothing_to_disarm() -> None:
    assert said(observing(), Disarm(until=None, reason="work")) == NOTHING


def racked(*dark: str) -> Scene:
    scene = Scene(hosts=12)
    hosts = frozenset(HostName(f"h{n}") for n in range(1, 5))
    scene.world = replace(scene.world, domains={RACK: hosts})
    for host in dark:
        scene.dark(host)
    return scene


def test_a_domain_is_confirmed_as_far_as_it_is_silent() -> None:
    scene = racked("h1", "h2", "h3").set_probe("h3", probe("h3"))
    assert said(scene, ConfirmDomain(domain=RACK)) == Decision(
        events=(DomainConfirmed(domain=RACK, hosts=frozenset({H1, HostName("h2")}), by=WHO),)
    )


def test_a_domain_that_lives_is_not_confirmed() -> None:
    assert isinstance(said(racked(), ConfirmDomain(domain=RACK)), Refused)


def test_nothing_is_confirmed_while_it_rests() -> None:
    scene = obeyed(racked("h1"), Disarm(until=None, reason="work"))
    refused = said(scene, ConfirmDomain(domain=RACK))
    assert isinstance(refused, Refused)
    assert "disarmed by" in refused.reason
