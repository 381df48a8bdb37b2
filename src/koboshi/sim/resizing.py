"""A cold migration on its way: the moves whose server has its disk where its host is not.

As nova 34 does it (compute/manager.py: prep_resize, resize_instance, finish_resize): the host
changes as soon as the disk is copied, long before the guest runs there, and the source keeps the
whole disk under another name until a person confirms. An evacuation in between is accepted, and
makes the disk again from its image.
"""

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim import scheduler
from koboshi.sim.database import Database
from koboshi.sim.operating import host_of, in_state
from koboshi.sim.physics import Host
from koboshi.sim.refusal import refuse, server_of
from koboshi.sim.states import RUNNING, SHUTDOWN
from koboshi.sim.working import STEP_S, Dead, Work, delivered

STOP_S, COPY_S, START_S = 2.0, 6.0, 2.0
FINISHED = "finished"


def accept(cloud: Database, server: ServerId, destination: HostName | None) -> None:
    """Take a cold migration; raises NovaRefused: 409 where its host is down, too."""
    row = server_of(cloud, server)
    in_state(row, "migrate", "active", "stopped")
    source = host_of(cloud, row)
    if not cloud.is_up(source.name):
        refuse(409, f"Service is unavailable at this time: nova-compute of {source.name}")
    cloud.act(server, "migrate")
    cloud.change(server, task_state="resize_prep")
    record = cloud.new_record(row, "migration", destination).id
    cloud.tasks.start_soon(_resize, cloud, row, record, destination)


def confirm(cloud: Database, server: ServerId) -> None:
    """Take a confirmResize: the source deletes the disk that it kept; raises NovaRefused."""
    row = server_of(cloud, server)
    in_state(row, "confirmResize", "resized")
    kept = [r for r in cloud.records_of(server) if r.status == FINISHED and r.source is not None]
    if not kept:
        refuse(404, f"Instance {server} has no migration to confirm.")
    source = cloud.physics.hosts[kept[-1].source or HostName("")]
    if not cloud.is_up(source.name):
        refuse(409, f"Service is unavailable at this time: nova-compute of {source.name}")
    cloud.act(server, "confirmResize")
    cloud.set_record(kept[-1].id, "confirming")
    cloud.tasks.start_soon(_confirm, cloud, row, source, kept[-1].id)


async def _confirm(cloud: Database, row: Server, source: Host, record: MigrationId) -> None:
    await delivered(cloud, source)
    try:
        await Work(cloud, source).take(STEP_S)
    except Dead:
        return
    cloud.physics.drop_kept(row.id, source.name)
    cloud.placement.release(row.id, source.name)
    cloud.set_record(record, "confirmed")
    if row.id in cloud.servers_by_id:
        runs = cloud.servers_by_id[row.id].power_state == RUNNING
        cloud.change(row.id, vm_state="active" if runs else "stopped", task_state=None)


def revert(cloud: Database, server: ServerId) -> None:
    """Take a revertResize: back to the source and the disk that it kept; raises NovaRefused.

    The server's host must be up; the source is asked by a message, and may be dead (compute/api.py,
    compute/manager.py of nova 34: revert_resize, finish_revert_resize).
    """
    row = server_of(cloud, server)
    in_state(row, "revertResize", "resized")
    kept = [r for r in cloud.records_of(server) if r.status == FINISHED and r.source is not None]
    if not kept:
        refuse(404, f"Instance {server} has no migration to revert.")
    target = host_of(cloud, row)
    if not cloud.is_up(target.name):
        refuse(409, f"Service is unavailable at this time: nova-compute of {target.name}")
    source = cloud.physics.hosts[kept[-1].source or HostName("")]
    cloud.act(server, "revertResize")
    cloud.change(server, task_state="resize_reverting")
    cloud.set_record(kept[-1].id, "reverting")
    cloud.tasks.start_soon(_revert, cloud, row, source, target, kept[-1].id)


async def _revert(
    cloud: Database, row: Server, source: Host, target: Host, record: MigrationId
) -> None:
    runs = row.power_state == RUNNING
    try:
        await delivered(cloud, target)
        await Work(cloud, target).take(STOP_S)
        cloud.physics.stop_guest(row.id, target.name)
        await delivered(cloud, source)
        work = Work(cloud, source)
        cloud.physics.restore_kept(row.id, source.name, target.name)
        _change(cloud, row, host=source.name)
        cloud.attach(row, source.name)
        await work.take(START_S)
        if runs:
            cloud.physics.start_guest(row.id, source.name)
        power = RUNNING if runs else SHUTDOWN
        _change(
            cloud,
            row,
            vm_state="active" if runs else "stopped",
            task_state=None,
            power_state=power,
        )
    except Dead:
        return  # the record and the task stay as they are
    cloud.placement.release(row.id, target.name)
    cloud.set_record(record, "reverted")


async def _resize(cloud: Database, row: Server, record: MigrationId, to: HostName | None) -> None:
    await cloud.until(lambda: cloud.conductor_works and cloud.bus_works)
    await anyio.sleep(cloud.schedule_s)
    source = None if row.host is None else cloud.physics.hosts[row.host]
    chosen = None
    if source is not None and cloud.scheduler_works:
        chosen = scheduler.choose(cloud, row, source=source.name, only=to)
    if source is None or chosen is None or row.id not in cloud.servers_by_id:
        cloud.set_record(record, "error")
        if row.id in cloud.servers_by_id:
            cloud.change(row.id, task_state=None)
        return
    target = cloud.physics.hosts[chosen]
    cloud.placement.claim(row.id, chosen, cloud.demand_of(row))
    try:
        await _prepare(cloud, target, record)
        await _send(cloud, row, source, target, record)
        await _receive(cloud, row, target, record)
    except Dead:
        return  # the record and the task stay as they are


async def _prepare(cloud: Database, target: Host, record: MigrationId) -> None:
    await delivered(cloud, target)
    await Work(cloud, target).take(STEP_S)
    cloud.set_record(record, "pre-migrating", target.name)


async def _send(
    cloud: Database, row: Server, source: Host, target: Host, record: MigrationId
) -> None:
    """Stop the guest, copy its disk, keep the old one aside, and name the new host."""
    await delivered(cloud, source)
    work = Work(cloud, source)
    _change(cloud, row, task_state="resize_migrating")
    cloud.set_record(record, "migrating")
    await work.take(STOP_S)
    cloud.physics.stop_guest(row.id, source.name)
    await work.take(COPY_S)
    cloud.physics.keep_aside(row.id, source.name, target.name)
    _change(cloud, row, task_state="resize_migrated", host=target.name, power_state=SHUTDOWN)
    cloud.set_record(record, "post-migrating")


async def _receive(cloud: Database, row: Server, target: Host, record: MigrationId) -> None:
    await delivered(cloud, target)
    work = Work(cloud, target)
    _change(cloud, row, task_state="resize_finish")
    cloud.attach(row, target.name)
    await work.take(START_S)
    if row.id not in cloud.servers_by_id:
        raise Dead
    runs = row.vm_state == "active"
    if runs:
        cloud.physics.start_guest(row.id, target.name)
    power = RUNNING if runs else SHUTDOWN
    _change(cloud, row, vm_state="resized", task_state=None, power_state=power)
    cloud.set_record(record, FINISHED)


def _change(cloud: Database, row: Server, **changes: object) -> None:
    if row.id not in cloud.servers_by_id:
        raise Dead
    cloud.change(row.id, **changes)
