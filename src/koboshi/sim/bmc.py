"""The BMC of one host of the fake cloud, with the ways in which BMCs fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import anyio

from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import NAMELESS, Identity
from koboshi.domain.names import HostName
from koboshi.sim.asking import ASKER
from koboshi.sim.physics import Host, Physics
from koboshi.sim.truth import CommandArrived
from koboshi.sim.uplink import Uplink

TIMEOUT_S = 5.0
NEWLY_WIRED_S = 8.0
"""What was moved so recently may be missed by the last question: answers take time."""
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
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 a way in which a device behaves
    DIES_WITH_HOST = "dies_with_host"
    HALF = "half"


BMC_MEANING: dict[Bmc, str] = {
    Bmc.NORMAL: "it reads and switches the power truly",
    Bmc.REFUSE: "it reads the power, and refuses to switch it",
    Bmc.HANG: "it takes a request and never answers",
    Bmc.ACCEPT_ONLY: "it says that it switches, and does not",
    Bmc.LIE_OFF: "it reads off whatever is so, and does not switch",
    Bmc.GONE: "it does not answer",
    Bmc.SLOW: "it does everything truly, seconds late",
    Bmc.WRONG_PASSWORD: "it refuses everything: the password is wrong",
    Bmc.DIES_WITH_HOST: "it has no power of its own: it is silent while its host is off",
    Bmc.HALF: "it switches one of the host's two feeds: it reads off then, and the host runs on",
}


@dataclass(frozen=True, kw_only=True)
class Read:
    """One answered power reading."""

    at_s: float
    power: Power
    lied: bool = False
    """Off was told of a host that runs."""
    asker: object | None = None
    """The daemon that was told."""


def read_of(host: Host, power: Power) -> Read:
    """Return a reading of a host's power, answered now, beside the truth."""
    lied = power is Power.OFF and host.power
    return Read(at_s=anyio.current_time(), power=power, lied=lied, asker=ASKER.get())


class SimFence:
    """Implements ports.fence.Fence."""

    def __init__(
        self,
        physics: Physics,
        host: HostName,
        boot: Callable[[HostName], Awaitable[None]] | None = None,
        *,
        uplink: Uplink | None = None,
    ) -> None:
        self._physics = physics
        self._host = host
        self._boot = boot
        self._uplink = uplink or Uplink()
        self._half_off = False
        self._wired_to, self._wired_s = host, 0.0
        self._said: str | None = None
        """The serial that it told first."""
        self.mode = Bmc.NORMAL
        self.answer_s = 0.05
        self.off_takes_s = 0.2
        self.reads: list[Read] = []
        self.offs: list[float] = []
        """When each *off* arrived here."""
        self.ons: list[float] = []
        """When each *on* arrived here."""
        self.told: Identity | None = None
        """What it says it is, where that is not the machine that it is wired to."""

    @property
    def wired_to(self) -> HostName:
        """Return the host that it reads and switches in truth."""
        return self._wired_to

    @wired_to.setter
    def wired_to(self, host: HostName) -> None:
        self._wired_to, self._wired_s = host, anyio.current_time()

    def _misses(self) -> str:
        """Return what it hits in truth, where whoever asks it is told of another machine than once."""
        now_tells = (self.told or self._identity()).serial
        was_moved = self._said not in {None, now_tells}
        asked_since = anyio.current_time() - self._wired_s > NEWLY_WIRED_S
        return self.wired_to if was_moved and asked_since else ""

    async def power_state(self) -> Power:
        """Read the power, as the mode lets it."""
        await self._reachable()
        await self._answer()
        power = Power.ON if self._is_on() else Power.OFF
        self.reads.append(read_of(self._physics.hosts[self._host], power))
        return power

    def _is_on(self) -> bool:
        """Return what it reads."""
        if self.mode is Bmc.LIE_OFF or (self.mode is Bmc.HALF and self._half_off):
            return False
        return self._physics.hosts[self.wired_to].power

    async def power_off(self) -> None:
        """Switch the host off, as the mode lets it."""
        if self.mode is Bmc.HANG:
            await anyio.sleep(3600)  # whoever sends this must have a time-out of its own
        await self._reachable()
        if self.mode is Bmc.REFUSE:
            raise FenceError(f"the BMC of {self._host} refuses: 403")
        await self._answer()
        self.offs.append(anyio.current_time())
        arrived = CommandArrived(
            at_s=self.offs[-1], call="power_off", subject=self._host, misses=self._misses()
        )
        self._physics.witnesses.tell(arrived)
        if self.mode is Bmc.HALF:
            self._half_off = True
        elif self.mode not in {Bmc.ACCEPT_ONLY, Bmc.LIE_OFF}:
            await anyio.sleep(self.off_takes_s)
            self._switch_off()

    def _switch_off(self) -> None:
        self._physics.cut_power(self.wired_to)

    async def power_on(self) -> None:
        """Switch the host on, as the mode lets it; it boots by itself then."""
        await self._reachable()
        if self.mode is Bmc.REFUSE:
            raise FenceError(f"the BMC of {self._host} refuses: 403")
        await self._answer()
        self.ons.append(anyio.current_time())
        arrived = CommandArrived(at_s=self.ons[-1], call="power_on", subject=self._host)
        self._physics.witnesses.tell(arrived)
        self._half_off = False
        on = self._physics.hosts[self.wired_to].power
        if not on and self.mode not in {Bmc.ACCEPT_ONLY, Bmc.LIE_OFF} and self._boot is not None:
            await self._boot(self.wired_to)

    async def identity(self) -> Identity:
        """Tell what it says it is."""
        await self._reachable()
        await self._answer()
        told = self.told or self._identity()
        self._said = self._said or told.serial or None
        return told

    def _identity(self) -> Identity:
        return Identity(serial=f"serial-of-{self.wired_to}")

    async def _answer(self) -> None:
        await anyio.sleep(SLOW_S if self.mode is Bmc.SLOW else self.answer_s)

    async def _reachable(self) -> None:
        if self.is_silent or not self._uplink.works:
            await anyio.sleep(TIMEOUT_S)
            raise FenceError(f"the BMC of {self._host} does not answer within {TIMEOUT_S} s")
        if self.mode is Bmc.WRONG_PASSWORD:
            raise FenceError(f"the BMC of {self._host} refuses: 401, the password is wrong")

    @property
    def is_silent(self) -> bool:
        """Return whether it answers nobody."""
        return self.mode in {Bmc.GONE, Bmc.HANG} or not self._has_power()

    def _has_power(self) -> bool:
        """Return whether it has power itself."""
        machine = self._physics.hosts[self.wired_to]
        return machine.fed and (machine.power or self.mode is not Bmc.DIES_WITH_HOST)


class SimOutlets(SimFence):
    """All outlets of one host: what they switch off, the host's BMC has no power either."""

    def _is_on(self) -> bool:
        return self._physics.hosts[self.wired_to].fed

    def _switch_off(self) -> None:
        self._physics.hosts[self.wired_to].fed = False
        self._physics.cut_power(self.wired_to)

    def _has_power(self) -> bool:
        return True

    def _identity(self) -> Identity:
        return NAMELESS
