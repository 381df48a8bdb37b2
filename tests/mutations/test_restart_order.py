"""Restart order, taken out: the judge must notice."""

from dataclasses import replace

import anyio
import pytest

from koboshi.domain.recoveries.restart_order import RestartOrder
from koboshi.domain.rules import PolicyRules
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
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
