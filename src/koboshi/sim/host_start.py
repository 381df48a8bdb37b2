"""A host's return: boot, the start of its nova-compute, and what that does to its servers.

In the order of nova/service.py:start and compute/manager.py:init_host: clean up after evacuations,
look at each server that is left, take messages, and only 5 s later the first heartbeat. Nothing of
this asks whether the service is disabled or forced down.
"""

import anyio

from koboshi.domain.facts.cloud import Migration, Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim import operating
from koboshi.sim.database import Database
from koboshi.sim.physics import Host
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.states import NOSTATE, REBUILDS, RUNNING, SHUTDOWN
from koboshi.sim.working import Dead, Work

NOTICES_DEATH_S = 15.9
"""Measured on the lab: so long after a QEMU was killed its server reads SHUTOFF."""
INIT_S = 0.5
STORAGE_TEST_S = 0.2
"""A question to a destination whose nova-compute takes messages."""
SYNC_AFTER_S = 0.5
"""Measured on the lab: a returned host's servers read SHUTOFF before its service shows up."""
SYNC_INTERVAL_S = 600.0
"""nova's sync_power_state_interval."""
UNDONE = frozenset({"accepted", "pre-migrating", "done"})
"""The evacuation records that a starting source acts upon."""


async def boot(cloud: Database, host: HostName) -> None:
    """Switch a host on, and return when its nova-compute's process is there."""
    machine = cloud.physics.hosts[host]
    cloud.physics.give_power(host)
    machine.booting = True  # its kernel answers first
    machine.booted_s = anyio.current_time()
    await anyio.sleep(machine.boot_s)
    if not machine.power or not machine.booting:
        return
    machine.booting = False
    start_compute(cloud, host)


def start_compute(cloud: Database, host: HostName) -> None:
    """Start nova-compute's process; it takes messages after its clean-up."""
    machine = cloud.physics.hosts[host]
    machine.compute = True
    machine.serving = False
    cloud.tasks.start_soon(_live, cloud, machine)


async def _live(cloud: Database, host: Host) -> None:
    work = Work(cloud, host)
    try:
        await work.take(INIT_S)
        operating.sync_trait(cloud, host.name)
        handled = await _destroy_evacuated(cloud, host, work)
        for row in cloud.servers_on(host.name):
            if row.id not in handled:
                _init_server(cloud, host, row)
        host.serving = True
        cloud.tasks.start_soon(cloud.beat_while_alive, host)
    except Dead:
        return
    await _keep(cloud, host, SYNC_AFTER_S)


async def keep_in_step(cloud: Database, host: Host, number: int) -> None:
    """Do a nova-compute's periodic work from the world's beginning; hosts take turns."""
    turns = SYNC_INTERVAL_S / (number % 60 + 2)
    await _keep(cloud, host, SYNC_INTERVAL_S - turns)


async def _keep(cloud: Database, host: Host, first_s: float) -> None:
    work = Work(cloud, host)
    try:
        await work.take(first_s)
        while True:
            sync_power_states(cloud, host)
            _reap_deleted(cloud, host)
            await work.take(SYNC_INTERVAL_S)
    except Dead:
        return


async def _destroy_evacuated(cloud: Database, host: Host, work: Work) -> frozenset[ServerId]:
    """Destroy what the records say was evacuated from here; returns the servers it dealt with.

    Of two records of a server only the last one loaded is handled in a pass: the other waits for
    the next start. It never looks at where the server's row says it is: a stale record makes it
    destroy a guest that never moved (compute/manager.py:_destroy_evacuated_instances).
    """
    last: dict[ServerId, Migration] = {
        r.server: r for r in cloud.records.evacuations_from(host.name) if r.status in UNDONE
    }
    for server, record in last.items():
        if server in host.defined:
            shared = await _is_shared(cloud, host, record, work)
            cloud.physics.undefine_guest(server, host.name)
            if server not in cloud.servers_by_id:
                cloud.physics.erase(server, host.name)
            elif not shared:
                cloud.physics.destroy_disks(server, host.name, "its host came back")
        cloud.placement.release(server, host.name)
        cloud.set_record(record.id, "completed")
    return frozenset(last)


async def _is_shared(cloud: Database, host: Host, record: Migration, work: Work) -> bool:
    """Ask the destination whether it sees our file; whatever goes wrong means shared.

    Without local disks nothing is asked. A destination that does not answer, or none at all (the
    question goes to ourselves, who do not take messages yet), blocks the start for a minute.
    """
    server = record.server
    if server not in cloud.servers_by_id:
        return False
    if not cloud.physics.has_disks(server, host.name):
        return True
    to = None if record.destination is None else cloud.physics.hosts[record.destination]
    if to is None or not to.reports:
        await work.take(cloud.rpc_timeout_s)
        return True
    await work.take(STORAGE_TEST_S)
    return to.place == host.place


def _init_server(cloud: Database, host: Host, row: Server) -> None:
    """Do what a start does to one server that is still here (compute/manager.py:_init_instance)."""
    if row.task_state in REBUILDS or row.vm_state == "building":
        cloud.change(row.id, vm_state="error", task_state=None)
        return
    if row.task_state in {"migrating", "resize_migrating"}:
        cloud.change(row.id, task_state=None)
    resumes = host.resumes_guests and row.power_state == RUNNING and row.vm_state == "active"
    if resumes and row.id not in host.domains and row.id in host.defined:
        cloud.physics.start_guest(row.id, host.name)


def sync_power_states(cloud: Database, host: Host) -> None:
    """Let the database follow the hypervisor, by Nova's own stop.

    A guest that libvirt does not even know is "unexpectedly not found", and is ignored: the server
    goes on showing ACTIVE (compute/manager.py:_sync_instance_power_state).
    """
    if not cloud.writes:
        return
    for row in cloud.servers_on(host.name):
        if row.task_state is not None:
            continue
        if row.id not in host.defined:
            if row.power_state != NOSTATE:
                cloud.change(row.id, power_state=NOSTATE)
            continue
        runs = row.id in host.domains
        if not runs and row.power_state != SHUTDOWN:
            cloud.change(row.id, power_state=SHUTDOWN)
        if row.vm_state in {"active", "paused"} and not runs:
            operating.force_stop(cloud, row.id, user=None)
        elif row.vm_state == "stopped" and runs:
            cloud.act(row.id, "stop", None)
            cloud.physics.stop_guest(row.id, host.name)


def _reap_deleted(cloud: Database, host: Host) -> None:
    for server in sorted(host.defined - set(cloud.servers_by_id)):
        operating.remove_leftover(cloud, server, host.name)


def guest_dies(cloud: Database, server: ServerId) -> None:
    """Let a guest's QEMU die; nova-compute notices after a while."""
    for host in cloud.physics.where(server):
        cloud.physics.stop_guest(server, host)
        cloud.tasks.start_soon(_notice_death, cloud, server, cloud.physics.hosts[host])


async def _notice_death(cloud: Database, server: ServerId, host: Host) -> None:
    try:
        await Work(cloud, host).take(NOTICES_DEATH_S)
    except Dead:
        return  # its next start finds it
    row = cloud.servers_by_id.get(server)
    if row is None or row.host != host.name or server in host.domains:
        return
    if row.vm_state == "active" and row.task_state is None:
        try:
            operating.stop(cloud, server, user=None)
        except NovaRefused:
            return
