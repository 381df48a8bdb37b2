"""How it ended: each server and its data before and after, by the world's truth, and the verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

import anyio

from koboshi.domain.cloud import Server
from koboshi.domain.disks import disks_of
from koboshi.domain.names import HostName, ServerId
from koboshi.rehearsal.demo.cloud import NEIGHBOURS, SERVERS, VICTIM, Cast, Fate
from koboshi.sim.accounts import Closing, close
from koboshi.sim.breach import RULE_MEANING
from koboshi.sim.invariants import Judge
from koboshi.sim.physics import LOST
from koboshi.sim.world import World

ID_CHARS = 4
"""Of a volume's UUID: enough to tell the demo's few apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One server, as it really is."""

    host: HostName | None
    """Where Nova says that it belongs."""
    runs_on: tuple[HostName, ...]
    status: str
    data: tuple[str, ...]
    """Each of its disks, with where it lies or what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server before and after."""

    name: str
    was: str
    now: str
    data_before: str
    data_after: str
    requests: int
    """How many evacuations Nova was asked for."""
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The whole verdict."""

    rows: tuple[Row, ...]
    wrong: tuple[str, ...]
    """What should not be so; empty when all is well."""
    rules: int
    """How many rules the judge held Koboshi to."""


def look(world: World) -> dict[ServerId, Look]:
    """Return how every server is."""
    return {s.id: _look(world, s) for s in world.cloud.servers_by_id.values()}


def _look(world: World, server: Server) -> Look:
    return Look(
        host=server.host,
        runs_on=world.physics.where(server.id),
        status=server.status,
        data=tuple(_data(world, server)),
    )


def _data(world: World, server: Server) -> Iterable[str]:
    holders = [h.name for h in world.physics.hosts.values() if server.id in h.disks]
    for disk in disks_of(server).local:
        if world.physics.roots.get(server.id) == LOST:
            yield f"{disk} {LOST}"
        elif disk == "root":
            yield f"root on {' and '.join(holders) or 'NO HOST'}"
        else:
            yield f"{disk} on {server.host}"
    for volume in server.volume_ids:
        yield f"volume {volume[:ID_CHARS]}"


def end(judge: Judge, before: dict[ServerId, Look]) -> Ending:
    """Judge how everything is now."""
    world = judge.world
    hosts = frozenset(world.physics.hosts)
    close(judge, Closing(now_s=anyio.current_time(), fenced=hosts, protected=hosts))
    after = look(world)
    rows = tuple(_row(world, cast, before, after) for cast in SERVERS)
    wrong = [f"{row.name} is not as it should be" for row in rows if not row.is_right]
    wrong += [
        f"{cast.name} on {host} was disturbed"
        for cast, host in NEIGHBOURS
        if after.get(cast.row(host).id) != before[cast.row(host).id]
    ]
    wrong += world.physics.violations
    wrong += [f"a rule was broken: {breach}" for breach in judge.breaches]
    return Ending(rows=rows, wrong=tuple(wrong), rules=len(RULE_MEANING))


def _row(
    world: World, cast: Cast, before: dict[ServerId, Look], after: dict[ServerId, Look]
) -> Row:
    server = cast.row(VICTIM).id
    was, now = before[server], after[server]
    records = [r.status for r in world.cloud.records_of(server)]
    return Row(
        name=cast.name,
        was=_where(was).replace("runs on", "ran on"),
        now={Fate.HELD: f"waits for {now.host}", Fate.LEFT: f"left on {now.host}"}.get(
            cast.fate, _where(now)
        )
        if not now.runs_on
        else _where(now),
        data_before=", ".join(was.data),
        data_after="the same" if now.data == was.data else ", ".join(now.data),
        requests=len(records),
        is_right=now.data == was.data and _is_right(cast.fate, now, records),
    )


def _where(found: Look) -> str:
    if found.runs_on:
        return f"runs on {' AND '.join(found.runs_on)}"
    return f"off, on {found.host}"


def _is_right(fate: Fate, now: Look, records: list[str]) -> bool:
    elsewhere = now.host is not None and now.host != VICTIM
    match fate:
        case Fate.BACK:
            up = now.runs_on == (now.host,) and now.status == "ACTIVE"
            return up and elsewhere and records == ["done"]
        case Fate.MOVED:
            off = not now.runs_on and now.status == "SHUTOFF"
            return off and elsewhere and records == ["done"]
        case Fate.HELD | Fate.LEFT:
            return now.host == VICTIM and not now.runs_on and not records
