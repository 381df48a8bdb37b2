"""Whose turn it is: the order and the pace of evacuations, and where each goes.

The destination is named by us. Should the answer to a request be lost, the same request can then
be sent again to the same destination, where Nova refuses to start a second copy; and a burst
spreads over the hosts instead of piling up on one. Only a server on shared storage goes where Nova
sends it: until its record names its destination, it counts at every host that it may come to.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.judging.proof import why_host_not_proven_now
from koboshi.domain.judging.verdict import Network, Verdict
from koboshi.domain.memory.commands import Command, Evacuate
from koboshi.domain.memory.events import DataLossCommitted, Event, RecoveryMoved
from koboshi.domain.names import CellName, HostName, ServerId
from koboshi.domain.recoveries.fitting import in_order, in_turns
from koboshi.domain.recoveries.poison import is_suspect
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment
from koboshi.domain.recoveries.restart_order import RestartOrder
from koboshi.domain.recoveries.slots import Slots, all_recoveries, capacity_came
from koboshi.domain.rules import MAX_POSTS, NEWEST_SUSPECT_WAIT, WAITED_LONG

SURELY_SILENT = timedelta(seconds=2)
"""One probe that is lost is no suspicion."""
RECORDS_MAX_AGE = timedelta(seconds=10)
RETRY_AFTER = timedelta(seconds=2)
"""How long a server waits after a request that had no effect; doubled by each that follows."""
RETRY_AT_LEAST_EVERY = timedelta(seconds=30)


def plan(picture: Picture) -> Decision:
    """Return the evacuations to send now, round-robin over incidents."""
    if picture.why_not_acting or picture.world.api.failing_since is not None:
        return NOTHING
    queues = [q for q in (_queue(picture, i) for i in picture.state.open_incidents()) if q]
    slots, order = Slots(picture), RestartOrder(picture)
    events: list[Event] = []
    commands: list[Command] = []
    waits: dict[ServerId, Event] = {}
    turns = in_turns(queues, lambda waiting: _next(slots, order, waits, waiting), lambda: False)
    for incident, recovery, destination in turns:
        slots.take(recovery, destination)
        if told := order.event(recovery):
            events.append(told)
        events.extend(_committed_loss(recovery))
        commands.append(_command(picture, incident, recovery, destination))
    return Decision(events=(*events, *waits.values()), commands=tuple(commands))


def _queue(picture: Picture, incident: Incident) -> tuple[Incident, list[Recovery]] | None:
    """Return the servers of `incident` that may be sent now, in order; None when none may."""
    if incident.state is not IncidentState.RECOVERING:
        return None
    if picture.brake.brownouts.of(cell_of(incident.host, picture.world)):
        return None  # whoever answers now may answer anything
    if _is_suspicion_new(picture, cell_of(incident.host, picture.world)):
        return None  # it may be the first of several: none of them is a destination
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
    return (incident, _in_order(picture, incident, waiting)) if waiting else None


def _in_order(picture: Picture, incident: Incident, waiting: Sequence[Recovery]) -> list[Recovery]:
    """Return whose turn it is: who has waited long, then the classes by their weights."""
    known = picture.state.recoveries[incident.id].values()
    begun = Counter(r.candidate.priority for r in known if r.posts and r not in waiting)
    suspects = [r for r in waiting if is_suspect(picture.state, r.server)]
    waiting = [r for r in waiting if r not in suspects]
    late = [r for r in waiting if picture.now.since(r.seen_at) > WAITED_LONG]
    soon = [r for r in waiting if r not in late]
    return [
        *in_order(late, lambda r: r.candidate, {}),
        *in_order(soon, lambda r: r.candidate, begun),
        *in_order(suspects, lambda r: r.candidate, {}),
    ]


def _is_suspicion_new(picture: Picture, cell: CellName) -> bool:
    """Return whether a host of the cell fell silent a moment ago."""
    for host in picture.restless:
        judgement, probe = picture.judgements[host], picture.world.probes.get(host)
        if (
            judgement.verdict is Verdict.SUSPECT
            and judgement.network in {Network.QUIET, Network.SILENT}
            and probe is not None
            and probe.silent_since is not None
            and SURELY_SILENT <= picture.now.since(probe.silent_since) < NEWEST_SUSPECT_WAIT
            and cell_of(host, picture.world) == cell
        ):
            return True
    return False


def retry_after(recovery: Recovery) -> timedelta:
    """Return how long the server waits before its next request."""
    if recovery.refusals == 0:
        return timedelta()
    doubled: timedelta = RETRY_AFTER * 2 ** min(recovery.refusals - 1, 10)
    return min(doubled, RETRY_AT_LEAST_EVERY)


def _next(
    slots: Slots, order: RestartOrder, waits: dict[ServerId, Event], waiting: Sequence[Recovery]
) -> tuple[Recovery, HostName] | None:
    """Return who goes next, and where to; note in `waits` who could, and must wait for others."""
    for recovery in waiting:
        held = order.holds(recovery)
        told = order.event(recovery) if held else None
        if recovery.server in waits or (held and told is None):
            continue
        destination = slots.destination_for(recovery)
        if destination is None:
            continue
        if told is None:
            return recovery, destination
        waits[recovery.server] = told
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
    """Return who finds no room, at once and with the reason, and who may try because there is some."""
    events: list[Event] = []
    slots = Slots(picture)
    for recovery in all_recoveries(picture):
        state = picture.state.incidents[recovery.incident].state
        if recovery.state is RecoveryState.QUEUED and state is IncidentState.RECOVERING:
            if why := slots.why_nowhere(recovery):
                events.append(_moved(recovery, RecoveryState.GIVEN_UP, why))
        elif (
            recovery.state is RecoveryState.GIVEN_UP
            and state in {IncidentState.RECOVERING, IncidentState.SETTLED, IncidentState.PARKED}
            and _may_try_again(picture, recovery)
            and slots.destination_for(recovery)
        ):
            events.append(_moved(recovery, RecoveryState.QUEUED, "a host can take it now"))
    return Decision(events=tuple(events))


def _may_try_again(picture: Picture, recovery: Recovery) -> bool:
    """Return whether it has tries left, or a host has opened since Nova found none for it."""
    came = recovery.no_host_found and capacity_came(picture, recovery.candidate.shape)
    return recovery.posts < MAX_POSTS or came


def _moved(recovery: Recovery, to: RecoveryState, reason: str) -> RecoveryMoved:
    return RecoveryMoved(incident=recovery.incident, server=recovery.server, to=to, reason=reason)
