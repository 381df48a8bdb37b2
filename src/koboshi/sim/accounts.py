"""What became of every host and server once the troubles are over, and whether that is all right.

What policy and physics allow to be recovered must be recovered by then; everything else must be
accounted for, with a reason that the world's truth bears out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from koboshi.domain.facts.cloud import ComputeService, Power, Server
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment
from koboshi.domain.rules import MAX_POSTS, Mode
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import AUTO
from koboshi.sim.coming_home import HOMEWARD, comes_home, why_left_to_a_person
from koboshi.sim.invariants import Judge
from koboshi.sim.requests import MOST_DEATHS
from koboshi.sim.stopped_alone import stops_at_the_end
from koboshi.sim.truth import By

_I = IncidentState
_R = RecoveryState

ON_THE_WAY = frozenset(
    {
        _I.CONFIRMED,
        _I.FENCING,
        _I.PROVEN,
        _I.ISOLATING,
        _I.RECOVERING,
        _I.SOURCE_BACK,
    }
)
MOVING = frozenset(
    {_R.QUEUED, _R.POSTING, _R.UNKNOWN, _R.BUILDING, _R.CONFIRMING, _R.SETTLING},
)
SHORT_S = 60.0
TOLD_WITHIN = timedelta(minutes=25)
"""Ten until nobody can be working on a record, and two looks, of which one may fail."""
AT_REST = frozenset({_I.SETTLED, _I.PARKED})
"""The host is off, and nothing of it is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How things stand when a play ends."""

    now_s: float
    fenced: frozenset[HostName]
    """Hosts for which Koboshi has a power device."""
    protected: frozenset[HostName]


def is_quiet(judge: Judge) -> bool:
    """Return whether nothing is on its way: no incident and no server will go on by itself."""
    return not any(_goes_on(judge, i) for i in judge.state.open_incidents())


def _goes_on(judge: Judge, incident: Incident) -> bool:
    """Return whether an incident goes on by itself; what waits for Nova or a person does not."""
    recoveries = judge.state.recoveries.get(incident.id, {}).values()
    waits = [r for r in recoveries if r.state is _R.STUCK or _waits_for_others(judge, incident, r)]
    if any(r.state in MOVING and r not in waits for r in recoveries):
        return True
    return (incident.state in ON_THE_WAY and not waits) or comes_home(judge, incident)


def _waits_for_others(judge: Judge, incident: Incident, recovery: Recovery) -> bool:
    """Return whether a server cannot be sent now, and a person was told.

    Its host's death is proven no more (that incident is judged by itself), or somebody works on it.
    """
    row = judge.world.cloud.servers_by_id.get(recovery.server)
    told = (incident.host, "recovery_stalled") in judge.state.notices
    busy = row is not None and row.task_state is not None and told
    left = incident.state in {_I.UNPROVEN, _I.NEEDS_HUMAN}
    return recovery.state is _R.QUEUED and (busy or left)


def close(judge: Judge, closing: Closing) -> None:
    """Tell the judge's breaches of what is neither recovered nor accounted for."""
    for rule, facts in _all(judge, closing):
        judge.tell(rule, facts)


def _all(judge: Judge, closing: Closing) -> Iterator[tuple[Rule, str]]:
    for host in judge.world.physics.hosts:
        if host in closing.protected:
            yield from _host(judge, closing, host)
    yield from stops_at_the_end(judge, closing.now_s)
    yield from _left_open(judge)
    for incident in judge.state.incidents.values():
        for recovery in judge.state.recoveries.get(incident.id, {}).values():
            yield from _server(judge, incident, recovery)


def _left_open(judge: Judge) -> Iterator[tuple[Rule, str]]:
    """Judge that a person was told of each evacuation record on which nobody works any more."""
    cloud = judge.world.cloud
    followed = {
        r.server
        for i in judge.state.open_incidents()
        for r in judge.state.recoveries.get(i.id, {}).values()
        if r.state in MOVING | {_R.STUCK}
    }
    told = {topic for _, topic in judge.state.notices}
    for record in cloud.records:
        row, stamp = cloud.servers_by_id.get(record.server), record.updated_at or record.created_at
        at_work = row is not None and (row.task_state or "").startswith("rebuild")
        if (
            not (record.is_evacuation and record.is_open)
            or row is None
            or at_work
            or record.server in followed
            or stamp is None
            or cloud.nova_now() - stamp < TOLD_WITHIN
        ):
            continue
        if f"stale_record/{record.id}" not in told:
            facts = f"record {record.id} of {row.id}, {record.status}, was left open"
            yield Rule.UNACCOUNTED, f"{facts}, and nothing is said of it"


