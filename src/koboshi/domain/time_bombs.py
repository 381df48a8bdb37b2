"""Evacuation records that nobody works on, told with what they will do: on the first day already.

nova 34 compute/manager.py: _destroy_evacuated_instances runs at every start of a nova-compute, and
takes each `accepted` or `pre-migrating` record with its own host as the source for a server that has
left; whether it has, it does not look.
"""

from dataclasses import dataclass
from datetime import datetime

from koboshi.domain.cloud import Migration, Server
from koboshi.domain.disks import disks_of
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.domain.stale import cure, is_stale
from koboshi.domain.stock import Stock


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
    """Empty where the server is deleted."""
    server_host: HostName | None
    what: str
    """What will happen when."""
    cure: str
    is_live: bool
    """Whether it would destroy a server that is there now."""


def time_bombs(stock: Stock) -> tuple[TimeBomb, ...]:
    """Return the open evacuation records that no one works on, those that would kill first.

    A record younger than `stale.STALE_AFTER` is an evacuation on its way.
    """
    stamps = [s.updated_at for s in stock.services if s.updated_at is not None]
    now = max(stamps, default=None)
    servers = {s.id: s for s in stock.servers}
    found = [
        _bomb(record, record.source, servers.get(record.server))
        for record in stock.open_records
        if record.source is not None and record.is_open and is_stale(record, now)
    ]
    return tuple(sorted(found, key=lambda b: (not b.is_live, b.host, b.server)))


def _bomb(record: Migration, host: HostName, server: Server | None) -> TimeBomb:
    is_live = server is not None and server.host == host
    return TimeBomb(
        record=record.id,
        status=record.status,
        since=record.updated_at or record.created_at,
        host=host,
        server=record.server,
        server_name=server.name if server else "",
        server_host=server.host if server else None,
        what=_what(host, server, is_live=is_live),
        cure=cure(record),
        is_live=is_live,
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
