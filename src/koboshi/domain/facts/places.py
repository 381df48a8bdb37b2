"""Which hosts belong together, by what the settings declare: domains, cells, and our own machine."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from koboshi.domain.facts.cloud import Aggregate
from koboshi.domain.names import CellName, DomainName, HostName


class DomainSource(StrEnum):
    """What says which hosts can fail together for one cause."""

    NONE = "none"
    """Nothing does."""
    ZONES = "zones"
    """Each availability zone is a domain."""
    AGGREGATES = "aggregates"
    """Each host aggregate whose name a pattern chooses is a domain."""
    FILE = "file"
    """A file names each domain with its hosts."""


def nobody(_host: HostName, _address: str | None) -> bool:
    """Say of every host that it is not our own machine."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What is declared."""

    source: DomainSource = DomainSource.NONE
    aggregates: tuple[str, ...] = ("*",)
    """Patterns of the aggregates that are domains."""
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Patterns of each domain's hosts, where a file names them."""
    cells: Mapping[str, str] = field(default_factory=dict[str, str])
    """The cell of the hosts, computes and conductors, that a pattern chooses; the first one counts."""
    is_ours: Callable[[HostName, str | None], bool] = nobody
    """Whether a host with this management address carries this daemon or its database."""

    def domains_of(
        self, zones: Mapping[HostName, str], aggregates: Iterable[Aggregate]
    ) -> dict[DomainName, frozenset[HostName]]:
        """Return every domain that has hosts; `zones` has the zone of each compute service's host."""
        match self.source:
            case DomainSource.NONE:
                return {}
            case DomainSource.ZONES:
                named = ((zone, host) for host, zone in zones.items())
            case DomainSource.AGGREGATES:
                named = (
                    (aggregate.name, host)
                    for aggregate in aggregates
                    if any(fnmatchcase(aggregate.name, p) for p in self.aggregates)
                    for host in aggregate.hosts
                    if host in zones
                )
            case DomainSource.FILE:
                named = (
                    (name, host)
                    for name, patterns in self.hosts.items()
                    for host in zones
                    if any(fnmatchcase(host, p) for p in patterns)
                )
        found: dict[DomainName, set[HostName]] = {}
        for name, host in named:
            found.setdefault(DomainName(name), set()).add(host)
        return {name: frozenset(found[name]) for name in sorted(found)}

    def cells_of(self, hosts: Iterable[HostName]) -> dict[CellName, frozenset[HostName]]:
        """Return every declared cell that has hosts."""
        found: dict[CellName, set[HostName]] = {}
        for host in hosts if self.cells else ():
            cell = next((c for p, c in self.cells.items() if fnmatchcase(host, p)), None)
            if cell is not None:
                found.setdefault(CellName(cell), set()).add(host)
        return {name: frozenset(found[name]) for name in sorted(found)}
