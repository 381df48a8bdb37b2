"""Placement: who holds what of which host, by its own account, which may differ from the truth."""

from dataclasses import dataclass

from koboshi.domain.facts.cloud import Demand
from koboshi.domain.names import HostName, ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What is taken of a host."""

    vcpus: int = 0
    ram_mb: int = 0
    disk_gb: int = 0

    def plus(self, demand: Demand, times: int = 1) -> "Used":
        """Return what is taken with so many demands more (or, below 0, less)."""
        return Used(
            vcpus=self.vcpus + times * demand.vcpus,
            ram_mb=self.ram_mb + times * demand.ram_mb,
            disk_gb=self.disk_gb + times * demand.disk_gb,
        )


NOTHING = Used()


class Placement:
    """The allocations.

    An evacuation holds both hosts under the server's name; only the source's own nova-compute, when
    it starts again, gives the source's part back (scheduler/client/report.py:claim_resources).
    """

    def __init__(self) -> None:
        self._held: dict[ServerId, dict[HostName, list[Demand]]] = {}
        self._used: dict[HostName, Used] = {}

    def claim(self, server: ServerId, host: HostName, demand: Demand) -> None:
        """Take something of a host; what is held there already is held twice then."""
        self._held.setdefault(server, {}).setdefault(host, []).append(demand)
        self._used[host] = self.used(host).plus(demand)

    def release(self, server: ServerId, host: HostName) -> None:
        """Give back what a server holds of a host; nothing is all right, too."""
        for demand in self._held.get(server, {}).pop(host, ()):
            self._used[host] = self.used(host).plus(demand, -1)

    def release_all(self, server: ServerId) -> None:
        """Give back everything, as a server's deletion does."""
        for host in self.holds(server):
            self.release(server, host)
        self._held.pop(server, None)

    def holds(self, server: ServerId) -> tuple[HostName, ...]:
        """Return the hosts of which a server holds something."""
        return tuple(self._held.get(server, {}))

    def held_by(self, server: ServerId) -> list[tuple[HostName, dict[str, int]]]:
        """Return what a server holds of each host, by resource class; what is 0 is not there."""
        return [(host, _resources(demands)) for host, demands in self._held.get(server, {}).items()]

    def used(self, host: HostName) -> Used:
        """Return what is taken of a host."""
        return self._used.get(host, NOTHING)


def _resources(demands: list[Demand]) -> dict[str, int]:
    total = NOTHING
    for demand in demands:
        total = total.plus(demand)
    classes = {"VCPU": total.vcpus, "MEMORY_MB": total.ram_mb, "DISK_GB": total.disk_gb}
    return {name: amount for name, amount in classes.items() if amount}
