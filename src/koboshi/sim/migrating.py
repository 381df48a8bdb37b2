"""A live migration on its way (nova 34: conductor/tasks/live_migrate.py, compute/manager.py).

The record goes accepted, queued, preparing, running, completed; the server's host changes last.
Between the guest's switch-over and that change the database names a host that the guest has left:
whoever loses the source then has a guest that runs where nobody looks.
"""

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim import scheduler
from koboshi.sim.database import Database
from koboshi.sim.operating import in_state
from koboshi.sim.physics import Host
from koboshi.sim.refusal import refuse, server_of
from koboshi.sim.working import STEP_S, Dead, Work, delivered

COPY_S = 8.0
"""Measured on the lab: 4 to 18 s each."""
POST_S = 1.0
"""From the guest's switch-over until the database names its new host."""


def accept(cloud: Database, server: ServerId, destination: HostName | None) -> None:
    """Take a live migration (2.34 and later: its checks come after the 202); raises NovaRefused."""
    row = server_of(cloud, server)
    in_state(row, "os-migrateLive", "active", "paused")
    if destination is not None and destination not in cloud.physics.hosts:
        refuse(400, f"Compute host {destination} could not be found.")
    record = cloud.new_record(row, "live-migration", None).id
    cloud.act(server, "live-migration")
    cloud.change(server, task_state="migrating")
    cloud.tasks.start_soon(_migrate, cloud, row, record, destination)


async def _migrate(cloud: Database, row: Server, record: MigrationId, to: HostName | None) -> None:
    await cloud.until(lambda: cloud.conductor_works and cloud.bus_works)
    await anyio.sleep(cloud.schedule_s)
    source = None if row.host is None else cloud.physics.hosts[row.host]
    chosen = _choose(cloud, row, to)
    if source is None or chosen is None or row.id not in cloud.servers_by_id:
        _end(cloud, row.id, record, "error")
        return
    target = cloud.physics.hosts[chosen]
    cloud.placement.claim(row.id, chosen, cloud.demand_of(row))
    cloud.set_record(record, "accepted", chosen)
    await anyio.sleep(STEP_S)
    cloud.set_record(record, "queued", chosen)
    await delivered(cloud, source)
    try:
        await _Move(cloud, source, target, row.id, record).run()
    except Dead:
        return  # the record stays as it is, the task `migrating`


def _choose(cloud: Database, row: Server, to: HostName | None) -> HostName | None:
    """Return the destination; the source must be up, too (ComputeServiceUnavailable)."""
    if row.host is None or not cloud.is_up(row.host) or not cloud.scheduler_works:
        return None
    return scheduler.choose(cloud, row, source=row.host, only=to)


def _end(cloud: Database, server: ServerId, record: MigrationId, status: str) -> None:
    """End a migration that did not happen: the server stays where and as it is."""
    cloud.set_record(record, status)
    row = cloud.servers_by_id.get(server)
    if row is not None and row.task_state == "migrating":
        cloud.change(server, task_state=None)


class _Move:
    """The source's part, which leads."""

    def __init__(
        self, cloud: Database, source: Host, target: Host, server: ServerId, record: MigrationId
    ) -> None:
        self._cloud = cloud
        self._source = source
        self._target = target
        self._server = server
        self._record = record
        self._by_source = Work(cloud, source)
        self._by_target = Work(cloud, target)

    async def run(self) -> None:
        """Prepare, copy, switch over, write it down; raises Dead with the source's nova-compute."""
        cloud = self._cloud
        cloud.set_record(self._record, "preparing")
        await self._by_source.take(STEP_S)
        if not self._possible():
            self._roll_back("error")
            return
        cloud.set_record(self._record, "running")
        await self._by_source.take(COPY_S)
        if not self._possible():
            self._roll_back("failed")
            return
        cloud.physics.move_guest(self._server, self._source.name, self._target.name)
        await self._by_source.take(POST_S / 2)
        await self._by_target.take(POST_S / 2)
        row = cloud.servers_by_id.get(self._server)
        if row is not None:
            cloud.change(self._server, task_state=None, host=self._target.name)
            cloud.attach(row, self._target.name)
        cloud.placement.release(self._server, self._source.name)
        await self._by_source.take(STEP_S)
        cloud.set_record(self._record, "completed")

    def _possible(self) -> bool:
        """Return whether there is a guest to move and somebody to take it."""
        return (
            self._server in self._cloud.servers_by_id
            and self._server in self._source.domains
            and self._server not in self._target.defined
            and self._by_target.alive
            and self._target.reports
        )

    def _roll_back(self, status: str) -> None:
        self._cloud.placement.release(self._server, self._target.name)
        _end(self._cloud, self._server, self._record, status)
