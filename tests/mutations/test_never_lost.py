"""Each sentence of the safety argument's "never lost silently", taken out: the judge must notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from koboshi.domain.incidents import listing
from koboshi.domain.names import HostName
from koboshi.domain.recoveries import guard
from koboshi.domain.rules import OnLocalDisk
from koboshi.engine import execute
from koboshi.rehearsal.story import Story
from koboshi.sim.breach import Rule
from koboshi.sim.samples import image_server
from tests.mutations.playing import ONE_BY_ONE, Mutation, assert_noticed

SHARED = replace(ONE_BY_ONE, on_local_disk=OnLocalDisk.REBUILD, shared_aggregates=("nfs",))


async def power_loss(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


def nothing(*_args: object, **_more: object) -> None:
    """Take a rule out."""


def always(answer: object) -> Callable[..., Any]:
    return lambda *_args, **_more: answer


MUTATIONS = (
    Mutation(
        sentence="disks on shared storage are never sent to where they would be made anew",
        patches=(
            (listing, "storage_of", nothing),
            (execute, "storage_of", nothing),
        ),
        tell=power_loss,
        breaks=Rule.DATA,
        servers=(image_server("a"),),
        rules=SHARED,
        storage={HostName("h1"): "nfs", HostName("h2"): "nfs"},
    ),
    Mutation(
        sentence="purely local disks are never sent to whoever sees them",
        patches=((listing, "storage_of", always("nfs")), (guard, "_by_storage", nothing)),
        tell=power_loss,
        breaks=Rule.DATA,
        servers=(image_server("a"),),
        rules=SHARED,
        storage={HostName("h2"): "nfs", HostName("h3"): "nfs"},
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)
