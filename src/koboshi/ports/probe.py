"""Asking a host's management network whether it lives."""

from typing import Protocol

from koboshi.domain.alone.checks import Target
from koboshi.domain.facts.cloud import ProbeAnswer


class Probe(Protocol):
    """One way of asking one address."""

    @property
    def name(self) -> str:
        """Return what is asked, e.g. `ssh:22`: trust in one way says nothing of another."""
        ...

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask once, within a second or so; never raises for what the network does."""
        ...


class ServerProbe(Protocol):
    """Asking servers whose owners want it."""

    async def ask(self, target: Target) -> ProbeAnswer:
        """Ask once, within a few seconds: only USERLAND says that its program answers; never raises."""
        ...
