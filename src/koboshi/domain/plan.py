"""Whose turn it is: the order and the pace of evacuations, and where each goes.

The destination is named by us. Should the answer to a request be lost, the same request can then
be sent again to the same destination, where Nova refuses to start a second copy; and a burst
spreads over the hosts instead of piling up on one. Only a server on shared storage goes where Nova
sends it: until its record names its destination, it counts at every host that it may come to.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from koboshi.domain.cells import cell_of
from koboshi.domain.cloud import Room
from koboshi.domain.commands import Command, Evacuate
from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.events import DataLossCommitted, Event, RecoveryMoved
from koboshi.domain.fitting import (
    has_slot,
    in_turns,
    lacks,
    left_of,
    preference,
    turn_key,
    why_not_there,
)
from koboshi.domain.incident import Incident, IncidentState
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.proof import why_host_not_proven_now
from koboshi.domain.recovery import HOLDS_A_SLOT, ON_ITS_WAY, Recovery, RecoveryState, Treatment
from koboshi.domain.rules import MAX_POSTS
from koboshi.domain.shared_storage import hosts_of
from koboshi.domain.verdict import Control, Network

ROOM_MAX_AGE = timedelta(seconds=15)
RECORDS_MAX_AGE = timedelta(seconds=10)
RETRY_AFTER = timedelta(seconds=2)
"""How long a server waits after a request that had no effect; doubled by each that follows."""
RETRY_AT_LEAST_EVERY = timedelta(seconds=30)


def _all_recoveries(picture: Picture) -> Iterator[Recovery]:
    for incident in picture.state.open_incidents():
        yield from picture.state.recoveries.get(incident.id, {}).values()


class Pace:
    """The room that is left on each destination and in the window, within one look."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        held = [r for r in _all_recoveries(picture) if r.state in HOLDS_A_SLOT]
        # One that is stuck weighs on its destination only: the others must not wait for a person.
        self._moving = [r for r in held if r.state is not RecoveryState.STUCK]
        landed = (ON_ITS_WAY - HOLDS_A_SLOT) | {RecoveryState.DONE}
        self._arrived = [r for r in _all_recoveries(picture) if r.state in landed]
        self._onto: Counter[HostName] = Counter()
        self._rebuilds: Counter[HostName] = Counter()
        self._placed: dict[ServerId, HostName] = {}
        for recovery in _all_recoveries(picture):
            if recovery.destination and recovery.state in HOLDS_A_SLOT | ON_ITS_WAY | {
                RecoveryState.DONE
            }:
                self._placed[recovery.server] = recovery.destination
        for recovery in held:
            self._count(recovery, recovery.destination)
        self._left = picture.rules.window - len(self._moving)

    def _count(self, recovery: Recovery, destination: HostName | None) -> None:
        for host in (destination,) if destination else self._sharing(recovery):
            self._onto[host] += 1
            if recovery.candidate.treatment is Treatment.REBUILD:
                self._rebuilds[host] += 1

    def _sharing(self, recovery: Recovery) -> frozenset[HostName]:
        """Return the hosts that share the storage of a server's local disks."""
        storage = recovery.candidate.storage
        return hosts_of(storage, self._picture.world) if storage else frozenset()

    def is_full(self) -> bool:
        """Return whether the window is full."""
        return self._left <= 0

    def is_busy(self) -> bool:
        """Return whether anything is on its way: it may leave room behind."""
        return bool(self._moving)

    def take(self, recovery: Recovery, destination: HostName) -> None:
        """Reserve a place for `recovery` on `destination`, or wherever Nova may send it."""
        self._moving.append(recovery)
        if recovery.candidate.storage:
            self._count(recovery, None)
        else:
            self._count(recovery, destination)
            self._placed[recovery.server] = destination
        self._left -= 1

    def destination_for(self, recovery: Recovery) -> HostName | None:
        """Return where `recovery` should go; None when nowhere is known to be right now."""
        if any(r.server in recovery.candidate.separate_from for r in self._moving):
            return None  # one of an anti-affinity group at a time: Nova checks too late
        rooms = [r for r in self._rooms(recovery) if self._suits(recovery, r)]
        best = min(rooms, key=lambda r: preference(r, self._onto), default=None)
        return best.host if best else None

    def _rooms(self, recovery: Recovery) -> Iterable[Room]:
        read = self._picture.world.room.get(recovery.candidate.demand)
        if read is None or self._picture.now.since(read.at) > ROOM_MAX_AGE:
            return ()
        return read.rooms

    def _suits(self, recovery: Recovery, room: Room) -> bool:
        host, candidate = room.host, recovery.candidate
        if host in recovery.failed_destinations or not self._is_fresh(recovery, host):
            return False
        if recovery.pinned not in {None, host}:
            return False
        if not has_slot(candidate, self._onto[host], self._rebuilds[host], self._picture.rules):
            return False
        zone = self._picture.world.services[host].service.zone
        apart_from = (self._host_of(other) for other in candidate.separate_from)
        sharing = self._sharing(recovery)
        if why_not_there(candidate, host=host, zone=zone, apart_from=apart_from, sharing=sharing):
            return False
        return self._fits(recovery, room)

    def _host_of(self, server: ServerId) -> HostName | None:
        if server in self._placed:
            return self._placed[server]
        sweep = self._picture.world.sweep
        return sweep.host_of(server) if sweep else None

    def _is_fresh(self, recovery: Recovery, host: HostName) -> bool:
        """Return whether `host` is seen alive by two fate groups and takes servers."""
        judgement = self._picture.judgements.get(host)
        source = self._picture.state.incidents[recovery.incident].host
        if judgement is None or host == source or self._picture.state.open_incident(host):
            return False
        service = self._picture.world.services[host].service
        return (
            judgement.network in {Network.USERLAND, Network.KERNEL}
            and judgement.control is Control.FRESH
            and service.enabled
            and not service.forced_down
        )

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


