"""Evacuation records that nobody works on, told with what they will do: on the first day already.

nova 34 compute/manager.py: _destroy_evacuated_instances runs at every start of a nova-compute, and
takes each `accepted` or `pre-migrating` record with its own host as the source for a server that has
left; whether it has, it does not look.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from koboshi.domain.facts.cloud import COMPUTE_BINARY, Migration, Server
from koboshi.domain.facts.disks import disks_of
from koboshi.domain.facts.stock import Stock
from koboshi.domain.facts.world import World
from koboshi.domain.forecasting.stale import all_bombs, cure, is_stale, may_be_building
from koboshi.domain.home.guard_home import stopped_by
from koboshi.domain.memory.events import Event, HostNoticeCleared, HostNoticed
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName, MigrationId, ServerId

TOPIC = "stale_record"
"""Of the notices; each bomb has its own, with the record's id behind a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBomb:
    """One open evacuation record, and what it does to whom."""

    record: MigrationId
    status: str
    since: datetime | None
    host: HostName
    """Whose next start of nova-compute sets it off."""
    server: ServerId
    server_name: str
    """Empty where the server is deleted, or could not be read."""
    server_host: HostName | None
    what: str
    """What will happen when."""
    cure: str
    is_live: bool
    """Whether it would destroy a server that is there now."""
    is_harmless: bool = False
    """Whether its server is deleted: nothing is left to lose."""

    @property
    def topic(self) -> str:
        """Return the topic of its notice."""
        return f"{TOPIC}/{self.record}"


def time_bombs(stock: Stock) -> tuple[TimeBomb, ...]:
    """Return the open evacuation records that no one works on, those that would kill first.

    A record younger than `stale.STALE_AFTER` is an evacuation on its way.
    """
    stamps = [s.updated_at for s in stock.services if s.updated_at is not None]
    now = max(stamps, default=None)
    servers = {s.id: s for s in stock.servers}
    up = {s.host for s in stock.services if s.binary == COMPUTE_BINARY and s.up}

    def is_worked_on(record: Migration) -> bool:
        server, is_up = servers.get(record.server), record.destination in up
        return may_be_building(record, server, is_destination_up=is_up, now=now)

    old = (r for r in stock.open_records if r.is_open and is_stale(r, now) and not is_worked_on(r))
    return _bombs(old, {r.server: servers.get(r.server) for r in stock.open_records})


def bombs_seen(world: World, state: State) -> tuple[TimeBomb, ...]:
    """Return the same as the daemon sees it: what we work on ourselves is left out."""
    return _bombs(all_bombs(world, state), world.left_open)


def bombs_shown(world: World, state: State) -> tuple[TimeBomb, ...]:
    """Return what is shown to people: those seen, and those that have stopped a host's way home.

    Before a power-on every open record counts, however young, and then a person must end it.
    """
    seen = bombs_seen(world, state)
    known = {bomb.record for bomb in seen}
    stopping: list[Migration] = []
    names: dict[ServerId, str] = {}
    for incident in state.open_incidents():
        read = world.from_host.get(incident.host)
        found = stopped_by(incident, read.records if read else ())
        recoveries = state.recoveries.get(incident.id, {})
        names |= {
            r.server: recoveries[r.server].candidate.name for r in found if r.server in recoveries
        }
        stopping += [r for r in found if r.id not in known]
    young = (
        replace(b, server_name=b.server_name or names.get(b.server, ""))
        for b in _bombs(stopping, world.left_open)
    )
    return tuple(sorted((*seen, *young), key=_those_that_kill_first))


def _those_that_kill_first(bomb: TimeBomb) -> tuple[bool, HostName, ServerId]:
    return not bomb.is_live, bomb.host, bomb.server


def bomb_notices(world: World, state: State) -> Iterator[Event]:
    """Tell of each bomb once, on whatever host it lies, and again when it is gone."""
    known = {at: n.text for at, n in state.notices.items() if is_of_a_bomb(at[1])}
    if world.evacuations is None or not (known or world.evacuations.records or world.from_host):
        return
    loud = {(b.host, b.topic): sentence(b) for b in bombs_seen(world, state) if not b.is_harmless}
    for (host, topic), text in loud.items():
        if known.get((host, topic)) != text:
            yield HostNoticed(host=host, topic=topic, text=text)
    for host, topic in known.keys() - loud.keys():
        yield HostNoticeCleared(host=host, topic=topic)


def is_of_a_bomb(topic: str) -> bool:
    """Return whether a notice of this topic tells of a bomb."""
    return topic.partition("/")[0] == TOPIC


def sentence(bomb: TimeBomb) -> str:
    """Return all of a bomb in words: the server, the host, what will happen when, and the cure."""
    name = f"{bomb.server_name} ({bomb.server})" if bomb.server_name else bomb.server
    return (
        f"the evacuation of server {name} from {bomb.host} was never ended (record {bomb.record}, "
        f"{bomb.status}): {bomb.what}. Before that, {bomb.cure}"
    )


def _bombs(
    records: Iterable[Migration], servers: Mapping[ServerId, Server | None]
) -> tuple[TimeBomb, ...]:
    """Return the bombs among the records; a server that is not in `servers` could not be read."""
    found = [
        _bomb(r, r.source, servers.get(r.server), is_known=r.server in servers)
        for r in records
        if r.source is not None
    ]
    return tuple(sorted(found, key=_those_that_kill_first))


def _bomb(record: Migration, host: HostName, server: Server | None, *, is_known: bool) -> TimeBomb:
    is_live = server is not None and server.host == host
    return TimeBomb(
        record=record.id,
        status=record.status,
        since=record.updated_at or record.created_at,
        host=host,
        server=record.server,
        server_name=server.name if server else "",
        server_host=server.host if server else None,
        what=_what(host, server, is_live=is_live) if is_known else _what_unread(host),
        cure=cure(record),
        is_live=is_live,
        is_harmless=is_known and server is None,
    )


def _what(host: HostName, server: Server | None, *, is_live: bool) -> str:
    if server is None:
        return (
            f"its server is deleted: the next start of nova-compute on {host} clears leftovers away"
        )
    local = " and ".join(disks_of(server).local)
    loss = f"its guest, and its {local} for good" if local else "its guest"
    if is_live:
        return f"the next start of nova-compute on {host} destroys {loss}, and Nova shows it ACTIVE"
    return (
        f"nothing while it is on {server.host or 'no host'}; once it has been moved back to {host}, the "
        f"next start of nova-compute there destroys {loss}"
    )


def _what_unread(host: HostName) -> str:
    return (
        f"if that server is on {host}, or once it has been moved back there, the next start of "
        "nova-compute destroys its guest and its local disks"
    )
