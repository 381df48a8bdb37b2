"""Each sentence of the safety argument on servers that fail alone, taken out: the judge must notice."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from koboshi.domain.alone import health, last_look, starting
from koboshi.domain.alone.stops import StopCause, StopState
from koboshi.domain.alone.unwell import Unwell
from koboshi.domain.facts.world import World
from koboshi.domain.incidents import confirming, opening
from koboshi.domain.instant import Instant
from koboshi.domain.judging import rebooted, verdict
from koboshi.domain.judging.verdict import Judgement, Verdict
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.rules import Mode
from koboshi.engine import whiteboard
from koboshi.rehearsal.play import play
from koboshi.rehearsal.scenario import load_scenario
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
from koboshi.sim.samples import server
from tests.mutations.playing import Mutation, assert_noticed

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ON_BOTH = (server("a"), server("b", "h2"))


async def reboots(s: Story, name: str = "h1") -> None:
    """Let a host boot too quickly to be missed; its nova-compute takes a while longer."""
    host = HostName(name)
    s.power_loss(name)
    s.machine(name).boot_s = 3.0
    s.tasks.start_soon(s.cloud.boot, host)
    await anyio.sleep(4)
    s.cloud.physics.kill_compute(host)
    await anyio.sleep(20)
    s.cloud.start_compute(host)


async def host_reboots(s: Story) -> None:
    await reboots(s)
    await anyio.sleep(90)


async def two_hosts_reboot(s: Story) -> None:
    await reboots(s, "h1")
    await anyio.sleep(150)
    await reboots(s, "h2")
    await anyio.sleep(90)


async def user_stops_one(s: Story) -> None:
    await reboots(s)
    await anyio.sleep(90)
    s.cloud.accept_stop(ServerId("s0"))
    await anyio.sleep(120)


async def guest_ends(s: Story) -> None:
    s.cloud.guest_dies(ServerId("s0"))
    await anyio.sleep(180)


def _always(*_: Any) -> bool:
    return True


def _never(*_: Any) -> None:
    return None


def _lone_is_due(*_: Any) -> tuple[StopCause, StopState, str]:
    return StopCause.LONE, StopState.DUE, "mutation"


MUTATIONS = (
    Mutation(
        sentence="A user's stop is left alone",
        patches=(
            (whiteboard, "is_novas_own_stop", _always),
            (starting, "is_novas_own_stop", _always),
            (last_look, "is_novas_own_stop", _always),
        ),
        tell=user_stops_one,
        breaks=Rule.HELD,
    ),
    Mutation(
        sentence="A lone stop is started only by opt-in",
        patches=((starting, "_meant", _lone_is_due),),
        tell=guest_ends,
        breaks=Rule.HELD,
    ),
    Mutation(
        sentence="Four starts a host at once",
        patches=((starting, "STARTS_A_HOST", 99),),
        tell=host_reboots,
        breaks=Rule.STORM,
    ),
    Mutation(
        sentence="Nothing is started in observe mode",
        patches=((starting, "why_held", _never),),
        tell=host_reboots,
        breaks=Rule.DISARMED,
        rules=shortened(Mode.OBSERVE),
    ),
    Mutation(
        sentence="More hosts that reboot than are plausible are held",
        patches=((starting, "_why_storm", _never),),
        tell=two_hosts_reboot,
        breaks=Rule.BRAKED,
        servers=ON_BOTH,
        rules=shortened(),
    ),
)


FENCES = replace(shortened(), fence_down_inside=True)


async def compute_dies(s: Story) -> None:
    await anyio.sleep(60)
    s.cloud.physics.kill_compute(HostName("h1"))
    await anyio.sleep(700)


def _since_the_last_heartbeat(host: HostName, world: World, _: Any, now: Instant) -> timedelta:
    return now.since(world.services[host].advanced_at or world.began_at)


def _some_sentence(*_: Any) -> str:
    return "mutation"


DOWN_INSIDE = Mutation(
    sentence="A host that answers is fenced only if its boot time is new",
    patches=(
        (rebooted, "down_inside_for", _since_the_last_heartbeat),
        (verdict, "sentence_of", _some_sentence),
    ),
    tell=compute_dies,
    breaks=Rule.UNPROVEN,
    rules=FENCES,
)


@pytest.mark.parametrize("mutation", [*MUTATIONS, DOWN_INSIDE], ids=lambda m: m.sentence)
def test_without_the_sentence_a_story_breaks_a_rule(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_noticed(mutation, monkeypatch)


def _whenever_lost(_picture: Any, known: Unwell) -> bool:
    return not known.is_over


def _not_once(*_: Any) -> int:
    return 0


OF_STORIES = (
    (
        "A failing guest is rebooted only by policy",
        "unwell-servers-told",
        "_may_be_rebooted",
        _whenever_lost,
        Rule.HELD,
    ),
    (
        "... and at most so many times an hour",
        "unwell-server-rebooted",
        "_lately",
        _not_once,
        Rule.STORM,
    ),
)


@pytest.mark.parametrize(
    ("sentence", "story", "name", "instead", "breaks"), OF_STORIES, ids=[s[0] for s in OF_STORIES]
)
def test_without_the_sentence_its_story_breaks_a_rule(
    sentence: str,
    story: str,
    name: str,
    instead: Any,
    breaks: Rule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario = load_scenario(SCENARIOS / story)
    monkeypatch.setattr(health, name, instead)
    played = play(scenario.cloud, scenario.script, scenario.settings)
    assert breaks in {b.rule for b in played.breaches}, sentence


def _is_down_inside(_: Any, judgement: Judgement) -> bool:
    return judgement.verdict is Verdict.DOWN_INSIDE


def _no(*_: Any) -> bool:
    return False


Patches = tuple[tuple[object, str, Any], ...]
IN_TEN_MINUTES: Patches = ((rebooted, "DOWN_INSIDE_AFTER", timedelta(minutes=5)),)
BY_POLICY: Patches = (
    (opening, "_is_fenced_by_policy", _is_down_inside),
    (confirming, "answers_again", _no),
    (confirming, "is_to_be_fenced", _always),
)


@pytest.mark.parametrize(
    ("story", "patches"), [("down-inside-fenced", IN_TEN_MINUTES), ("down-inside", BY_POLICY)]
)
def test_a_host_that_answers_is_fenced_after_ten_minutes_and_by_policy(
    story: str, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(SCENARIOS / story)
    for module, name, instead in patches:
        monkeypatch.setattr(module, name, instead)
    played = play(scenario.cloud, scenario.script, scenario.settings)
    assert Rule.UNPROVEN in {b.rule for b in played.breaches}
