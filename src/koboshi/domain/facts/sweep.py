"""Where every server of the cloud was seen last: what a sweep keeps of each, and no more.

A sweep is known whole once and by its changes from then on. Two hundred thousand servers must fit
beside everything else, so of each only its host, its state and its protection are kept, and what is
the same for many is one object.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from itertools import islice

from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName, ServerId

SHARED_SIGHTINGS = 65_536
"""How many different ones are remembered to be shared: a few for each of ten thousand hosts."""
STOPS_KEPT = timedelta(hours=1)
"""So long it may take until what became of a stop is known: the API can be away."""
MOST_CHECKED = 1_000
"""So many servers are asked at most; further ones are not, in whatever order they were listed."""
MOST_STOPS = 10_000
"""More that stop in an hour are no accident of their hosts, and are left to people."""


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
    name: str = ""
    """Kept of the few that stopped, or are checked."""
    check: str = ""
    """Where its owner wants it to be asked, if anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An ACTIVE server whose owner names a check."""

    name: str
    host: HostName
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedSince:
    """A server that one sweep saw ACTIVE and the next one stopped, on the same host."""

    name: str
    host: HostName
    at: Instant
    """When the question was asked that showed it stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All servers, as far as they changed until `at`."""

    at: Instant
    """When the newest question was asked."""
    servers: Mapping[ServerId, Sighting] = field(default_factory=dict[ServerId, Sighting])
    by_host: Mapping[HostName, tuple[ServerId, ...]] = field(
        default_factory=dict[HostName, tuple[ServerId, ...]],
    )

    stopped: Mapping[ServerId, StoppedSince] = field(
        default_factory=dict[ServerId, StoppedSince],
    )
    """Protected servers that stopped while we watched, until they run again or `STOPS_KEPT` is over."""

    checked: Mapping[ServerId, Checked] = field(default_factory=dict[ServerId, Checked])
    """Protected servers that want to be asked."""

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
    rows = tuple(rows)
    newest = {row.id: row.seen for row in rows}
    new = {server: seen for server, seen in newest.items() if sweep.servers.get(server) != seen}
    checked = _checked(sweep, rows)
    stopped = _stopped(sweep, {row.id: row.name for row in rows}, new, at)
    if not new:
        return replace(sweep, at=at, stopped=stopped, checked=checked)
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
    return Sweep(at=at, servers=servers, by_host=by_host, stopped=stopped, checked=checked)


def _checked(sweep: Sweep, rows: Iterable[SweptServer]) -> Mapping[ServerId, Checked]:
    checked = dict(sweep.checked)
    for row in rows:
        seen = row.seen
        wanted = seen is not None and seen.is_protected and seen.vm_state == "active"
        if row.check and wanted and seen is not None and seen.host is not None:
            if row.id in checked or len(checked) < MOST_CHECKED:
                checked[row.id] = Checked(name=row.name, host=seen.host, check=row.check)
        else:
            checked.pop(row.id, None)
    return sweep.checked if checked == sweep.checked else checked


def _stopped(
    sweep: Sweep,
    names: Mapping[ServerId, str],
    new: Mapping[ServerId, Sighting | None],
    at: Instant,
) -> Mapping[ServerId, StoppedSince]:
    """Return who stopped while we watched: those from before who did nothing else since, and the new."""
    came = {
        server: StoppedSince(name=names[server], host=seen.host, at=at)
        for server, seen in new.items()
        if seen is not None
        and seen.host is not None
        and seen.vm_state == "stopped"
        and seen.is_protected
        and (before := sweep.servers.get(server)) is not None
        and (before.host, before.vm_state) == (seen.host, "active")
    }
    stay = {
        server: stop
        for server, stop in sweep.stopped.items()
        if server not in new and at.since(stop.at) < STOPS_KEPT
    }
    if not came and len(stay) == len(sweep.stopped):
        return sweep.stopped
    return stay | dict(islice(came.items(), max(0, MOST_STOPS - len(stay))))


def without_stop(sweep: Sweep, server: ServerId) -> Sweep:
    """Return the sweep without one stop: somebody wanted it."""
    stopped = {s: stop for s, stop in sweep.stopped.items() if s != server}
    return replace(sweep, stopped=stopped)


def _without(servers: tuple[ServerId, ...], left: Collection[ServerId]) -> tuple[ServerId, ...]:
    return tuple(s for s in servers if s not in left) if left else servers
