"""What policy keeps from being destroyed: each sentence taken out, and the judge must notice."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from koboshi.domain.decision import Picture
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.policies import resolving
from koboshi.domain.policies.statements import Statement
from koboshi.domain.policies.terms import LocalDisk
from koboshi.domain.recoveries import waited
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.rules import OnLocalDisk, PolicyRules, TenantMay
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
from koboshi.sim.samples import image_server
from tests.mutations.playing import Mutation, assert_noticed

KEY = "koboshi:on_local_disk"
REBUILDS = shortened(on_local_disk=OnLocalDisk.REBUILD)
HOLDS_ONLY = replace(
    shortened(), policy=PolicyRules(tenant_may=frozenset({TenantMay.HOLD, TenantMay.OPT_IN}))
)


async def dies(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


def every_held(picture: Picture, incident: Incident, *_less: Any) -> list[Recovery]:
    known = picture.state.recoveries.get(incident.id, {}).values()
    return [r for r in known if r.state is RecoveryState.HELD]


def nothing(*_args: Any) -> None:
    """Whatever is asked, nothing stands against it."""


def as_configured(said: Statement) -> Any:
    return said.value or LocalDisk(what=OnLocalDisk.REBUILD)


MUTATIONS = (
    Mutation(
        sentence="A server is not rebuilt before its wait is over",
        patches=((waited, "waits_on", every_held),),
        tell=dies,
        breaks=Rule.DATA,
        servers=(image_server("a", metadata={KEY: "rebuild-after=1h"}),),
        rules=shortened(),
    ),
    Mutation(
        sentence="What a project may not say does not count",
        patches=((resolving, "_denied", nothing),),
        tell=dies,
        breaks=Rule.DATA,
        servers=(image_server("a", metadata={KEY: "rebuild"}),),
        rules=HOLDS_ONLY,
    ),
    Mutation(
        sentence="What nobody can read destroys nothing",
        patches=((resolving, "_meant", as_configured),),
        tell=dies,
        breaks=Rule.DATA,
        servers=(image_server("a", metadata={KEY: "hodl"}),),
        rules=REBUILDS,
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_without_it_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)
