"""Stale evacuation records: time bombs that Nova leaves behind.

A record that stays `accepted` or `pre-migrating` makes its source's nova-compute, at its next
start, destroy the guest of that server on that host, moved or not (nova 34 compute/manager.py:
_destroy_evacuated_instances). No API ends such a record.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from koboshi.domain.facts.cloud import Migration, Server
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.world import World
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import HOLDS_A_SLOT, ON_ITS_WAY

STALE_AFTER = timedelta(minutes=10)
LONGEST_BUILD = timedelta(hours=2)
"""So long a living destination may take to build a server: Nova stamps a record only when it changes."""


def is_stale(record: Migration, now: datetime | None, after: timedelta = STALE_AFTER) -> bool:
    """Return whether nobody has worked on an open record for long; `now` is Nova's own time."""
    stamp = record.updated_at or record.created_at
    return now is not None and stamp is not None and now - stamp > after


def cure(record: Migration) -> str:
    """Return how to end a stale record for good."""
    statement = (
        "UPDATE migrations SET status='error' WHERE instance_uuid='{}' "
        "AND migration_type='evacuation' AND status IN ('accepted','pre-migrating')"
    )
    return f"in Nova's database: {statement.format(record.server)}"


def bombs_on(host: HostName, world: World, state: State) -> tuple[Migration, ...]:
    """Return the open evacuation records with this source that nobody works on.

    The next start of nova-compute on `host` sets them off, so such a host is neither switched on nor
    given back to Nova. Before a power-on every open record counts, however young: whoever decides it
    reads them anew.
    """
    return tuple(r for r in all_bombs(world, state) if r.source == host)


def all_bombs(world: World, state: State) -> tuple[Migration, ...]:
    """Return the same of every host, of known and of unknown ones."""
    open_records = tuple(_open_records(world))
    if not open_records:
        return ()
    now, ours = nova_now(world), _on_their_way(state)
    return tuple(
        r
        for r in open_records
        if r.source is not None
        and is_stale(r, now)
        and (r.source, r.server) not in ours
        and not _is_worked_on(r, world, now)
    )


def _open_records(world: World) -> Iterator[Migration]:
    """Yield the open evacuation records, those of a host from whichever reading of it is newer."""
    everywhere = world.evacuations
    newer = {
        host: read.records
        for host, read in world.from_host.items()
        if everywhere is None or read.at.is_after(everywhere.at)
    }
    listed = (r for r in (everywhere.records if everywhere else ()) if r.source not in newer)
    for record in chain(listed, *newer.values()):
        if record.is_open and record.is_evacuation:
            yield record


def _on_their_way(state: State) -> frozenset[tuple[HostName, ServerId]]:
    """Return the servers whose own recovery says what to do about a record, each with its source."""
    moving = ON_ITS_WAY | HOLDS_A_SLOT
    return frozenset(
        (incident.host, recovery.server)
        for incident in state.open_incidents()
        for recovery in state.recoveries.get(incident.id, {}).values()
        if recovery.state in moving
    )


def _is_worked_on(record: Migration, world: World, now: datetime | None) -> bool:
    """Return whether a living destination may still be building the server: a large image takes long."""
    read = world.left_open.get(record.server)
    track = world.services.get(record.destination) if record.destination else None
    return may_be_building(
        record,
        read,
        is_destination_up=track is not None and bool(track.service.up),
        now=now,
    )


def may_be_building(
    record: Migration, server: Server | None, *, is_destination_up: bool, now: datetime | None
) -> bool:
    """Return whether an old record may be an evacuation on its way all the same."""
    return (
        record.status == "pre-migrating"  # the destination has taken it
        and is_destination_up
        and server is not None
        and (server.task_state or "").startswith("rebuild")
        and not is_stale(record, now, LONGEST_BUILD)
    )
