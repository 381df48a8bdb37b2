"""Starting a server, or rebooting it HARD, where its disks are: the executor's part."""

import anyio

from koboshi.domain.alone.last_look import LoneLook
from koboshi.domain.errors import CloudError, CommandRefused, OutcomeUnknown
from koboshi.domain.home.guard_start import StartLook, why_not_start
from koboshi.domain.memory.commands import NO_INCIDENT, Outcome, RebootServer, StartServer
from koboshi.domain.memory.events import CommandEnded
from koboshi.domain.policies.metadata import is_left_alone
from koboshi.domain.restraint.brake import why_first_fence_held
from koboshi.engine.memory import Memory
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.cloud import Cloud

LOOK_S = 10.0
"""A hypervisor's word takes up to 5 s; what was read before it must be fresh still."""


async def start_or_reboot(
    command: StartServer | RebootServer, *, memory: Memory, board: Whiteboard, cloud: Cloud
) -> CommandEnded:
    """Look once more, send it once, and tell what came of it.

    An answer that was lost leaves it unresolved: whoever decided it reads the server anew.
    """
    try:
        with anyio.fail_after(LOOK_S):
            look = await _look(command, memory, board, cloud)
    except (CloudError, TimeoutError) as error:
        why = str(error) or f"it took over {LOOK_S:.0f} s"
        return _ended(command, Outcome.REFUSED, f"not sent, the last look failed: {why}")
    if why := why_not_start(command, look):
        return _ended(command, Outcome.REFUSED, f"not sent: {why}")
    try:
        with anyio.CancelScope(shield=True):
            if isinstance(command, StartServer):
                await cloud.start(command.server)
            else:
                await cloud.reboot_hard(command.server)
    except CommandRefused as error:
        return _ended(command, Outcome.REFUSED, str(error))
    except OutcomeUnknown as error:
        return _ended(command, Outcome.UNRESOLVED, str(error))
    return _ended(command, Outcome.DONE, "Nova accepted it")


async def _look(
    command: StartServer | RebootServer, memory: Memory, board: Whiteboard, cloud: Cloud
) -> StartLook:
    running = await cloud.is_running(command.server)
    server = await cloud.server(command.server)
    records = await cloud.migrations(server=command.server)
    alone = None
    if command.incident == NO_INCIDENT:
        actions = await cloud.actions(command.server)
        row = board.world.services.get(command.host)
        service = row.service if row is not None else None
        unwell = memory.state.unwell.get(command.server)
        track = board.world.health.get(command.server)
        failing = track is not None and track.failing_since is not None
        alone = LoneLook(
            is_unwell=unwell is not None and not unwell.is_over and failing,
            stop=memory.state.stops.get(command.server),
            is_left=server is not None and is_left_alone(server.metadata),
            actions=actions,
            host_is_up=service is not None and service.up is True and not service.forced_down,
            brake=why_first_fence_held(command.host, board.world, memory.state),
        )
    state = memory.state
    incident = state.open_incident(command.host)
    recovery = state.recoveries.get(command.incident, {}).get(command.server)
    return StartLook(
        server=server,
        records=records,
        running=running,
        incident=incident,
        recovery=recovery,
        alone=alone,
    )


def _ended(command: StartServer | RebootServer, outcome: Outcome, detail: str) -> CommandEnded:
    return CommandEnded(command=command.id, outcome=outcome, detail=detail)
