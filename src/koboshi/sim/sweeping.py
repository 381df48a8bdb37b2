"""What a list of all servers shows of Nova's table: everything, or what changed since a moment."""

from datetime import datetime

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.sweep import SweptServer
from koboshi.domain.policies.policy import swept
from koboshi.sim.database import Database


def changed_since(cloud: Database, since: datetime) -> tuple[Server, ...]:
    """Return the rows that changed at or after a moment by Nova's clock; deleted ones, too.

    That is what `changes-since` means (api/openstack/compute/servers.py:_get_servers does not ask
    for rows that are not deleted then).
    """
    changed = (server for server, at in cloud.changed_at.items() if at >= since)
    gone = (server for server, at in cloud.deleted.items() if at >= since)
    return (
        *(cloud.servers_by_id[server] for server in changed),
        *(cloud.deleted_rows[server] for server in gone),
    )


def sweep(cloud: Database, since: datetime | None) -> tuple[SweptServer, ...]:
    """Return what a sweep sees; nothing of a cell that does not answer."""
    if not cloud.cell_works:
        return ()
    if since is None:
        return tuple(swept(row) for row in cloud.servers_by_id.values())
    return tuple(
        swept(row) if row.id in cloud.servers_by_id else SweptServer(id=row.id, seen=None)
        for row in changed_since(cloud, since)
    )
