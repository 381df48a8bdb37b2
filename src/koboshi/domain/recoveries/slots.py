"""What is left on each destination and in the window, and who may go where, within one look."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Room
from koboshi.domain.facts.shared_storage import hosts_of
from koboshi.domain.judging.verdict import Control, Network, Verdict
from koboshi.domain.names import CellName, HostName, ServerId
from koboshi.domain.recoveries.apart import hosts_apart_from, read_by_id, waits_for_partners
from koboshi.domain.recoveries.fitting import (
    has_busy_backend,
    has_slot,
    lacks,
    left_of,
    preference,
    why_not_there,
)
from koboshi.domain.recoveries.poison import is_suspect, why_nowhere_any_more
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.recoveries.recovery import (
    HOLDS_A_SLOT,
    ON_ITS_WAY,
    Recovery,
    RecoveryState,
    Shape,
    Treatment,
)
from koboshi.domain.rules import NO_HOST_WAIT

ROOM_MAX_AGE = timedelta(seconds=15)
AT_MOST_REASONS = 3


def all_recoveries(picture: Picture) -> Iterator[Recovery]:
    """Return the recoveries of every open incident, oldest incident first."""
    for incident in picture.state.open_incidents():
        yield from picture.state.recoveries.get(incident.id, {}).values()


def is_closed(picture: Picture, host: HostName) -> bool:
    """Return whether `host` takes no servers, and that is known: somebody's will, or its own failure."""
    service = picture.world.services[host].service
    has_failed = picture.state.open_incident(host) is not None
    return has_failed or service.forced_down or not service.enabled


def is_open(picture: Picture, host: HostName) -> bool:
    """Return whether `host` is seen alive by two fate groups and takes servers.

    Its Neutron agents speak for the host, and not for its nova-compute, which would have to build them.
    """
    judgement = picture.judgements.get(host)
    return (
        judgement is not None
        and judgement.network in {Network.USERLAND, Network.KERNEL}
        and judgement.control is Control.FRESH
        and judgement.verdict is Verdict.UP
        and not is_closed(picture, host)
    )


def open_hosts(picture: Picture, shape: Shape) -> frozenset[HostName]:
    """Return the hosts that have room for a shape by Placement's account, and take servers."""
    read = picture.world.room.get(shape.demand)
    return frozenset(r.host for r in (read.rooms if read else ()) if is_open(picture, r.host))


def capacity_came(picture: Picture, shape: Shape) -> bool:
    """Return whether a host has opened since Nova last found none for a shape."""
    full = picture.state.full.get(shape)
    return full is not None and bool(open_hosts(picture, shape) - full.open_hosts)


def waits_for_capacity(picture: Picture, shape: Shape) -> bool:
    """Return whether a shape waits, because Nova found no host for one of it.

    NoValidHost turns an ACTIVE server into ERROR; its like would fare no better.
    """
    full = picture.state.full.get(shape)
    waited = full is not None and picture.now.since(full.at) >= NO_HOST_WAIT
    return full is not None and not waited and not capacity_came(picture, shape)


