"""Restart order, taken out: the judge must notice."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from koboshi.domain.recoveries.restart_order import RestartOrder
from koboshi.domain.rules import Mode, PolicyRules
from koboshi.rehearsal.campaign.cases import Case
from koboshi.rehearsal.campaign.trial import try_case
from koboshi.rehearsal.script import Happening, Script
from koboshi.rehearsal.settings import StorySettings, StoryWindows
from koboshi.rehearsal.spec import CloudSpec, ServerSpec
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.settings.deciding import PolicySettings
from koboshi.sim.breach import Rule
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.samples import server
from tests.mutations.playing import Mutation, assert_noticed

RULES = replace(shortened(), policy=PolicyRules(ready_networks=("10.20.0.0/16",)))
WEB = server("web", metadata={"koboshi:after": "db"})
DB = server("db", metadata={"koboshi:ready": "tcp:10.20.0.7:5432"})


async def dies(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


async def dies_and_is_slow(s: Story) -> None:
    """Lose the host; the program of the one that others wait for takes a minute to answer."""
    s.cloud.physics.hanging[DB.id] = 9
    s.power_loss()
    await anyio.sleep(60)
    s.cloud.physics.hanging.clear()
    await anyio.sleep(30)


def never(*_args: object) -> bool:
    return False


def nothing(*_args: object) -> None:
    return None


def at_once(*_args: object) -> tuple[str, str]:
    return "up", ""


MUTATIONS = (
    Mutation(
        sentence="who names others is sent after them",
        patches=((RestartOrder, "holds", never), (RestartOrder, "event", nothing)),
        tell=dies,
        breaks=Rule.ORDER,
        servers=(WEB, DB),
        rules=RULES,
    ),
    Mutation(
        sentence="and after their programs answer",
        patches=((RestartOrder, "_answers", at_once),),
        tell=dies_and_is_slow,
        breaks=Rule.ORDER,
        servers=(WEB, DB),
        rules=RULES,
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_without_it_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)


NEVER_ANSWERS = Case(
    seed=0,
    cloud=CloudSpec(
        server={
            "web": ServerSpec(host="h1", metadata={"koboshi:after": "db"}),
            "db": ServerSpec(host="h1", metadata={"koboshi:ready": "tcp:10.20.0.7:5432"}),
        }
    ),
    script=Script(
        happens=(
            Happening(
                what=Fault(kind=FaultKind.GUEST_HANGS, server="db", times=9),
                at_s=5.0,
            ),
            Happening(what=Fault(kind=FaultKind.POWER_LOSS, host="h1"), at_s=45.0),
        ),
        lasts_s=3_600.0,
    ),
    settings=StorySettings(
        mode=Mode.ACT,
        windows=StoryWindows(incident_memory=timedelta(minutes=1)),
        policy=PolicySettings(ready_networks=("10.20.0.0/16",), wait_at_most=timedelta(minutes=2)),
    ),
)


def always(*_args: object) -> bool:
    return True


@pytest.mark.parametrize(("instead", "breaks"), [(never, Rule.UNFINISHED), (always, Rule.ORDER)])
def test_a_wait_without_end_and_one_that_ends_too_soon_are_noticed(
    instead: object, breaks: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = try_case(NEVER_ANSWERS)
    assert tried.breaches == ()
    assert tried.counts.near["waited_until_its_cap"] == 1
    monkeypatch.setattr(RestartOrder, "_is_over", instead)
    assert {b.rule for b in try_case(NEVER_ANSWERS).breaches} == {breaks}
