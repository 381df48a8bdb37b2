"""The last question before a server is started or rebooted where its disks are.

Asked by the executor with fresh reads, right before the request leaves, whoever decided it: a
server starts only on the host that Nova names, when nobody moves it, and no guest is stopped that
runs, but by a policy that says so.
"""

from dataclasses import dataclass

from koboshi.domain.alone.last_look import LoneLook, why_not_start_alone
from koboshi.domain.facts.cloud import Migration, Running, Server
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.memory.commands import NO_INCIDENT, RebootServer, StartServer
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState

REBOOTED_STATES = frozenset({"active", "error"})
"""What a start refuses (409) and a HARD reboot brings back (nova 34 compute/api.py)."""

STARTED_WHERE_IT_IS = frozenset({RecoveryState.HELD, RecoveryState.REFUSED, RecoveryState.GIVEN_UP})
"""Recoveries that ended with the server on its own host: nothing of it was sent, or runs, elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLook:
    """Everything read right before the request would leave."""

    server: Server | None
    records: tuple[Migration, ...]
    """All migration records of the server, of every type."""
    running: Running
    incident: Incident | None
    """The open incident of the host that it is on."""
    recovery: Recovery | None
    """What became of the server in that incident."""
    alone: LoneLook | None = None
    """What is read besides of a server that stopped alone."""


def why_not_start(command: StartServer | RebootServer, look: StartLook) -> str | None:
    """Return why `command` must not be sent; None when it may."""
    return _by_incident(command, look) or _by_server(command, look)


def _by_incident(command: StartServer | RebootServer, look: StartLook) -> str | None:
    incident, recovery = look.incident, look.recovery
    if command.incident == NO_INCIDENT:
        if incident is not None:
            return f"{command.host} has an open incident"
        return why_not_start_alone(command, look.alone) if look.alone is not None else None
    if incident is None or incident.id != command.incident:
        return "its incident is over"
    if incident.state is not IncidentState.RESTORING:
        return f"its incident is {incident.state}"
    if recovery is None or recovery.state not in STARTED_WHERE_IT_IS:
        return f"its recovery is {recovery.state if recovery else 'not known'}"
    if recovery.candidate.vm_state != "active":
        return f"it was {recovery.candidate.vm_state} before its host failed: it stays as it is"
    return None


def _by_server(command: StartServer | RebootServer, look: StartLook) -> str | None:
    server = look.server
    if server is None:
        return "it was deleted meanwhile"
    if server.id != command.server:
        return "Nova answered with another server"
    if server.host != command.host:
        return f"it is on {server.host or 'no host'} now"
    if server.task_state is not None:
        return f"somebody works on it: {server.task_state}"
    moving = next((r for r in look.records if r.is_open), None)
    if moving is not None:
        return f"its {moving.type} record {moving.id} is {moving.status}: somebody moves it"
    if isinstance(command, StartServer):
        return None if server.vm_state == "stopped" else f"it is {server.vm_state}, not stopped"
    if server.vm_state not in REBOOTED_STATES:
        return f"it is {server.vm_state}"
    if look.running is not Running.NO and not command.guest_may_run:
        return f"its guest may run: its hypervisor says {look.running}"
    return None
