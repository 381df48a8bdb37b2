"""Each sentence of the safety argument's "never a storm", taken out: the judge must notice."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from koboshi.domain.names import HostName
from koboshi.domain.recoveries import slots
from koboshi.engine import execute
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
from koboshi.sim.samples import server
from tests.mutations.playing import ONE_BY_ONE, Mutation, assert_noticed

FORGETS = replace(shortened(), incident_memory=timedelta(seconds=15))


def nothing(*_args: object, **_more: object) -> None:
    """Take a rule out."""


def no(*_args: object, **_more: object) -> bool:
    return False


async def kills_its_hosts(s: Story) -> None:
    """Lose the host, and then each host that has received its server."""
    host = "h1"
    for death in range(3):
        s.power_loss(host)
        if death < 2:
            host = await _next_host(s, host)
            await anyio.sleep(40)
    await anyio.sleep(60)


async def _next_host(s: Story, before: str) -> str:
    await s.until(lambda: bool(s.where("a")) and s.where("a") != (HostName(before),))
    return s.where("a")[0]


async def power_loss(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


async def nova_finds_no_host(s: Story) -> None:
    """Lose the host while a filter keeps Nova from the others."""
    for name in ("h2", "h3", "h4"):
        s.machine(name).filtered = True
    s.power_loss()
    await anyio.sleep(60)


MUTATIONS = (
    Mutation(
        sentence="a server that may have killed its hosts is sent once more at most",
        patches=(
            (slots, "why_nowhere_any_more", nothing),
            (execute, "why_nowhere_any_more", nothing),
        ),
        tell=kills_its_hosts,
        breaks=Rule.STORM,
        servers=(server("a"),),
        rules=FORGETS,
        hosts=40,
    ),
    Mutation(
        sentence="eight per volume back end",
        patches=((slots, "has_busy_backend", no),),
        tell=power_loss,
        breaks=Rule.STORM,
        rules=replace(shortened(), window=12),
        hosts=16,
    ),
    Mutation(
        sentence="after NoValidHost that shape waits",
        patches=((slots, "waits_for_capacity", no),),
        tell=nova_finds_no_host,
        breaks=Rule.STORM,
        servers=tuple(server(f"s{n}") for n in range(3)),
        rules=ONE_BY_ONE,
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)
