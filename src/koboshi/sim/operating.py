"""What people ask of Nova's API beside moves: start, stop, reboot, reset, delete, services.

Each is the API's part (compute/api.py of nova 34): its checks, and what it writes at once. What a
host has to do is a message to its nova-compute, which waits where nobody takes it.
"""

from collections.abc import Mapping

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.database import ADMIN, Database
from koboshi.sim.physics import Host, ImageLocked
from koboshi.sim.refusal import refuse, server_of
from koboshi.sim.services import key_of
from koboshi.sim.states import PAUSED, RUNNING, SHUTDOWN
from koboshi.sim.truth import By
from koboshi.sim.working import STEP_S, delivered, lived_through

STOP_S = 4.0
"""A guest that heeds ACPI is off by then."""
HARD_REBOOT = frozenset({"rebooting_hard", "reboot_pending_hard", "reboot_started_hard"})
"""What a reboot finds, or else it is none any more (compute/task_states.py: hard_reboot_states)."""
START_S = 1.8
"""Measured on the lab: ACTIVE 1.8 s after the start's 202."""


def in_state(row: Server, action: str, *vm_states: str) -> None:
    """Refuse (409) unless the server is at rest in one of these states."""
    if row.vm_state not in vm_states:
        refuse(409, f"Cannot '{action}' instance {row.id} while it is in vm_state {row.vm_state}")
    if row.task_state is not None:
        refuse(
            409, f"Cannot '{action}' instance {row.id} while it is in task_state {row.task_state}"
        )


def host_of(cloud: Database, row: Server) -> Host:
    """Return the host that a server's row names; raises NovaRefused (409) without one."""
    if row.host is None:
        refuse(409, f"Instance {row.id} is not ready")
    return cloud.physics.hosts[row.host]


def pause(cloud: Database, server: ServerId) -> None:
    """Take a pause request: the guest stands still, and keeps its memory."""
    row = server_of(cloud, server)
    in_state(row, "pause", "active")
    host = host_of(cloud, row)
    cloud.act(server, "pause")
    cloud.change(server, task_state="pausing")
    cloud.tasks.start_soon(_set_paused, cloud, server, host, "paused", PAUSED)


def unpause(cloud: Database, server: ServerId) -> None:
    """Take an unpause request."""
    row = server_of(cloud, server)
    in_state(row, "unpause", "paused")
    host = host_of(cloud, row)
    cloud.act(server, "unpause")
    cloud.change(server, task_state="unpausing")
    cloud.tasks.start_soon(_set_paused, cloud, server, host, "active", RUNNING)


async def _set_paused(
    cloud: Database, server: ServerId, host: Host, vm_state: str, power_state: int
) -> None:
    await delivered(cloud, host)
    if not await lived_through(cloud, host, STEP_S):
        return
    if server in cloud.servers_by_id:
        cloud.change(server, task_state=None, vm_state=vm_state, power_state=power_state)


def suspend(cloud: Database, server: ServerId) -> None:
    """Take a suspend request: the guest's memory goes to its host's disk, and the guest is off."""
    row = server_of(cloud, server)
    in_state(row, "suspend", "active")
    host = host_of(cloud, row)
    cloud.act(server, "suspend")
    cloud.change(server, task_state="suspending")
    cloud.tasks.start_soon(_suspend, cloud, server, host)


async def _suspend(cloud: Database, server: ServerId, host: Host) -> None:
    await delivered(cloud, host)
    if not await lived_through(cloud, host, STEP_S):
        return
    row = cloud.servers_by_id.get(server)
    if row is not None and row.host == host.name and row.task_state == "suspending":
        cloud.physics.stop_guest(server, host.name)
        cloud.change(server, task_state=None, vm_state="suspended", power_state=SHUTDOWN)


def resume(cloud: Database, server: ServerId) -> None:
    """Take a resume request: only a suspended server has one."""
    row = server_of(cloud, server)
    in_state(row, "resume", "suspended")
    host = host_of(cloud, row)
    cloud.act(server, "resume")
    cloud.change(server, task_state="resuming")
    cloud.tasks.start_soon(_run, cloud, server, host, "error")


def stop(cloud: Database, server: ServerId, user: str | None = ADMIN) -> None:
    """Take a stop request (os-stop); nova-compute itself asks for it with no user."""
    in_state(server_of(cloud, server), "stop", "active", "error")
    force_stop(cloud, server, user)


def force_stop(cloud: Database, server: ServerId, user: str | None) -> None:
    """Stop a server whatever its state is (compute/api.py:force_stop)."""
    host = host_of(cloud, server_of(cloud, server))
    cloud.act(server, "stop", user)
    cloud.change(server, task_state="powering-off")
    cloud.tasks.start_soon(_stop, cloud, server, host)


async def _stop(cloud: Database, server: ServerId, host: Host) -> None:
    await delivered(cloud, host)
    if not await lived_through(cloud, host, STOP_S if server in host.domains else 0.0):
        return
    cloud.physics.stop_guest(server, host.name)
    if server in cloud.servers_by_id:
        cloud.change(server, task_state=None, vm_state="stopped", power_state=SHUTDOWN)


