"""Stale evacuation records: time bombs that Nova leaves behind.

A record that stays `accepted` or `pre-migrating` makes its source's nova-compute, at its next
start, destroy the guest of that server on that host, moved or not (nova 34 compute/manager.py:
_destroy_evacuated_instances). No API ends such a record.
"""

from datetime import datetime, timedelta

from koboshi.domain.cloud import Migration
from koboshi.domain.names import HostName
from koboshi.domain.nova_time import nova_now
from koboshi.domain.state import State
from koboshi.domain.world import World

STALE_AFTER = timedelta(minutes=10)


def is_stale(record: Migration, now: datetime | None) -> bool:
    """Return whether nobody has worked on an open record for long; `now` is Nova's own time."""
    stamp = record.updated_at or record.created_at
    return now is not None and stamp is not None and now - stamp > STALE_AFTER


def cure(record: Migration) -> str:
    """Return how to end a stale record for good."""
    statement = (
        "UPDATE migrations SET status='error' WHERE instance_uuid='{}' "
        "AND migration_type='evacuation' AND status IN ('accepted','pre-migrating')"
    )
    return f"in Nova's database: {statement.format(record.server)}"


def stale_records(host: HostName, world: World, state: State) -> tuple[Migration, ...]:
    """Return the open evacuation records with this source that no one is working on."""
    if world.evacuations is None:
        return ()
    mine = [r for r in world.evacuations.records if r.source == host and r.is_open]
    if not mine:
        return ()
    incident = state.open_incident(host)
    if incident is not None and incident.id in state.recoveries:
        return ()
    now = nova_now(world)
    return tuple(r for r in mine if is_stale(r, now))


def stale_record_notice(host: HostName, world: World, state: State) -> str | None:
    """Return the warning for a host whose next start would destroy a server."""
    records = stale_records(host, world, state)
    if not records:
        return None
    first = records[0]
    return (
        f"{len(records)} evacuation record(s) with source {host} were never ended (server "
        f"{first.server}, record {first.id}, {first.status}): when nova-compute on {host} starts next, "
        f"it will destroy that server's guest and disk there. Before that, {cure(first)}"
    )
