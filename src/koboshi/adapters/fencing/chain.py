"""Several power devices of one host as one: its BMC, then what feeds it.

A BMC often dies with its host's power supply; an outlet answers still. What feeds a host speaks as
one: only when every outlet is off, none feeds it.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import NAMELESS, Identity
from koboshi.ports.fence import Fence

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long a device that was deaf the last time keeps the next one's clear answer waiting."""
AGAIN_S = 600.0
"""An *off* so soon after another means that the first one was not enough."""


class Feeds:
    """Implements `koboshi.ports.fence.Fence` for all outlets that feed a host, together."""

    def __init__(self, outlets: Mapping[str, Fence]) -> None:
        self._outlets = dict(outlets)

    async def power_state(self) -> Power:
        """Return off only when every outlet is off, and on as soon as one is on."""
        powers, troubles = await _ask_all(self._outlets, lambda fence: fence.power_state())
        if Power.ON in powers.values():
            return Power.ON
        if troubles:
            raise _together(troubles)
        return Power.OFF if set(powers.values()) == {Power.OFF} else Power.UNKNOWN

    async def power_off(self) -> None:
        """Switch every outlet off."""
        _, troubles = await _ask_all(self._outlets, lambda fence: fence.power_off())
        if troubles:
            raise _together(troubles)

    async def power_on(self) -> None:
        """Switch every outlet on."""
        _, troubles = await _ask_all(self._outlets, lambda fence: fence.power_on())
        if troubles:
            raise _together(troubles)

    async def identity(self) -> Identity:
        """Return nothing: an outlet does not know what hangs on it."""
        return NAMELESS


@dataclass(slots=True)
class _Memory:
    """What the devices of one host did lately; shared by all views of them."""

    deaf: set[str] = field(default_factory=set[str])
    off_at_s: float | None = None


class Chain:
    """Implements `koboshi.ports.fence.FenceChain`."""

    def __init__(self, devices: Mapping[str, Fence], memory: _Memory | None = None) -> None:
        self._devices = dict(devices)
        self._memory = memory or _Memory()
        self._spoke = next(iter(devices))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the devices' names, in order."""
        return tuple(self._devices)

    @property
    def spoke(self) -> str:
        """Return whose word the newest reading of this object was."""
        return self._spoke

    def without(self, distrusted: Collection[str]) -> "Chain":
        """Return the same devices but for some, to be asked once."""
        kept = {name: fence for name, fence in self._devices.items() if name not in distrusted}
        return Chain(kept, self._memory)

    async def power_state(self) -> Power:
        """Return the first clear answer, by the devices' order, not by their speed."""
        answers: dict[str, Power | FenceError] = {}
        news = anyio.Event()

        async def ask(name: str, fence: Fence) -> None:
            nonlocal news
            try:
                answers[name] = await fence.power_state()
            except FenceError as error:
                answers[name] = error
            (self._memory.deaf.discard if _is_clear(answers[name]) else self._memory.deaf.add)(name)
            news.set()

        found: tuple[str, Power] | None = None
        deaf = frozenset(self._memory.deaf)
        patient_until = anyio.current_time() + PATIENCE_S
        async with anyio.create_task_group() as tasks:
            for name, fence in self._devices.items():
                tasks.start_soon(ask, name, fence)
            while True:
                left_s = patient_until - anyio.current_time()
                found = self._first_clear(answers, deaf if left_s <= 0 else frozenset())
                if found is not None or len(answers) == len(self._devices):
                    break
                news = anyio.Event()
                with anyio.move_on_after(left_s if left_s > 0 else None):
                    await news.wait()
            tasks.cancel_scope.cancel()
        if found is None:
            troubles = {n: a for n, a in answers.items() if isinstance(a, FenceError)}
            if troubles:
                raise _together(troubles)
            return Power.UNKNOWN
        self._spoke, power = found
        return power

    def _first_clear(
        self, answers: Mapping[str, Power | FenceError], not_waited_for: Collection[str]
    ) -> tuple[str, Power] | None:
        for name in self._devices:
            answer = answers.get(name)
            if answer is None:
                if name in not_waited_for:
                    continue
                return None
            if isinstance(answer, Power) and answer is not Power.UNKNOWN:
                return name, answer
        return None

    async def power_off(self) -> None:
        """Switch the first device off; the others too if it fails, or if that was tried just now."""
        now, before = anyio.current_time(), self._memory.off_at_s
        self._memory.off_at_s = now
        first, *others = self._devices.items()
        if before is None or now - before > AGAIN_S:
            try:
                await first[1].power_off()
            except FenceError as error:
                if not others:
                    raise
                await _any_of(dict(others), {first[0]: error})
            return
        await _any_of(self._devices, {})

    async def power_on(self) -> None:
        """Switch on what feeds it first: a BMC without power does not listen."""
        for _, fence in reversed(self._devices.items()):
            await fence.power_on()

    async def identity(self) -> Identity:
        """Return what the first device that tells anything says."""
        for fence in self._devices.values():
            told = await fence.identity()
            if told != NAMELESS:
                return told
        return NAMELESS


async def _any_of(devices: Mapping[str, Fence], before: Mapping[str, FenceError]) -> None:
    _, troubles = await _ask_all(devices, lambda fence: fence.power_off())
    if len(troubles) == len(devices):
        raise _together({**before, **troubles})


async def _ask_all(
    devices: Mapping[str, Fence], question: Callable[[Fence], Awaitable[T]]
) -> tuple[dict[str, T], dict[str, FenceError]]:
    answers: dict[str, T] = {}
    troubles: dict[str, FenceError] = {}

    async def ask(name: str, fence: Fence) -> None:
        try:
            answers[name] = await question(fence)
        except FenceError as error:
            troubles[name] = error

    async with anyio.create_task_group() as tasks:
        for name, fence in devices.items():
            tasks.start_soon(ask, name, fence)
    return answers, troubles


def _is_clear(answer: Power | FenceError) -> bool:
    return answer in {Power.ON, Power.OFF}


def _together(troubles: Mapping[str, FenceError]) -> FenceError:
    return FenceError("; and ".join(str(error) for error in troubles.values()))
