"""Witnesses beyond Nova and our own probes: who is asked, and where a host answers on a network."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from koboshi.domain.facts.cloud import NetworkAgent, Sample
from koboshi.domain.names import HostName


class AgentsReader(Protocol):
    """Neutron, as far as it tells of its agents."""

    async def agents(self) -> tuple[NetworkAgent, ...]:
        """Return every agent on every host, all pages of them. Raises CloudError."""
        ...


class SampleReader(Protocol):
    """Whoever collects samples of the hosts (Prometheus)."""

    async def samples(self) -> tuple[Sample, ...]:
        """Return a sample for each host that lived when it was taken. Raises CloudError."""
        ...

    async def boot_times(self) -> Mapping[HostName, datetime]:
        """Return when each host last booted, of those that tell. Raises CloudError."""
        ...


class AddressBook(Protocol):
    """Where hosts answer on one network."""

    def address_of(self, host: HostName) -> str | None:
        """Return the host's address, as far as it is known now; asks nobody."""
        ...

    async def refresh(self, hosts: Collection[HostName]) -> None:
        """Look names up ahead, for those that must be; an address that is known stays on failure."""
        ...
