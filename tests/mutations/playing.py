"""One rule taken out of the code, and the story that must then break another: how both are played."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName
from koboshi.domain.rules import Rules
from koboshi.rehearsal.ports import simulated
from koboshi.rehearsal.story import RuleBroken, Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import run_virtual
from koboshi.sim.world import World

Tell = Callable[[Story], Awaitable[None]]
ONE_BY_ONE = replace(shortened(), window=1, window_most=1)
A_DOZEN = tuple(server(f"s{n}") for n in range(12))


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A sentence, how it is taken out, the story that needs it, and the rule that breaks."""

    sentence: str
    patches: tuple[tuple[object, str, Any], ...]
    tell: Tell
    breaks: Rule
    servers: tuple[Server, ...] = A_DOZEN
    rules: Rules = ONE_BY_ONE
    types: Mapping[HostName, str] = field(default_factory=dict[HostName, str])
    fenced: bool = True
    """Whether Koboshi knows the hosts' power devices."""
    hosts: int = 4
    storage: Mapping[HostName, str] = field(default_factory=dict[HostName, str])
    """Which hosts keep their servers' disks on which shared storage."""


def breaks(mutation: Mutation) -> set[Rule]:
    """Play the mutation's story on the code as it is now; return the rules that it broke."""
    stories: list[Story] = []

    def ports(world: World) -> Any:
        return simulated(world, None if mutation.fenced else {})

    async def main() -> None:
        async with story(
            mutation.servers, rules=mutation.rules, warm_s=0, ports=ports, hosts=mutation.hosts
        ) as s:
            stories.append(s)
            s.cloud.types.update(mutation.types)
            for host, name in mutation.storage.items():
                _share(s, host, name)
            s.start_daemon()
            await anyio.sleep(45)
            await mutation.tell(s)

    with suppress(RuleBroken, ExceptionGroup):  # told by the judge, whom we ask
        run_virtual(main)
    return {b.rule for b in stories[0].judged.breaches}


def _share(s: Story, host: HostName, storage: str) -> None:
    """Let a host keep its servers' disks on a storage, and have always done so."""
    physics, machine = s.cloud.physics, s.machine(host)
    before, machine.storage = machine.place, storage
    for row in s.cloud.servers_on(host):
        for copy in physics.disks.at(row.id, before):
            physics.disks.move(copy, storage)


def assert_noticed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold that the story breaks nothing while the rule stands, and the named one without it."""
    assert breaks(mutation) == set()
    for module, name, instead in mutation.patches:
        monkeypatch.setattr(module, name, instead)
    assert mutation.breaks in breaks(mutation)