def plan(picture: Picture) -> Decision:
    """Return the evacuations to send now, round-robin over incidents."""
    if picture.why_not_acting or picture.world.api.failing_since is not None:
        return NOTHING
    queues = [q for q in (_queue(picture, i) for i in picture.state.open_incidents()) if q]
    pace = Pace(picture)
    events: list[Event] = []
    commands: list[Command] = []
    turns = in_turns(queues, lambda waiting: _next(pace, waiting), pace.is_full)
    for incident, recovery, destination in turns:
        pace.take(recovery, destination)
        events.extend(_committed_loss(recovery))
        commands.append(_command(picture, incident, recovery, destination))
    return Decision(events=tuple(events), commands=tuple(commands))


def _queue(picture: Picture, incident: Incident) -> tuple[Incident, list[Recovery]] | None:
    """Return the servers of `incident` that may be sent now, in order; None when none may."""
    if incident.state is not IncidentState.RECOVERING:
        return None
    if picture.brake.brownouts.of(cell_of(incident.host, picture.world)):
        return None  # whoever answers now may answer anything
    read = picture.world.from_host.get(incident.host)
    if read is None or picture.now.since(read.at) > RECORDS_MAX_AGE:
        return None
    if why_host_not_proven_now(incident, picture.world, picture.now):
        return None
    waiting = [
        r
        for r in picture.state.recoveries.get(incident.id, {}).values()
        if r.state is RecoveryState.QUEUED
        and r.posts < MAX_POSTS
        and picture.now.since(r.moved_at) >= retry_after(r)
        and not picture.state.is_busy(f"server:{r.server}")
    ]
    return (incident, sorted(waiting, key=lambda r: turn_key(r.candidate))) if waiting else None


def retry_after(recovery: Recovery) -> timedelta:
    """Return how long the server waits before its next request."""
    if recovery.refusals == 0:
        return timedelta()
    doubled: timedelta = RETRY_AFTER * 2 ** min(recovery.refusals - 1, 10)
    return min(doubled, RETRY_AT_LEAST_EVERY)


def _next(pace: Pace, waiting: Sequence[Recovery]) -> tuple[Recovery, HostName] | None:
    for recovery in waiting:
        destination = pace.destination_for(recovery)
        if destination is not None:
            return recovery, destination
    return None


def _committed_loss(recovery: Recovery) -> Iterator[Event]:
    candidate = recovery.candidate
    if candidate.treatment is Treatment.REBUILD and not recovery.data_loss_committed:
        yield DataLossCommitted(
            incident=recovery.incident,
            server=recovery.server,
            disks=candidate.local_disks,
            policy=candidate.reason,
        )


def _command(
    picture: Picture, incident: Incident, recovery: Recovery, destination: HostName
) -> Evacuate:
    records = picture.world.from_host[incident.host].records
    its_own = [r for r in records if r.server == recovery.server]
    isolation = incident.isolation
    return Evacuate(
        id=picture.new_command_id(incident, f"evacuate-{recovery.server}"),
        incident=incident.id,
        host=incident.host,
        server=recovery.server,
        destination=None if recovery.candidate.storage else destination,
        rebuilds=recovery.candidate.treatment is Treatment.REBUILD,
        known_records=frozenset(r.id for r in its_own),
        open_records=frozenset(r.id for r in its_own if r.is_open),
        baseline=isolation.baseline if isolation else None,
    )


def give_up_without_room(picture: Picture) -> Decision:
    """Return who waits for room in vain, and who may try again because there is room now."""
    events: list[Event] = []
    pace = Pace(picture)
    for recovery in _all_recoveries(picture):
        state = picture.state.incidents[recovery.incident].state
        if (
            recovery.state is RecoveryState.QUEUED
            and state is IncidentState.RECOVERING
            and picture.now.since(recovery.moved_at) > picture.rules.stuck_after
            and not pace.is_busy()
            and pace.destination_for(recovery) is None
        ):
            events.append(_moved(recovery, RecoveryState.GIVEN_UP, "no host can take it"))
        elif (
            recovery.state is RecoveryState.GIVEN_UP
            and state in {IncidentState.RECOVERING, IncidentState.SETTLED}
            and recovery.posts < MAX_POSTS
            and pace.destination_for(recovery)
        ):
            events.append(_moved(recovery, RecoveryState.QUEUED, "a host can take it now"))
    return Decision(events=tuple(events))


def _moved(recovery: Recovery, to: RecoveryState, reason: str) -> RecoveryMoved:
    return RecoveryMoved(incident=recovery.incident, server=recovery.server, to=to, reason=reason)
