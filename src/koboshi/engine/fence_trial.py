"""Switching an empty, disabled host off and on, and saying whether that worked."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

from koboshi.domain.errors import CloudError, FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import PowerReading
from koboshi.domain.memory.commands import Outcome, TryFence
from koboshi.domain.memory.events import CommandEnded, Event, FenceTested
from koboshi.domain.rules import PROOF_READS, PROOF_SPACING
from koboshi.engine.memory import Memory
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import CloudReader
from koboshi.ports.fence import Fence, spoke

CALL = timedelta(seconds=10)
OFF_WITHIN = timedelta(seconds=30)
ON_AFTER = timedelta(seconds=30)
"""A power-on waits this long after the newest *off* that anybody meant."""
ON_WITHIN = timedelta(seconds=60)
ON_TRIES = 2
ANSWERS_AFTER = timedelta(seconds=2)
"""An answer so long after *off* was read is none that was on its way."""


class FenceTrial:
    """One test of one host's power devices."""

    def __init__(
        self,
        command: TryFence,
        fence: Fence,
        *,
        memory: Memory,
        board: Whiteboard,
        clock: Clock,
        cloud: CloudReader,
    ) -> None:
        self._command = command
        self._fence = fence
        self._memory = memory
        self._board = board
        self._clock = clock
        self._cloud = cloud

    async def run(self) -> tuple[Event, ...]:
        """Look once more, switch off, read back, switch on, read back."""
        if why := await self._why_not():
            return (self._ended(Outcome.REFUSED, f"nothing was switched: {why}"),)
        begun = self._clock.now()
        trouble = await self._off()
        off_s = self._clock.now().since(begun).total_seconds()
        if self._is_left_to_another():
            return self._tested(ok=False, detail="an incident began meanwhile: it is left off")
        still_off = await self._on()
        host = self._command.host
        if still_off:
            return self._tested(
                ok=False, detail=f"{host} is OFF and does not come on ({still_off}): switch it on"
            )
        if trouble:
            return self._tested(ok=False, detail=trouble)
        return self._tested(
            ok=True, detail=f"{host} read off three times within {off_s:.0f} s, and on again"
        )

    async def _why_not(self) -> str | None:
        """Read anew what the person's word rests on, right before anything is sent."""
        host = self._command.host
        try:
            asked_at = self._clock.now()
            self._board.see_services(await self._cloud.services(), self._clock.now(), asked_at)
            servers = await self._cloud.servers(host)
        except CloudError as error:
            return f"Nova does not answer: {error}"
        if not disabled_by_operator(host, self._board.world):
            return "it is not disabled any more"
        if servers:
            return f"{len(servers)} servers are on it"
        if self._memory.state.open_incident(host) is not None:
            return "it has an open incident"
        power = await self._read()
        return None if power is Power.ON else f"its power reads {power}"

    async def _off(self) -> str | None:
        """Switch it off; return what was wrong."""
        host = self._command.host
        refused = await self._ask(self._fence.power_off)
        until = self._clock.now()
        offs: list[Instant] = []
        while len(offs) < PROOF_READS:
            if self._clock.now().since(until) > OFF_WITHIN:
                return (
                    refused or f"{host} did not read off within {OFF_WITHIN.total_seconds():.0f} s"
                )
            power, now = await self._read(), self._clock.now()
            offs = [*offs, now] if power is Power.OFF else []
            await self._clock.sleep(PROOF_SPACING)
        probe = self._board.world.probes.get(host)
        if (
            probe is not None
            and probe.kernel_at is not None
            and probe.kernel_at.since(offs[0]) > ANSWERS_AFTER
        ):
            return f"{host} reads off and answers: its power device may be ANOTHER host's. Look at once"
        return None

    def _is_left_to_another(self) -> bool:
        """Return whether somebody else means to have it off now."""
        state, host = self._memory.state, self._command.host
        opened = state.commands.get(self._command.id)
        newest = state.fences.get(host)
        return state.open_incident(host) is not None or (
            opened is not None and newest is not None and newest.is_after(opened.intended_at)
        )

    async def _on(self) -> str | None:
        """Switch it on again; return why it is not."""
        opened = self._memory.state.commands[self._command.id]
        waited = self._clock.now().since(opened.intended_at)
        if waited < ON_AFTER:
            await self._clock.sleep(ON_AFTER - waited)
        if self._is_left_to_another():
            return "an incident began meanwhile"
        refused: str | None = None
        for _ in range(ON_TRIES):
            refused = await self._ask(self._fence.power_on)
            asked_at = self._clock.now()
            while self._clock.now().since(asked_at) < ON_WITHIN:
                if await self._read() is Power.ON:
                    return None
                await self._clock.sleep(PROOF_SPACING)
        return refused or f"it did not read on within {ON_WITHIN.total_seconds():.0f} s"

    async def _read(self) -> Power:
        """Read the power, and let everybody see it."""
        detail = ""
        try:
            with anyio.fail_after(CALL.total_seconds()):
                power = await self._fence.power_state()
        except (FenceError, TimeoutError) as error:
            power, detail = Power.UNKNOWN, str(error)
        reading = PowerReading(
            at=self._clock.now(), power=power, detail=detail, device=spoke(self._fence)
        )
        self._board.see_power(self._command.host, reading)
        return power

    @staticmethod
    async def _ask(question: Callable[[], Awaitable[None]]) -> str | None:
        try:
            with anyio.fail_after(CALL.total_seconds()):
                await question()
        except FenceError as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {CALL.total_seconds():.0f} s"
        return None

    def _tested(self, *, ok: bool, detail: str) -> tuple[Event, ...]:
        outcome = Outcome.DONE if ok else Outcome.FAILED
        tested = FenceTested(host=self._command.host, ok=ok, detail=detail)
        return tested, self._ended(outcome, detail)

    def _ended(self, outcome: Outcome, detail: str) -> CommandEnded:
        return CommandEnded(command=self._command.id, outcome=outcome, detail=detail)
