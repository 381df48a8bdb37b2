"""The BMC of one host of the fake cloud, with the ways in which BMCs fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import anyio

from koboshi.domain.cloud import Power
from koboshi.domain.device import Identity
from koboshi.domain.errors import FenceError
from koboshi.domain.names import HostName
from koboshi.sim.physics import Physics
from koboshi.sim.truth import CommandArrived

TIMEOUT_S = 5.0
SLOW_S = 3.0
"""Slower than its readings are wanted, sooner than a caller gives up."""


class Bmc(StrEnum):
    """How a BMC behaves."""

    NORMAL = "normal"
    REFUSE = "refuse"
    HANG = "hang"
    ACCEPT_ONLY = "accept_only"
    LIE_OFF = "lie_off"
    GONE = "gone"
    SLOW = "slow"


BMC_MEANING: dict[Bmc, str] = {
    Bmc.NORMAL: "it reads and switches the power truly",
    Bmc.REFUSE: "it reads the power, and refuses to switch it",
    Bmc.HANG: "it takes a request and never answers",
    Bmc.ACCEPT_ONLY: "it says that it switches, and does not",
    Bmc.LIE_OFF: "it reads off whatever is so, and does not switch",
    Bmc.GONE: "it does not answer",
    Bmc.SLOW: "it does everything truly, seconds late",
}


@dataclass(frozen=True, kw_only=True)
class Read:
    """One answered power reading."""

    at_s: float
    power: Power
    lied: bool = False
    """Off was told of a host that runs."""


class SimFence:
    """Implements ports.fence.Fence."""

    def __init__(
        self,
        physics: Physics,
        host: HostName,
        boot: Callable[[HostName], Awaitable[None]] | None = None,
    ) -> None:
        self._physics = physics
        self._host = host
        self._boot = boot
        self.mode = Bmc.NORMAL
        self.answer_s = 0.05
        self.off_takes_s = 0.2
        self.reads: list[Read] = []
        self.offs: list[float] = []
        """When each *off* arrived here."""
        self.ons: list[float] = []
        """When each *on* arrived here."""
        self.told = Identity(serial=f"serial-of-{host}")
        """What it says it is."""

    async def power_state(self) -> Power:
        """Read the power, as the mode lets it."""
        await self._reachable()
        await self._answer()
        on = self._physics.hosts[self._host].power and self.mode is not Bmc.LIE_OFF
        power = Power.ON if on else Power.OFF
        lied = power is Power.OFF and self._physics.hosts[self._host].power
        self.reads.append(Read(at_s=anyio.current_time(), power=power, lied=lied))
        return power

    async def power_off(self) -> None:
        """Switch the host off, as the mode lets it."""
        if self.mode is Bmc.HANG:
            await anyio.sleep(3600)  # whoever sends this must have a time-out of its own
        await self._reachable()
        if self.mode is Bmc.REFUSE:
            raise FenceError(f"the BMC of {self._host} refuses: 403")
        await self._answer()
        self.offs.append(anyio.current_time())
        arrived = CommandArrived(at_s=self.offs[-1], call="power_off", subject=self._host)
        self._physics.witnesses.tell(arrived)
        if self.mode not in {Bmc.ACCEPT_ONLY, Bmc.LIE_OFF}:
            await anyio.sleep(self.off_takes_s)
            self._physics.cut_power(self._host)

    async def power_on(self) -> None:
        """Switch the host on, as the mode lets it; it boots by itself then."""
        await self._reachable()
        if self.mode is Bmc.REFUSE:
            raise FenceError(f"the BMC of {self._host} refuses: 403")
        await self._answer()
        self.ons.append(anyio.current_time())
        on = self._physics.hosts[self._host].power
        if not on and self.mode not in {Bmc.ACCEPT_ONLY, Bmc.LIE_OFF} and self._boot is not None:
            await self._boot(self._host)

    async def identity(self) -> Identity:
        """Tell what it says it is."""
        await self._reachable()
        await self._answer()
        return self.told

    async def _answer(self) -> None:
        await anyio.sleep(SLOW_S if self.mode is Bmc.SLOW else self.answer_s)

    async def _reachable(self) -> None:
        if self.mode in {Bmc.GONE, Bmc.HANG}:
            await anyio.sleep(TIMEOUT_S)
            raise FenceError(f"the BMC of {self._host} does not answer within {TIMEOUT_S} s")
