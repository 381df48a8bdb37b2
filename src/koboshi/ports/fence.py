"""Switching a host off, and reading whether it is off."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import BMC, Identity


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


@runtime_checkable
class FenceChain(Fence, Protocol):
    """A host's power devices in order: the first that gives a clear answer speaks.

    *Off* goes to the next ones too when the first did not end in off.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Return the devices' names, in order."""
        ...

    @property
    def spoke(self) -> str:
        """Return whose word the newest reading of this object was."""
        ...

    def without(self, distrusted: Collection[str]) -> "FenceChain":
        """Return the same devices but for some, to be asked once."""
        ...


def trusted(fence: Fence, distrusted: Collection[str]) -> Fence | None:
    """Return what of `fence` may be asked and switched; None when all of it is distrusted."""
    if isinstance(fence, FenceChain):
        return fence.without(distrusted) if set(fence.names) - set(distrusted) else None
    return None if BMC in distrusted else fence


def spoke(fence: Fence) -> str:
    """Return whose word the newest reading was."""
    return fence.spoke if isinstance(fence, FenceChain) else BMC
