"""What people ask of Nova's API beside evacuations: start, stop, reboot, reset, delete, services.

Each is the API's part (compute/api.py of nova 34): its checks, and what it writes at once; what
takes time runs by itself afterwards. `refuse` is how the API says no.
"""

from typing import TYPE_CHECKING, NoReturn

import anyio

from koboshi.domain.cloud import Server
from koboshi.domain.errors import CommandRefused
from koboshi.domain.names import HostName, ServerId

if TYPE_CHECKING:
    from koboshi.sim.nova import SimCloud

STOP_S = 4.0
START_S = 1.8
"""Measured on the lab: ACTIVE 1.8 s after the start's 202."""
SHOWN = {"active": "ACTIVE", "stopped": "SHUTOFF", "error": "ERROR"}


class NovaRefused(CommandRefused):
    """Nova's API said no; `status` is its HTTP status, the text its message."""


def refuse(status: int, message: str) -> NoReturn:
    """Say no, as Nova's API does."""
    raise NovaRefused(message, status=status)


def server_of(cloud: "SimCloud", server: ServerId) -> Server:
    """Return a server's row; raises NovaRefused (404) without one."""
    row = cloud.servers_by_id.get(server)
    if row is None:
        refuse(404, f"Instance {server} could not be found.")
    return row


def _in_state(row: Server, action: str, *vm_states: str) -> None:
    if row.vm_state not in vm_states:
        refuse(409, f"Cannot '{action}' instance {row.id} while it is in vm_state {row.vm_state}")
    if row.task_state is not None:
        refuse(
            409, f"Cannot '{action}' instance {row.id} while it is in task_state {row.task_state}"
        )


def stop(cloud: "SimCloud", server: ServerId) -> None:
    """Take a stop request (os-stop)."""
    _in_state(server_of(cloud, server), "stop", "active", "error")
    cloud.change(server, task_state="powering-off")
    cloud.tasks.start_soon(_stop, cloud, server)


async def _stop(cloud: "SimCloud", server: ServerId) -> None:
    await anyio.sleep(STOP_S)
    row = cloud.servers_by_id.get(server)
    if row is None or row.host is None or not cloud.physics.hosts[row.host].reports:
        return
    cloud.physics.stop_guest(server, row.host)
    cloud.change(server, task_state=None, vm_state="stopped", status="SHUTOFF", power_state=4)


def start(cloud: "SimCloud", server: ServerId) -> None:
    """Take a start request (os-start): only a stopped server has one."""
    _in_state(server_of(cloud, server), "start", "stopped")
    cloud.change(server, task_state="powering-on")
    cloud.tasks.start_soon(_run, cloud, server)


def reboot(cloud: "SimCloud", server: ServerId) -> None:
    """Take a HARD reboot: it also brings back what is ERROR, or active without a guest."""
    row = server_of(cloud, server)
    _in_state(row, "reboot", "active", "stopped", "paused", "suspended", "error")
    cloud.change(server, task_state="rebooting_hard", status="HARD_REBOOT")
    cloud.tasks.start_soon(_run, cloud, server)


async def _run(cloud: "SimCloud", server: ServerId) -> None:
    await anyio.sleep(START_S)
    row = cloud.servers_by_id.get(server)
    if row is None or row.host is None or not cloud.physics.hosts[row.host].reports:
        return
    cloud.physics.start_guest(server, row.host)
    cloud.change(
        server, task_state=None, vm_state="active", status="ACTIVE", power_state=1, fault=None
    )


def reset(cloud: "SimCloud", server: ServerId, state: str) -> None:
    """Take a reset-state: vm_state and no task, nothing else (compute/admin_actions.py)."""
    server_of(cloud, server)
    if state not in {"active", "error"}:
        refuse(400, f"Invalid input for field/attribute state. Value: {state}.")
    cloud.token[server] = cloud.token.get(server, 0) + 1
    cloud.change(server, vm_state=state, task_state=None, status=SHOWN[state])


def update_service(
    cloud: "SimCloud", host: HostName, changes: dict[str, bool | str | None]
) -> None:
    """Take a PUT of a compute service (2.53)."""
    if host not in cloud.physics.hosts:
        refuse(404, f"Service nova-compute of {host} not found.")
    lifts = changes.get("forced_down") is False and cloud.row(host).forced_down
    if lifts and any(
        r.source == host and r.is_evacuation and r.status == "done" for r in cloud.records
    ):
        refuse(  # api/openstack/compute/services.py:_check_for_evacuations, since 24.0.0
            400,
            f"Unable to force up host {host} as there are evacuation migration records that are "
            "not in 'completed' state.",
        )
    cloud.edit(f"nova-compute@{host}", **changes)