def _host(judge: Judge, closing: Closing, host: HostName) -> Iterator[tuple[Rule, str]]:
    machine = judge.world.physics.hosts[host]
    incident = judge.state.open_incident(host)
    if incident is not None:
        if why := _why_not_there(judge, closing, incident):
            yield Rule.UNFINISHED, f"{host} is {incident.state} ({incident.reason}): {why}"
        elif machine.power or incident.state not in AT_REST:
            return
        known = judge.state.recoveries.get(incident.id, {})
        missed = sorted(s.id for s in _on(judge, host) if s.id not in known)
        if missed and incident.state in AT_REST:
            yield Rule.UNACCOUNTED, f"{', '.join(missed)} of {host} is in no list of its incident"
        return
    silent_s = closing.now_s - judge.world.probe.dark_since.get(host, closing.now_s)
    if machine.power or silent_s < SHORT_S or not _on(judge, host):
        return
    if host in judge.state.found_down or _is_out_of_service(judge.world.cloud.row(host)):
        return
    noticed = [topic for h, topic in judge.state.notices if h == host]
    if not noticed:
        yield Rule.UNACCOUNTED, f"{host} is dead for {silent_s:.0f} s, and nothing is said of it"


def _on(judge: Judge, host: HostName) -> list[Server]:
    return [s for s in judge.world.cloud.servers_by_id.values() if s.host == host]


def _is_out_of_service(row: ComputeService) -> bool:
    """Return whether the row is somebody's doing: a dead host that they know of."""
    automatic = (row.disabled_reason or "").startswith(AUTO)
    return row.forced_down or (not row.enabled and not automatic)


def _why_not_there(judge: Judge, closing: Closing, incident: Incident) -> str | None:
    """Return why an incident should have gone on; None where it may stand as it does."""
    host = incident.host
    touched = host in judge.edited_by_others or _others_work_there(judge, host)
    came_back = judge.switched_on_s.get(host, -1.0) >= judge.opened_s[incident.id]
    match incident.state:
        case state if state in ON_THE_WAY:
            return None if not _goes_on(judge, incident) else "it must have come to an end by now"
        case state if state in HOMEWARD:
            return None if not comes_home(judge, incident) else "it must be home by now"
        case _I.WOULD_ACT:
            return None if judge.rules.mode is Mode.OBSERVE else "it may act"
        case _I.HELD:
            return None if _holds_back(judge, closing, host) else "nothing holds it back any more"
        case _I.UNPROVEN:
            if host not in closing.fenced or judge.state.devices.distrusted(host):
                return None
            if _another_fell(judge, host):
                return None  # its device may be the other's: a person was told
            off = not judge.world.physics.hosts[host].power
            return "its power reads off, and its BMC works" if off else None
        case _I.NEEDS_HUMAN:
            lives = host in judge.world.probe.heard and host not in judge.world.probe.dark_since
            known = host not in closing.fenced or touched or came_back or lives
            beats = "again and again" in incident.reason
            deaf = judge.world.fences[host].is_silent
            stands = judge.may_not_act() or judge.state.devices.distrusted(host) or deaf
            left = why_left_to_a_person(judge, incident) or _is_not_taken(judge, incident)
            return None if known or beats or stands or left else "nobody had touched it"
        case _I.FOREIGN:
            return None if touched else "nobody else had touched it"
        case _:
            return None


def _is_not_taken(judge: Judge, incident: Incident) -> bool:
    """Return whether Nova would still not force the dead host down."""
    return incident.isolation is None and judge.world.cloud.line.spoils("isolate") is not None


def _another_fell(judge: Judge, host: HostName) -> bool:
    """Return whether another host fell silent so soon after our *off* that it may have been hit."""
    fenced_s = judge.fenced_s.get(host)
    return fenced_s is not None and any(
        other != host and 0 <= since_s - fenced_s < SHORT_S
        for other, since_s in judge.fell_silent_s.items()
    )


def _others_work_there(judge: Judge, host: HostName) -> bool:
    """Return whether somebody else moved a server of the host, or had begun to."""
    ours = {r.record for of in judge.requests.values() for r in of if r.by is By.KOBOSHI}
    return any(r.source == host and r.id not in ours for r in judge.world.cloud.records)


def _holds_back(judge: Judge, closing: Closing, host: HostName) -> bool:
    """Return whether the brake has a reason: another incident, another host that is not well."""
    memory_s = judge.rules.incident_memory.total_seconds() + SHORT_S
    recent = any(
        i.host != host and closing.now_s - judge.opened_s[i.id] < memory_s
        for i in judge.state.incidents.values()
    )
    others = [m for m in judge.world.physics.hosts.values() if m.name != host]
    unwell = any(not m.reports for m in others)
    swapped = any(other != host for other, _ in judge.state.devices.quarantined)
    return recent or unwell or swapped or len(others) == 1 or _is_of_two(judge, closing, host)


def _is_of_two(judge: Judge, closing: Closing, host: HostName) -> bool:
    """Return whether at most one other host is in service, and no device reads this one off."""
    counted = [
        m.name
        for m in judge.world.physics.hosts.values()
        if m.name != host and not judge.is_others(judge.world.cloud.row(m.name))
    ]
    reads_off = host in closing.fenced and not judge.world.physics.hosts[host].power
    return not counted or (len(counted) == 1 and not reads_off)


