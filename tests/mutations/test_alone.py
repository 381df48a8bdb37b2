"""Each sentence of the safety argument on servers that fail alone, taken out: the judge must notice."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from koboshi.domain.alone import health, last_look, starting
from koboshi.domain.alone.stops import StopCause, StopState
from koboshi.domain.alone.unwell import Unwell
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


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
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
