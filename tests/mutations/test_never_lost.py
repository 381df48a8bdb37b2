"""Each sentence of the safety argument's "never lost silently", taken out: the judge must notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from koboshi.domain.facts.stock import Image
from koboshi.domain.incidents import listing
from koboshi.domain.names import HostName
from koboshi.domain.policies import policy
from koboshi.domain.recoveries import guard, stranded
from koboshi.domain.rules import OnLocalDisk
from koboshi.engine import execute
from koboshi.rehearsal.story import Story
from koboshi.sim.breach import Rule
from koboshi.sim.line import Fails, Fault
from koboshi.sim.samples import image_server, server
from tests.mutations.playing import ONE_BY_ONE, Mutation, assert_noticed

SHARED = replace(ONE_BY_ONE, on_local_disk=OnLocalDisk.REBUILD, shared_aggregates=("nfs",))


async def power_loss(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


async def its_volume_was_made_from_a_sealed_image(s: Story) -> None:
    s.cloud.catalogue.images["sealed"] = Image(id="sealed", active=True, tpm="2.0")
    s.cloud.catalogue.made_from["vol-a"] = "sealed"
    await power_loss(s)


async def cinder_is_silent_on_it(s: Story) -> None:
    s.cloud.line.faults.append(Fault(call="volumes", how=Fails.NO_ANSWER))
    await its_volume_was_made_from_a_sealed_image(s)
    await anyio.sleep(120)


def nothing(*_args: object, **_more: object) -> None:
    """Take a rule out."""


def always(answer: object) -> Callable[..., Any]:
    return lambda *_args, **_more: answer


MUTATIONS = (
    Mutation(
        sentence="a vTPM that only the image asks for: never posted",
        patches=((policy, "who_gives_tpm", nothing), (guard, "who_gives_tpm", nothing)),
        tell=its_volume_was_made_from_a_sealed_image,
        breaks=Rule.HELD,
        servers=(server("a"), server("b")),
    ),
    Mutation(
        sentence="who may have a vTPM is not sent while Cinder is silent",
        patches=((stranded, "may_hide_tpm", nothing),),
        tell=cinder_is_silent_on_it,
        breaks=Rule.HELD,
        servers=(server("a"), server("b")),
    ),
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