class Slots:
    """The room that is left on each destination and in the window, within one look."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        held = [r for r in all_recoveries(picture) if r.state in HOLDS_A_SLOT]
        # One that is stuck weighs on its destination only: the others must not wait for a person.
        self._moving = [r for r in held if r.state is not RecoveryState.STUCK]
        landed = (ON_ITS_WAY - HOLDS_A_SLOT) | {RecoveryState.DONE}
        self._arrived = [r for r in all_recoveries(picture) if r.state in landed]
        self._onto: Counter[HostName] = Counter()
        self._rebuilds: Counter[HostName] = Counter()
        self._placed: dict[ServerId, HostName] = {}
        self._stranded = frozenset(r.server for r in all_recoveries(picture))
        for recovery in all_recoveries(picture):
            if recovery.destination and recovery.state in HOLDS_A_SLOT | ON_ITS_WAY | {
                RecoveryState.DONE
            }:
                self._placed[recovery.server] = recovery.destination
        for recovery in held:
            self._count(recovery, recovery.destination)
        self._windows: dict[CellName, int] = {}
        self._on_their_way = Counter(self._cell_of(r) for r in self._moving)
        self._backends = Counter(b for r in self._moving for b in r.candidate.backends)

    def _count(self, recovery: Recovery, destination: HostName | None) -> None:
        for host in (destination,) if destination else self._sharing(recovery):
            self._onto[host] += 1
            if recovery.candidate.treatment is Treatment.REBUILD:
                self._rebuilds[host] += 1

    def _sharing(self, recovery: Recovery) -> frozenset[HostName]:
        """Return the hosts that share the storage of a server's local disks."""
        storage = recovery.candidate.storage
        return hosts_of(storage, self._picture.world) if storage else frozenset()

    def _cell_of(self, recovery: Recovery) -> CellName:
        return cell_of(self._picture.state.incidents[recovery.incident].host, self._picture.world)

    def window(self, cell: CellName) -> int:
        """Return how many may be on their way in a cell: no more than its hosts can take at once."""
        if cell not in self._windows:
            self._windows[cell] = self._found_window(cell)
        return self._windows[cell]

    def _found_window(self, cell: CellName) -> int:
        picture, rules = self._picture, self._picture.rules
        found = picture.windows.get(cell)
        size = found.size if found else rules.window
        if size <= rules.window:
            return size  # few destinations are bounded by what each of them takes
        of_cell = (h for h in picture.judgements if cell_of(h, picture.world) == cell)
        fresh = sum(is_open(picture, h) for h in of_cell)
        return max(rules.window, min(size, rules.per_destination * fresh))

    def has_room_in_window(self, recovery: Recovery) -> bool:
        """Return whether one more of its cell may be on its way."""
        cell = self._cell_of(recovery)
        return self._on_their_way[cell] < self.window(cell)

    def take(self, recovery: Recovery, destination: HostName) -> None:
        """Reserve a place for `recovery` on `destination`, or wherever Nova may send it."""
        self._moving.append(recovery)
        if recovery.candidate.storage:
            self._count(recovery, None)
        else:
            self._count(recovery, destination)
            self._placed[recovery.server] = destination
        self._on_their_way[self._cell_of(recovery)] += 1
        self._backends.update(recovery.candidate.backends)

    def destination_for(self, recovery: Recovery) -> HostName | None:
        """Return where `recovery` should go; None when nowhere is known to be right now."""
        if not self.has_room_in_window(recovery):
            return None
        if has_busy_backend(recovery.candidate, self._backends, self._picture.rules):
            return None
        if is_suspect(self._picture.state, recovery.server) and not self._may_be_alone(recovery):
            return None
        if any(r.server in recovery.candidate.separate_from for r in self._moving):
            return None  # one of an anti-affinity group at a time: Nova checks too late
        if waits_for_partners(self._picture, recovery, self._stranded):
            return None
        if self._waits_for_the_first(recovery):
            return None
        if waits_for_capacity(self._picture, recovery.candidate.shape):
            return None
        rooms = [r for r in self._rooms(recovery) if self._suits(recovery, r)]
        failed = recovery.failed_destinations
        best = min(rooms, key=lambda r: (r.host in failed, preference(r, self._onto)), default=None)
        return best.host if best else None

    def _waits_for_the_first(self, recovery: Recovery) -> bool:
        """Return whether a first server of its shared storage is out to see if that is true.

        A refusal leaves a server in ERROR: a false declaration shall cost one, and not a window of them.
        """

        def is_like_it(other: Recovery) -> bool:
            same_storage = other.candidate.storage == recovery.candidate.storage
            return same_storage and other.incident == recovery.incident

        if not recovery.candidate.storage or any(map(is_like_it, self._arrived)):
            return False
        return any(map(is_like_it, self._moving))

    def _rooms(self, recovery: Recovery) -> Iterable[Room]:
        read = self._picture.world.room.get(recovery.candidate.demand)
        if read is None or self._picture.now.since(read.at) > ROOM_MAX_AGE:
            return ()
        return read.rooms

    def _suits(self, recovery: Recovery, room: Room) -> bool:
        host = room.host
        source = self._picture.state.incidents[recovery.incident].host
        if host == source or not is_open(self._picture, host):
            return False
        rules, onto = self._picture.rules, self._onto[host]
        if not has_slot(recovery.candidate, onto, self._rebuilds[host], rules):
            return False
        if self._is_kept_apart(recovery, host):
            return False
        return self._why_not(recovery, host) is None and self._fits(recovery, room)

    def _may_be_alone(self, recovery: Recovery) -> bool:
        """Return whether all others had their turn, and no other suspect is on its way."""
        state = self._picture.state
        if why_nowhere_any_more(state, recovery.server):
            return False
        waiting = (
            r
            for r in all_recoveries(self._picture)
            if r.state is RecoveryState.QUEUED and not r.waits_for_others
        )
        return all(is_suspect(state, r.server) for r in waiting) and not any(
            is_suspect(state, r.server) for r in self._moving
        )

    def _is_kept_apart(self, recovery: Recovery, host: HostName) -> bool:
        """Return whether a server that may kill its host would endanger others there, or be so."""
        state = self._picture.state
        if is_suspect(state, recovery.server):
            return self._onto[host] > 0 or host in self._critical_hosts()
        return any(is_suspect(state, r.server) and self._may_be_on(r, host) for r in self._moving)

    def _critical_hosts(self) -> frozenset[HostName]:
        """Return the hosts that received critical servers."""
        return frozenset(
            host
            for r in all_recoveries(self._picture)
            if r.candidate.priority is Priority.CRITICAL and (host := self._placed.get(r.server))
        )

    def _seen_by_sweep(self, server: ServerId) -> HostName | None:
        sweep = self._picture.world.sweep
        return sweep.host_of(server) if sweep else None

    def _may_try(self, recovery: Recovery, host: HostName) -> bool:
        """Return whether nothing of what happened before speaks against the host.

        Where Nova found no host, nothing has failed on the one that was named.
        """
        has_failed = host in recovery.failed_destinations and not recovery.no_host_found
        return not has_failed and recovery.pinned in {None, host}

    def _why_not(self, recovery: Recovery, host: HostName) -> str | None:
        """Return which rule keeps the server from a host for longer than a moment."""
        if not self._may_try(recovery, host):
            return "tried before"
        candidate = recovery.candidate
        zone = self._picture.world.services[host].service.zone
        apart_from = hosts_apart_from(
            candidate, self._placed.get, self._seen_by_sweep, partial(read_by_id, self._picture)
        )
        sharing = self._sharing(recovery)
        return why_not_there(
            candidate, host=host, zone=zone, apart_from=apart_from, sharing=sharing
        )

    def why_nowhere(self, recovery: Recovery) -> str | None:
        """Return for want of what no host takes the server, however many slots are free.

        None while one could, or while it is not known.
        """
        if why := why_nowhere_any_more(self._picture.state, recovery.server):
            return why
        read = self._picture.world.room.get(recovery.candidate.demand)
        if read is None or self._picture.now.since(read.at) > ROOM_MAX_AGE:
            return None
        source = self._picture.state.incidents[recovery.incident].host
        rooms = {room.host: room for room in read.rooms}
        waited_long = self._picture.now.since(recovery.moved_at) > self._picture.rules.stuck_after
        reasons: Counter[str] = Counter()
        for host in self._picture.world.services:
            if host == source or is_closed(self._picture, host):
                continue
            if not is_open(self._picture, host):
                if not waited_long:
                    return None  # not heard for a moment, or not yet
                continue
            why = self._why_not(recovery, host)
            if why is None and host in rooms and self._fits(recovery, rooms[host]):
                return None
            reasons[why or "too little room"] += 1
        if not reasons:
            return "no other host takes servers now"
        told = ", ".join(f"{why} ({n})" for why, n in reasons.most_common(AT_MOST_REASONS))
        return f"none of {reasons.total()} other hosts can take it: {told}"

    def _fits(self, recovery: Recovery, room: Room) -> bool:
        """Return whether the demand still fits beside what went there since the room was read."""
        demand = recovery.candidate.demand
        read_at = self._picture.world.room[demand].at
        arrived = [r for r in self._arrived if r.moved_at.is_after(read_at)]
        others = [r for r in (*self._moving, *arrived) if self._may_be_on(r, room.host)]
        return not lacks(demand, left_of(room, (r.candidate.demand for r in others)))

    def _may_be_on(self, recovery: Recovery, host: HostName) -> bool:
        placed = self._placed.get(recovery.server)
        return placed == host or (placed is None and host in self._sharing(recovery))
