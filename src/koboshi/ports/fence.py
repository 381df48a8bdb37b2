"""Switching a host off, and reading whether it is off."""

from typing import Protocol

from koboshi.domain.cloud import Power
from koboshi.domain.device import Identity


class Fence(Protocol):
    """The power device of one host (its BMC), or all of its devices in their order."""

    async def power_state(self) -> Power:
        """Read the power once, within the call's time-out.

        Raises FenceError when the device does not answer or answers nonsense.
        """
        ...

    async def power_off(self) -> None:
        """Ask for *off* (hard, never a cycle), within 10 s; already off is success.

        Returning proves nothing: only `power_state` does. Raises FenceError when the device
        refuses or does not answer, which proves nothing either.
        """
        ...

    async def power_on(self) -> None:
        """Ask for *on*, within 10 s; already on is success.

        Returning proves nothing. Raises FenceError when the device refuses or does not answer.
        """
        ...

    async def identity(self) -> Identity:
        """Read what the device says it is; empty where its kind cannot tell.

        Raises FenceError when the device does not answer or answers nonsense.
        """
        ...
