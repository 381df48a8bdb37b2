"""Servers that wait for others: who names whom, what must answer, and what of it never comes.

Drawn with dice of its own, thrown from the seed alone: in three stories of four nothing is added, and
what else a seed means stays what it was.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.subjects import Subjects
from koboshi.rehearsal.script import Happening, Script
from koboshi.rehearsal.settings import StorySettings
from koboshi.rehearsal.spec import CloudSpec, GroupSpec, ServerSpec
from koboshi.settings.deciding import SaidSettings
from koboshi.sim.faults import Fault, FaultKind

ORDER_PERCENT = 25
WITH_IT_PERCENT = 70
READY_PERCENT = 75
"""So many of those that are named say what must answer."""
BY_OPERATOR_PERCENT = 10
"""So often the operator says of the whole project whom it comes after."""
GROUP = "ordered"
NETWORK = "10.20.0.0/16"
HANGS_AT_S = 5.0
STARTS = 9
"""It hangs however often it is started anew."""

Named = dict[str, list[str]]
"""Whom each server names."""


def draw_order(
    random: Random, cloud: CloudSpec, script: Script, settings: StorySettings
) -> tuple[CloudSpec, Script, StorySettings]:
    """Return the story with servers that wait for others, or as it was."""
    if not chance(random, ORDER_PERCENT):
        return cloud, script, settings
    of = Subjects.of(cloud)
    named: Named = {}
    for _ in range(random.choice((1, 1, 2, 3))):
        random.choice(_FORMS)(random, of, named)
    words = {word for said in named.values() for word in said}
    awaited = words & set(cloud.server)
    if f"group:{GROUP}" in words:
        cloud = _with_group(random, cloud)
        awaited |= set(cloud.group[GROUP].members)
    ready = {name for name in sorted(awaited) if chance(random, READY_PERCENT)}
    servers = {
        name: _server(random, spec, number, named.get(name, []), asked=name in ready)
        for number, (name, spec) in enumerate(cloud.server.items())
    }
    if chance(random, BY_OPERATOR_PERCENT):
        said = {"p": SaidSettings(after=(random.choice(of.servers),))}
    else:
        said = settings.policy.project
    policy = settings.policy.model_copy(
        update={
            "ready_networks": (NETWORK,),
            "wait_at_most": timedelta(seconds=random.choice((60, 120, 600))),
            "project": said,
        }
    )
    return (
        cloud.model_copy(update={"server": servers}),
        replace(script, happens=(*_hangs(random, sorted(ready)), *script.happens)),
        settings.model_copy(update={"policy": policy}),
    )


def _waiter(random: Random, of: Subjects) -> str:
    return random.choice(of.of_victim or of.servers)


def _awaited(random: Random, of: Subjects) -> str:
    """Return one that is to be up before: mostly it died with the one that waits."""
    among = of.of_victim if of.of_victim and chance(random, WITH_IT_PERCENT) else of.servers
    return random.choice(among)


def _names_one(random: Random, of: Subjects, named: Named) -> None:
    """Let one name another, or itself where dice will have it so."""
    named.setdefault(_waiter(random, of), []).append(_awaited(random, of))


def _names_several(random: Random, of: Subjects, named: Named) -> None:
    words = random.sample(of.servers, min(len(of.servers), 3))
    named.setdefault(_waiter(random, of), []).extend(words)


def _all_name_one(random: Random, of: Subjects, named: Named) -> None:
    one = _awaited(random, of)
    for name in of.of_victim or of.servers:
        if name != one:
            named.setdefault(name, []).append(one)


def _one_after_the_other(random: Random, of: Subjects, named: Named) -> None:
    for first, then in _row(random, of):
        named.setdefault(then, []).append(first)


def _in_a_circle(random: Random, of: Subjects, named: Named) -> None:
    row = _row(random, of)
    for first, then in (*row, (row[-1][1], row[0][0])):
        named.setdefault(then, []).append(first)


def _row(random: Random, of: Subjects) -> list[tuple[str, str]]:
    """Return two or three servers, each with the one that follows it."""
    among = of.of_victim if len(of.of_victim) > 1 else of.servers
    names = random.sample(among, min(len(among), random.choice((2, 3))))
    return list(pairwise(names)) or [(names[0], names[0])]


def _names_nobody(random: Random, of: Subjects, named: Named) -> None:
    word = random.choice(("nobody", "group:nobody", " , "))
    named.setdefault(_waiter(random, of), []).append(word)


def _names_a_group(random: Random, of: Subjects, named: Named) -> None:
    named.setdefault(_waiter(random, of), []).append(f"group:{GROUP}")


_FORMS: tuple[Callable[[Random, Subjects, Named], None], ...] = (
    _names_one,
    _names_one,
    _names_several,
    _all_name_one,
    _one_after_the_other,
    _in_a_circle,
    _names_nobody,
    _names_a_group,
)


def _with_group(random: Random, cloud: CloudSpec) -> CloudSpec:
    """Return the cloud with a group of servers that are in no other, as Nova has it."""
    taken = {member for group in cloud.group.values() for member in group.members}
    free = sorted(set(cloud.server) - taken)
    members = tuple(random.sample(free, min(len(free), 2)))
    group = GroupSpec(policy="soft-affinity", members=members)
    return cloud.model_copy(update={"group": {**cloud.group, GROUP: group}})


def _server(
    random: Random, spec: ServerSpec, number: int, words: list[str], *, asked: bool
) -> ServerSpec:
    said: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    if len(words) == 1 and chance(random, 30):
        tags = (f"koboshi:after={words[0]}",)
    elif words:
        said["koboshi:after"] = ", ".join(words)
    if asked:
        place = f"10.20.0.{number + 1}:5432"
        said["koboshi:ready"] = random.choice((f"tcp:{place}", f"http:{place}/healthz"))
    if not said and not tags:
        return spec
    update = {"metadata": {**spec.metadata, **said}, "tags": (*spec.tags, *tags)}
    return spec.model_copy(update=update)


def _hangs(random: Random, ready: list[str]) -> tuple[Happening, ...]:
    """Return whose program answers late, or never."""
    return tuple(
        Happening(
            what=Fault(
                kind=FaultKind.GUEST_HANGS,
                server=name,
                times=STARTS,
                for_s=random.choice((None, 60.0, 90.0, 200.0)),
            ),
            at_s=HANGS_AT_S,
        )
        for name in ready
        if chance(random, 50)
    )
