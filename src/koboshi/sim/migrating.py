"""A live migration on its way, as nova 34 does it when nothing else happens."""

from typing import TYPE_CHECKING

import anyio

from koboshi.domain.cloud import Migration
from koboshi.domain.disks import demand_of
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim.operating import refuse, server_of

if TYPE_CHECKING:
    from koboshi.sim.nova import SimCloud

CHECK_S = 1.0
COPY_S = 8.0
"""Measured on the lab: 4 to 18 s each."""


def live_migrate(cloud: "SimCloud", server: ServerId, destination: HostName | None) -> None:
    """Take a live migration (2.68: asynchronous checks; the source must be up)."""
    row = server_of(cloud, server)
    if row.vm_state not in {"active", "paused"}:
        refuse(
            409, f"Cannot 'os-migrateLive' instance {server} while it is in vm_state {row.vm_state}"
        )
    if row.task_state is not None:
        refuse(
            409,
            f"Cannot 'os-migrateLive' instance {server} while it is in task_state {row.task_state}",
        )
    if destination is not None and destination not in cloud.physics.hosts:
        refuse(400, f"Compute host {destination} could not be found.")
    record = MigrationId(f"record-{len(cloud.records) + 1}")
    cloud.records.append(
        Migration(
            id=record,
            server=server,
            source=row.host,
            destination=destination,
            status="accepted",
            type="live-migration",
            created_at=cloud.nova_now(),
            updated_at=cloud.nova_now(),
        )
    )
    cloud.change(server, task_state="migrating", status="MIGRATING")
    cloud.tasks.start_soon(_migrate, cloud, server, record, destination)


async def _migrate(
    cloud: "SimCloud", server: ServerId, record: MigrationId, to: HostName | None
) -> None:
    await anyio.sleep(CHECK_S)
    row = cloud.servers_by_id.get(server)
    if row is None or row.host is None:
        return
    source = cloud.physics.hosts[row.host]
    chosen = cloud.choose(demand_of(row), source=row.host, only=to)
    if chosen is None or not source.reports:
        cloud.set_record(record, "error")
        cloud.change(server, task_state=None, status="ACTIVE")
        return
    target = cloud.physics.hosts[chosen]
    cloud.set_record(record, "running", chosen)
    await anyio.sleep(COPY_S)
    if server not in cloud.servers_by_id or not source.power:
        return  # the record stays `running`, the task `migrating`: nobody is left to end them
    if not target.reports or server not in source.domains:
        cloud.set_record(record, "failed")
        cloud.change(server, task_state=None, status="ACTIVE")
        return
    cloud.physics.move_guest(server, source.name, chosen)
    cloud.change(server, task_state=None, status="ACTIVE", host=chosen)
    cloud.set_record(record, "completed")