def _server(judge: Judge, incident: Incident, recovery: Recovery) -> Iterator[tuple[Rule, str]]:
    if recovery is not _newest(judge, recovery):
        return
    row = judge.world.cloud.servers_by_id.get(recovery.server)
    if why := _why_not_well(judge, incident, recovery, row):
        said = f"{recovery.server} of {incident.host} is {recovery.state} ({recovery.reason})"
        yield Rule.UNFINISHED, f"{said}: {why}"


def _newest(judge: Judge, recovery: Recovery) -> Recovery:
    of = [r[recovery.server] for r in judge.state.recoveries.values() if recovery.server in r]
    return of[-1]


def _why_not_well(
    judge: Judge, incident: Incident, recovery: Recovery, row: Server | None
) -> str | None:
    """Return why a server's recovery should have ended otherwise; None where it is all right."""
    if row is None:
        return None
    records = judge.world.cloud.records_of(recovery.server)
    evacuations = [r for r in records if r.is_evacuation]
    others = len(evacuations) > len(
        [r for r in judge.requests.get(recovery.server, ()) if r.by is By.KOBOSHI]
    )
    match recovery.state:
        case state if state in MOVING:
            waits = _waits_for_others(judge, incident, recovery)
            return None if waits else "it must have come to an end by now"
        case _R.DONE:
            return _why_not_up(judge, recovery, row)
        case _R.GONE:
            return "it is where it was" if row.host == incident.host and not others else None
        case _R.HELD:
            return _why_not_held(judge, incident, recovery, row)
        case _R.GIVEN_UP:
            return _why_not_given_up(judge, incident, recovery, row)
        case _R.STUCK:
            at_work = any(r.is_open for r in evacuations) or not evacuations
            # A request of its owner's that waits for the dead host: Nova shows it until then.
            asked = row.task_state is not None and not row.task_state.startswith("rebuild")
            runs = judge.world.physics.where(row.id)
            return None if at_work or asked or runs != (row.host,) else f"it runs on {row.host}"
        case _R.ORPHAN_SUSPECTED:
            words = ("already exists", "task_state", "task state", "without a word")
            told = any(word in recovery.reason.lower() for word in words)
            known = len(evacuations) > 1 or others or told or "without a fault" in recovery.reason
            return None if known else "no copy of it can be anywhere"
        case _R.FOREIGN:
            return None if others or len(records) > len(evacuations) else "nobody else moved it"
        case _:
            return None


def _why_not_up(judge: Judge, recovery: Recovery, row: Server) -> str | None:
    if recovery.candidate.vm_state != "active" or row.vm_state != "active":
        return None  # stopped as it was, or by its owner since
    if row.host is None or not judge.world.physics.hosts[row.host].power:
        return None  # the incident of the host that it is on now answers for it
    where = judge.world.physics.where(row.id)
    astray = [h for h in where if h != row.host]
    known = judge.world.cloud.astray | judge.lied_to | judge.at_risk
    if astray and row.id not in known:
        return f"it runs on {', '.join(astray)}, and Nova has it on {row.host}"
    if where or row.id in judge.died_alone:
        return None
    return f"it runs nowhere, and Nova has it active on {row.host}"


def _why_not_held(judge: Judge, incident: Incident, recovery: Recovery, row: Server) -> str | None:
    if recovery.candidate.treatment in {Treatment.HOLD, Treatment.IGNORE}:
        return None
    host = incident.host
    came_back = judge.switched_on_s.get(host, -1.0) >= judge.opened_s[incident.id]
    touched = host in judge.edited_by_others or _others_work_there(judge, host)
    stale = any(r.is_open for r in judge.world.cloud.records_of(row.id))
    lived = judge.world.physics.hosts[host].power
    odd = row.vm_state not in {"active", "stopped"} or incident.state not in AT_REST
    # A device that is another host's says on of a host that is off: whoever believes it waits for that.
    proven_s, reads = judge.proven_s.get(incident.id), judge.world.fences[host].reads
    said_on = proven_s is not None and any(r.power is Power.ON for r in reads if r.at_s > proven_s)
    unseen = any(r.unseen_by for r in judge.state.recoveries[incident.id].values())
    known = came_back or touched or stale or lived or odd or said_on
    known = known or (unseen and bool(recovery.candidate.storage))
    return None if known else "it may be evacuated, and nothing stands against it"


def _why_not_given_up(
    judge: Judge, incident: Incident, recovery: Recovery, row: Server
) -> str | None:
    if recovery.posts >= MAX_POSTS or incident.state not in AT_REST:
        return None
    if len(judge.state.poison.get(recovery.server, ())) >= MOST_DEATHS:
        return None
    if not judge.world.physics.hosts[incident.host].power and any(
        judge.world.cloud.takes(h, judge.world.cloud.demand_of(row))
        for h in judge.world.physics.hosts
        if h != incident.host
        and judge.world.cloud.types.get(h, "QEMU") == "QEMU"
        and h not in recovery.failed_destinations
        and (not row.availability_zone or judge.world.cloud.row(h).zone == row.availability_zone)
        and not any(
            judge.world.cloud.servers_by_id[s].host == h
            for s in recovery.candidate.separate_from
            if s in judge.world.cloud.servers_by_id
        )
    ):
        return "there is room for it"
    return None
