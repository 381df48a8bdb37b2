"""A host's way home: the executor's part. Each command is asked about once more, by fresh reads."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

from koboshi.domain.errors import CloudError, CommandRefused, FenceError, OutcomeUnknown
from koboshi.domain.facts.cloud import ComputeService, Power
from koboshi.domain.facts.ownership import is_left_disabled
from koboshi.domain.home.guard_home import why_not_enable, why_not_lift, why_not_on_now
from koboshi.domain.memory.commands import (
    EnableService,
    LiftForceDown,
    Outcome,
    PowerOn,
    RestoreDisable,
)
from koboshi.domain.memory.events import CommandEnded
from koboshi.domain.names import HostName
from koboshi.engine.memory import Memory
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import Cloud
from koboshi.ports.fence import Fence

CALL = timedelta(seconds=10)
LOOK_S = 5.0
"""What was read for the guard must be fresh when the request leaves."""

ReadService = Callable[[HostName], Awaitable[ComputeService | None]]
Homeward = PowerOn | LiftForceDown | EnableService | RestoreDisable


class Homecomer:
    """Carries out one command of a host's way home."""

    def __init__(
        self, *, memory: Memory, clock: Clock, cloud: Cloud, read_service: ReadService
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._cloud = cloud
        self._read_service = read_service

    async def power_on(self, command: PowerOn, fence: Fence) -> CommandEnded:
        """Switch the host on; only the power that is read back, and its life, count."""
        if why := await self._look(command):
            return _ended(command, Outcome.REFUSED, why)
        try:
            with anyio.fail_after(CALL.total_seconds(), shield=True):
                if await fence.power_state() is Power.ON:
                    return _ended(command, Outcome.DONE, "its power reads on already")
                await fence.power_on()
        except FenceError as error:
            return _ended(command, Outcome.FAILED, str(error))
        except TimeoutError:
            detail = f"no answer within {CALL.total_seconds():.0f} s"
            return _ended(command, Outcome.FAILED, detail)
        return _ended(command, Outcome.DONE, "the device accepted it; only its life counts")

    async def lift(self, command: LiftForceDown) -> CommandEnded:
        """Lift force-down, and read it back."""
        return await self._edit(
            command, lambda: self._cloud.lift(command.service), lambda s: not s.forced_down
        )

    async def enable(self, command: EnableService) -> CommandEnded:
        """Enable the service, and read it back."""
        return await self._edit(
            command, lambda: self._cloud.enable(command.service), lambda s: s.enabled
        )

    async def disable_again(self, command: RestoreDisable) -> CommandEnded:
        """Give the disable back to whoever had made it, and read it back."""
        return await self._edit(
            command,
            lambda: self._cloud.disable(command.service, command.reason),
            lambda s: is_left_disabled(s, command.reason),
        )

    async def _edit(
        self,
        command: LiftForceDown | EnableService | RestoreDisable,
        send: Callable[[], Awaitable[None]],
        is_so: Callable[[ComputeService], bool],
    ) -> CommandEnded:
        if why := await self._look(command):
            return _ended(command, Outcome.REFUSED, why)
        detail = "it does not read back so"
        try:
            with anyio.CancelScope(shield=True):
                await send()
        except CommandRefused as error:
            return _ended(command, Outcome.REFUSED, str(error))
        except OutcomeUnknown as error:
            detail = str(error)  # the row itself tells, below
        service: ComputeService | None = None
        try:
            with anyio.CancelScope(shield=True):
                service = await self._read_service(command.host)
        except CloudError as error:
            return _ended(command, Outcome.UNRESOLVED, detail or str(error))
        if service is not None and service.id == command.service and is_so(service):
            return _ended(command, Outcome.DONE, "read back")
        return _ended(command, Outcome.UNRESOLVED, detail)

    async def _look(self, command: Homeward) -> str | None:
        """Read everything that the guard asks for, the records last, and ask it."""
        try:
            with anyio.fail_after(LOOK_S):
                why = await self._ask(command)
        except CloudError as error:
            return f"not sent, the last look failed: {error}"
        except TimeoutError:
            return f"not sent: the last look took over {LOOK_S:.0f} s"
        return f"not sent: {why}" if why else None

    async def _ask(self, command: Homeward) -> str | None:
        service = await self._read_service(command.host)
        records = await self._cloud.migrations(source=command.host, evacuations_only=True)
        state = self._memory.state
        incident = state.incidents[command.incident]
        match command:
            case PowerOn():
                return why_not_on_now(command, incident, state, self._clock.now(), records, service)
            case LiftForceDown():
                return why_not_lift(command, incident, service)
            case EnableService() | RestoreDisable():
                return why_not_enable(command, incident, service, records)


def _ended(command: Homeward, outcome: Outcome, detail: str) -> CommandEnded:
    return CommandEnded(command=command.id, outcome=outcome, detail=detail)