def start(cloud: Database, server: ServerId) -> None:
    """Take a start request (os-start): only a stopped server has one."""
    row = server_of(cloud, server)
    in_state(row, "start", "stopped")
    host = host_of(cloud, row)
    cloud.act(server, "start")
    cloud.change(server, task_state="powering-on")
    cloud.tasks.start_soon(_run, cloud, server, host, "stopped")


def reboot(cloud: Database, server: ServerId) -> None:
    """Take a HARD reboot: it also brings back what is ERROR, or active without a guest."""
    row = server_of(cloud, server)
    in_state(row, "reboot", "active", "stopped", "paused", "suspended", "error")
    host = host_of(cloud, row)
    cloud.act(server, "reboot")
    cloud.change(server, task_state="rebooting_hard")
    cloud.tasks.start_soon(_reboot, cloud, server, host)


async def _reboot(cloud: Database, server: ServerId, host: Host) -> None:
    """Say what is done to the server, and start it anew (compute/manager.py:reboot_instance)."""
    await delivered(cloud, host)
    for task_state in ("reboot_pending_hard", "reboot_started_hard"):
        if not await lived_through(cloud, host, STEP_S):
            return
        row = cloud.servers_by_id.get(server)
        if row is None or row.task_state not in HARD_REBOOT:
            return  # "Task possibly preempted": somebody has evacuated it meanwhile
        cloud.change(server, task_state=task_state)
    if cloud.servers_by_id[server].host != host.name:
        cloud.astray.add(server)
    await _run(cloud, server, host, "error")


async def _run(cloud: Database, server: ServerId, host: Host, otherwise: str) -> None:
    """Let nova-compute start a guest; the server is `otherwise` where that fails."""
    await delivered(cloud, host)
    if not await lived_through(cloud, host, START_S):
        return
    if server not in cloud.servers_by_id:
        return
    fault = "its disk is not there" if cloud.physics.lacks_disks(server, host.name) else None
    if fault is None:
        try:
            cloud.physics.start_guest(server, host.name)
        except ImageLocked as error:
            fault = str(error)
    if fault is not None:
        cloud.change(server, task_state=None, vm_state=otherwise, fault=fault)
    else:
        cloud.change(server, task_state=None, vm_state="active", power_state=RUNNING, fault=None)


def reset(cloud: Database, server: ServerId, state: str) -> None:
    """Take a reset-state: vm_state and no task, nothing else (compute/admin_actions.py)."""
    server_of(cloud, server)
    if state not in {"active", "error"}:
        refuse(400, f"Invalid input for field/attribute state. Value: {state}.")
    cloud.act(server, "resetState")
    cloud.change(server, vm_state=state, task_state=None)


def delete(cloud: Database, server: ServerId) -> None:
    """Take a DELETE: by its host where that is up, else in the database alone.

    What a dead host still has of it is removed long after its return
    (compute/api.py:_local_delete; running_deleted_instance_action).
    """
    row = server_of(cloud, server)
    cloud.act(server, "delete")
    cloud.forget(server)
    if row.host is not None:
        cloud.tasks.start_soon(_remove, cloud, server, cloud.physics.hosts[row.host])


async def _remove(cloud: Database, server: ServerId, host: Host) -> None:
    await delivered(cloud, host)
    remove_leftover(cloud, server, host.name)


def remove_leftover(cloud: Database, server: ServerId, host: HostName) -> None:
    """Remove a deleted server's guest and disks from a host."""
    if server in cloud.physics.hosts[host].defined:
        cloud.physics.erase(server, host)


def update_service(
    cloud: Database,
    host: HostName,
    changes: Mapping[str, bool | str | None],
    by: By = By.OTHERS,
) -> None:
    """Take a PUT of a compute service (2.53)."""
    if host not in cloud.physics.hosts:
        refuse(404, f"Service nova-compute of {host} not found.")
    lifts = changes.get("forced_down") is False and cloud.row(host).forced_down
    if lifts and any(r.status == "done" for r in cloud.records.evacuations_from(host)):
        refuse(  # api/openstack/compute/services.py:_check_for_evacuations, since 24.0.0
            400,
            f"Unable to force up host {host} as `done` evacuation migration records remain "
            "associated with the host. Ensure the compute service has been restarted, allowing "
            "these records to move to `completed` before retrying this request.",
        )
    was_enabled = cloud.row(host).enabled
    if changes.get("enabled") is True:
        changes = {**changes, "disabled_reason": None}
    cloud.edit_by(by, key_of(host), changes)
    if cloud.row(host).enabled != was_enabled and cloud.is_up(host):
        sync_trait(cloud, host)


def sync_trait(cloud: Database, host: HostName) -> None:
    """Let nova-compute tell Placement whether its service is disabled.

    The API asks it to only where the service changed and is up; else the next start does it
    (compute/api.py:HostAPI._update_compute_provider_status; compute/manager.py).
    """
    if cloud.row(host).enabled:
        cloud.disabled_trait.discard(host)
    else:
        cloud.disabled_trait.add(host)
