"""How it ended: each server and its data before and after, by the world's truth, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, ServerId
from koboshi.rehearsal.demo.cloud import NEIGHBOURS, SERVERS, VICTIM, Cast, Fate
from koboshi.sim.accounts import Closing, close
from koboshi.sim.breach import RULE_MEANING
from koboshi.sim.disks import CINDER, Copy
from koboshi.sim.disks import Fate as DataFate
from koboshi.sim.disks import fate as fate_of
from koboshi.sim.invariants import Judge
from koboshi.sim.services import key_of
from koboshi.sim.world import World

Looks = Mapping[ServerId, "Look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One server, as it really is."""

    host: HostName | None
    """Where Nova says that it belongs."""
    place: str
    """Where that host keeps its servers' local disks."""
    runs_on: tuple[HostName, ...]
    status: str
    copies: tuple[Copy, ...]
    """Every copy of its disks, wherever they lie."""

    @property
    def data(self) -> str:
        """Return its disks and for how long a guest has written to each."""
        return " + ".join(
            f"{_name(c)} {c.written_s:.0f} s" + ("" if c.made == 1 else " (made again)")
            for c in self.copies
        )


def _name(copy: Copy) -> str:
    return "volume" if copy.place == CINDER else copy.disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server before and after."""

    name: str
    kind: str
    was: str
    now: str
    data_before: str
    data_after: str
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
    host = server.host
    return Look(
        host=host,
        place="" if host is None else world.physics.hosts[host].place,
        runs_on=world.physics.where(server.id),
        status=server.status,
        copies=world.physics.copies(server.id),
    )


def fates(was: Look, now: Look) -> dict[str, DataFate]:
    """Return what became of the data on each disk that a server had."""
    return {_name(c): fate_of(c, now.copies, now.place) for c in was.copies}


def end(judge: Judge, before: Looks) -> Ending:
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
        if not _is_undisturbed(before[cast.row(host).id], after.get(cast.row(host).id))
    ]
    service = world.cloud.service_table.row(key_of(VICTIM))
    if not service.enabled or service.forced_down:
        wrong.append(f"{VICTIM} is not home: disabled, or forced down")
    wrong += world.physics.violations
    wrong += [f"a rule was broken: {breach}" for breach in judge.breaches]
    return Ending(rows=rows, wrong=tuple(wrong), rules=len(RULE_MEANING))


def _is_undisturbed(was: Look, now: Look | None) -> bool:
    return (
        now is not None
        and (now.host, now.runs_on, now.status) == (was.host, was.runs_on, was.status)
        and set(fates(was, now).values()) == {DataFate.KEPT}
    )


def _row(world: World, cast: Cast, before: Looks, after: Looks) -> Row:
    server = cast.row(VICTIM).id
    was, now = before[server], after[server]
    records = [r.status for r in world.cloud.records_of(server)]
    data = fates(was, now)
    kept = set(data.values()) == {DataFate.KEPT}
    return Row(
        name=cast.name,
        kind=cast.kind,
        was=_where(was),
        now=_where(now, cast.fate),
        data_before=was.data,
        data_after=f"kept: {_written(now)}"
        if kept
        else ", ".join(f"{disk} {fate}" for disk, fate in data.items()),
        is_right=kept and _is_right(cast.fate, now, records),
    )


def _written(found: Look) -> str:
    return " + ".join(f"{copy.written_s:.0f} s" for copy in found.copies)


def _where(found: Look, fate: Fate = Fate.BACK) -> str:
    if found.runs_on:
        return f"on {' AND '.join(found.runs_on)}"
    state = "left" if fate is Fate.LEFT else "off"
    return f"{state} ({found.host})"


def _is_right(fate: Fate, now: Look, records: list[str]) -> bool:
    elsewhere = now.host is not None and now.host != VICTIM
    match fate:
        case Fate.BACK:
            up = now.runs_on == (now.host,) and now.status == "ACTIVE"
            return up and elsewhere and records == ["completed"]
        case Fate.MOVED:
            off = not now.runs_on and now.status == "SHUTOFF"
            return off and elsewhere and records == ["completed"]
        case Fate.HELD:
            up = now.runs_on == (VICTIM,) and now.status == "ACTIVE"
            return up and now.host == VICTIM and not records
        case Fate.LEFT:
            return now.host == VICTIM and not now.runs_on and not records
