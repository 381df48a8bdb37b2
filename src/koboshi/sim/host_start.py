"""A host's return: boot, the clean-up of its nova-compute, and what that does to its servers."""

from typing import TYPE_CHECKING

import anyio

from koboshi.domain.names import HostName, ServerId

if TYPE_CHECKING:
    from koboshi.sim.nova import SimCloud

NOTICES_DEATH_S = 15.9
"""Measured on the lab: so long after a QEMU was killed its server reads SHUTOFF."""


def guest_dies(cloud: "SimCloud", server: ServerId) -> None:
    """Let a guest's QEMU die; nova-compute notices after about 16 s (measured on the lab)."""
    for host in cloud.physics.where(server):
        cloud.physics.stop_guest(server, host)
        cloud.tasks.start_soon(_notice_death, cloud, server, host)


async def _notice_death(cloud: "SimCloud", server: ServerId, host: HostName) -> None:
    await anyio.sleep(NOTICES_DEATH_S)
    row, machine = cloud.servers_by_id.get(server), cloud.physics.hosts[host]
    if row is None or row.host != host or row.vm_state != "active" or not machine.reports:
        return
    if row.task_state is None and server not in machine.domains:
        cloud.change(server, vm_state="stopped", status="SHUTOFF", power_state=4)


async def boot(cloud: "SimCloud", host: HostName) -> None:
    """Switch a host on; its nova-compute cleans up after evacuations, as Nova's does."""
    machine = cloud.physics.hosts[host]
    cloud.physics.give_power(host)
    machine.hung = True  # its kernel answers first
    await anyio.sleep(machine.boot_s)
    if not machine.power:
        return
    machine.hung = False
    start_compute(cloud, host)


def start_compute(cloud: "SimCloud", host: HostName) -> None:
    """Start nova-compute: it destroys what its records say was evacuated (the bomb included)."""
    machine = cloud.physics.hosts[host]
    machine.compute = True
    for record in list(cloud.records):
        if record.source != host or record.status not in {"accepted", "pre-migrating", "done"}:
            continue
        cloud.physics.stop_guest(record.server, host)
        if record.server in machine.disks:
            machine.disks.discard(record.server)
            row = cloud.servers_by_id.get(record.server)
            if row is not None and row.host == host:
                cloud.physics.lose_data(record.server, host, "its host came back")
        if record.status == "done":
            cloud.set_record(record.id, "completed")
    open_ids = {r.server for r in cloud.records if r.is_open and r.source == host}
    for row in list(cloud.servers_by_id.values()):
        if row.host != host or row.vm_state != "active" or row.id in machine.domains:
            continue
        if machine.resumes_guests and row.id not in open_ids:
            cloud.physics.start_guest(row.id, host)
        else:
            cloud.change(row.id, vm_state="stopped", status="SHUTOFF", power_state=4)
