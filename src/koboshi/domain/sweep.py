"""Where every server of the cloud was seen last: what a sweep keeps of each, and no more.

A sweep is known whole once and by its changes from then on. Two hundred thousand servers must fit
beside everything else, so of each only its host, its state and its protection are kept, and what is
the same for many is one object.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName, ServerId

SHARED_SIGHTINGS = 65_536
"""How many different ones are remembered to be shared: a few for each of ten thousand hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Where and how a server was seen."""

    host: HostName | None
    vm_state: str
    is_protected: bool
    """Whether its metadata leave it protected, as of when its row changed last."""


@lru_cache(maxsize=SHARED_SIGHTINGS)
def sighting(host: HostName | None, vm_state: str, *, is_protected: bool) -> Sighting:
    """Return a sighting, the same object for all servers that are alike."""
    return Sighting(host=host, vm_state=vm_state, is_protected=is_protected)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptServer:
    """One row of a sweep."""

    id: ServerId
    seen: Sighting | None
    """None when it is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All servers, as far as they changed until `at`."""

    at: Instant
    """When the newest question was asked."""
    servers: Mapping[ServerId, Sighting] = field(default_factory=dict[ServerId, Sighting])
    by_host: Mapping[HostName, tuple[ServerId, ...]] = field(
        default_factory=dict[HostName, tuple[ServerId, ...]],
    )

    def on(self, host: HostName) -> Mapping[ServerId, Sighting]:
        """Return the servers of one host."""
        return {server: self.servers[server] for server in self.by_host.get(host, ())}

    def host_of(self, server: ServerId) -> HostName | None:
        """Return where a server was seen; None when it was not, or has no host."""
        seen = self.servers.get(server)
        return seen.host if seen else None


def sweep_of(rows: Iterable[SweptServer], at: Instant) -> Sweep:
    """Return a sweep of all servers."""
    return amended(Sweep(at=at), rows, at)


def amended(sweep: Sweep, rows: Iterable[SweptServer], at: Instant) -> Sweep:
    """Return the sweep after more rows; most of them are known, as each question overlaps the last."""
    newest = {row.id: row.seen for row in rows}
    new = {server: seen for server, seen in newest.items() if sweep.servers.get(server) != seen}
    if not new:
        return replace(sweep, at=at)
    servers = dict(sweep.servers)
    left: defaultdict[HostName, set[ServerId]] = defaultdict(set)
    came: defaultdict[HostName, list[ServerId]] = defaultdict(list)
    for server, seen in new.items():
        before = servers.pop(server, None)
        if seen is not None:
            servers[server] = seen
        old, now = before.host if before else None, seen.host if seen else None
        if old is not None and old != now:
            left[old].add(server)
        if now is not None and old != now:
            came[now].append(server)
    by_host = dict(sweep.by_host)
    for host in left.keys() | came.keys():
        stay = _without(by_host.get(host, ()), left.get(host, ()))
        if on_it := (*stay, *came.get(host, ())):
            by_host[host] = on_it
        else:
            by_host.pop(host, None)
    return Sweep(at=at, servers=servers, by_host=by_host)


def _without(servers: tuple[ServerId, ...], left: Collection[ServerId]) -> tuple[ServerId, ...]:
    return tuple(s for s in servers if s not in left) if left else servers
