"""From the domain's state and world to what is shown: pure, for the daemon and the journal alike."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from koboshi import __version__
from koboshi.api.outlook import outlook_view
from koboshi.api.source import Health, StatusSource
from koboshi.api.timeline import timeline
from koboshi.api.views import (
    ArmingView,
    AwaitsView,
    CheckView,
    EvidenceView,
    HealthView,
    HeldServer,
    HomeStepView,
    HostView,
    IncidentDetail,
    IncidentView,
    NoticeView,
    ProofView,
    RecoveryView,
    Source,
    StatusView,
    StoppedServerView,
    TimeBombView,
    UnwellServerView,
    WayHomeView,
)
from koboshi.domain.alone.health import what_is_done
from koboshi.domain.alone.stops import ENDED, STOP_MEANING
from koboshi.domain.alone.unwell import Unwell
from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Migration
from koboshi.domain.facts.world import World
from koboshi.domain.forecasting.time_bombs import TimeBomb, bombs_shown
from koboshi.domain.home.awaiting import awaited
from koboshi.domain.home.way_home import way_home
from koboshi.domain.incidents.incident import INCIDENT_MEANING, Incident
from koboshi.domain.instant import Instant
from koboshi.domain.judging.verdict import VERDICT_MEANING, Judgement, judge_all
from koboshi.domain.memory.state import HostNotice, State
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.recoveries.recovery import (
    NEEDS_A_PERSON,
    ON_ITS_WAY,
    RECOVERY_MEANING,
    WAITING,
    Recovery,
    RecoveryState,
)
from koboshi.domain.rules import Mode, Rules
from koboshi.ports.journal import Recorded

NOBODY_WATCHES = "no daemon is running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The daemon at one moment: all of it immutable, so that another thread may look at it."""

    picture: Picture
    health: Health
    cloud: str


def snapshot_of(source: StatusSource) -> Snapshot:
    """Return the daemon as it is at this moment."""
    return Snapshot(picture=source.look(), health=source.health(), cloud=source.cloud())


def status_of(snapshot: Snapshot) -> StatusView:
    """Return the overview; with ten thousand hosts it takes half a second."""
    picture, health = snapshot.picture, snapshot.health
    state, world, now = picture.state, picture.world, picture.now
    judgements = judge_all(world, state, picture.rules, now)
    servers = servers_by_host(world, state)
    incidents = {i.host: i.id for i in state.open_incidents()}
    hosts = [host_view(j, world, now, servers, incidents.get(j.host)) for j in judgements.values()]
    return StatusView(
        source=Source.DAEMON,
        at=now.wall,
        version=__version__,
        install=state.install,
        mode=picture.rules.mode,
        is_acting=health.is_acting,
        acting_reason=health.acting_reason,
        arming=arming_view(state, picture.why_not_acting),
        started_at=state.started_at.wall if state.started_at else None,
        cloud=snapshot.cloud,
        evidence=_evidence(world, now),
        hosts=hosts,
        incidents=[incident_view(i, state, picture) for i in state.open_incidents()],
        held=_held(state),
        stopped=_stopped(state),
        unwell=[unwell_view(u, what_is_done(picture, u)) for u in _fail_now(state)],
        notices=_notices(state),
        time_bombs=[bomb_view(b) for b in bombs_shown(world, state)],
        outlook=outlook_view(world.outlook),
        found_down=sorted(state.found_down),
        ways_home=_ways_home(state, world, acts=comes_home_by_itself(picture.rules)),
        next=_next(state, is_running=True, hosts=hosts),
    )


def status_of_journal(state: State, now: Instant) -> StatusView:
    """Return the overview that the journal alone allows: nobody is watching the hosts."""
    return StatusView(
        source=Source.JOURNAL,
        at=now.wall,
        version=__version__,
        install=state.install,
        mode=state.mode,
        is_acting=False,
        acting_reason=NOBODY_WATCHES,
        arming=arming_view(state, NOBODY_WATCHES),
        started_at=state.started_at.wall if state.started_at else None,
        cloud="",
        incidents=[incident_view(i, state) for i in state.open_incidents()],
        held=_held(state),
        stopped=_stopped(state),
        unwell=[unwell_view(u, f"nothing is done: {NOBODY_WATCHES}") for u in _fail_now(state)],
        notices=_notices(state),
        found_down=sorted(state.found_down),
        ways_home=_ways_home(state, World(began_at=now), acts=False),
        next=_next(state, is_running=False, hosts=[]),
    )


def arming_view(state: State, why_not: str | None) -> ArmingView:
    """Return whether Koboshi may act, and whose word that is."""
    armed, disarmed = state.holds.armed, state.holds.disarmed
    last = disarmed or armed
    until = disarmed.until if disarmed else None
    return ArmingView(
        is_armed=why_not is None,
        reason=why_not or (f"armed by {armed.by}" if armed else "armed by the configuration"),
        by=last.by if last else None,
        since=last.at.wall if last else None,
        until=until.wall if until else None,
    )


def incidents_of(state: State, picture: Picture | None = None) -> list[IncidentView]:
    """Return all incidents, newest first; without a picture nobody watches them."""
    return [incident_view(i, state, picture) for i in reversed(tuple(state.incidents.values()))]


def incident_view(incident: Incident, state: State, picture: Picture | None = None) -> IncidentView:
    """Return one incident in brief; without a picture nothing is known of what it waits for."""
    states = Counter(r.state for r in _recoveries(incident, state))

    def count(which: Iterable[RecoveryState]) -> int:
        return sum(states[one] for one in which)

    return IncidentView(
        id=incident.id,
        host=incident.host,
        state=incident.state,
        meaning=INCIDENT_MEANING[incident.state],
        reason=incident.reason,
        is_over=incident.is_over,
        opened_at=incident.opened_at.wall,
        moved_at=incident.moved_at.wall,
        servers=states.total(),
        recovered=states[RecoveryState.DONE],
        on_their_way=count(ON_ITS_WAY),
        waiting=count(WAITING),
        held=states[RecoveryState.HELD],
        need_a_person=count(NEEDS_A_PERSON),
        awaits=_awaits(picture, incident),
    )


def _awaits(picture: Picture | None, incident: Incident) -> AwaitsView | None:
    told = awaited(picture, incident) if picture is not None else None
    if told is None:
        return None
    return AwaitsView(
        what=told.what,
        since=told.since.wall,
        until=told.until.wall if told.until else None,
        you_may=told.may.text,
        commands=list(told.may.commands),
    )


def incident_detail(
    incident: Incident,
    state: State,
    recorded: Iterable[Recorded],
    records: Iterable[Migration] | None,
    *,
    acts: bool,
    picture: Picture | None = None,
) -> IncidentDetail:
    """Return everything about one incident.

    `records` are the evacuation records of its host, as read last; None when nobody read them. Where
    nobody `acts`, the way home is told as a person must go it.
    """
    return IncidentDetail(
        incident=incident_view(incident, state, picture),
        proof=ProofView(kind=incident.proof.kind, at=incident.proof.at.wall)
        if incident.proof
        else None,
        marker=incident.isolation.marker if incident.isolation else None,
        recoveries=[_recovery(r) for r in _recoveries(incident, state)],
        timeline=timeline(incident, recorded),
        way_home=_steps_home(incident, state, records, acts=acts),
    )


def comes_home_by_itself(rules: Rules) -> bool:
    """Return whether a daemon with these rules takes the steps home itself."""
    return rules.comes_home and rules.mode is Mode.ACT


def _steps_home(
    incident: Incident, state: State, records: Iterable[Migration] | None, *, acts: bool
) -> list[HomeStepView]:
    steps = way_home(incident, state.recoveries.get(incident.id, {}), records, acts=acts)
    return [HomeStepView(text=s.text, commands=list(s.commands)) for s in steps]


def _ways_home(state: State, world: World, *, acts: bool) -> list[WayHomeView]:
    """Return the ways home of the open incidents that have one by now."""
    read = {host: listing.records for host, listing in world.from_host.items()}
    found = [
        WayHomeView(
            incident=i.id, host=i.host, steps=_steps_home(i, state, read.get(i.host), acts=acts)
        )
        for i in state.open_incidents()
    ]
    return [one for one in found if one.steps]


def health_view(health: Health) -> HealthView:
    """Return how the daemon is, for `/readyz?verbose`."""
    return HealthView(
        is_ready=health.is_ready,
        is_acting=health.is_acting,
        acting_reason=health.acting_reason,
        checks=[CheckView(name=c.name, is_ok=c.is_ok, detail=c.detail) for c in health.checks],
    )


def _recoveries(incident: Incident, state: State) -> tuple[Recovery, ...]:
    return tuple(state.recoveries.get(incident.id, {}).values())


def _recovery(recovery: Recovery) -> RecoveryView:
    candidate = recovery.candidate
    return RecoveryView(
        server=candidate.server,
        name=candidate.name,
        state=recovery.state,
        meaning=RECOVERY_MEANING[recovery.state],
        reason=recovery.reason,
        treatment=candidate.treatment,
        treatment_reason=candidate.reason,
        destination=recovery.destination,
        requests=recovery.posts,
        local_disks=list(candidate.local_disks),
        is_data_loss_committed=recovery.data_loss_committed,
        waits_for=list(recovery.awaits) if recovery.waits_for_others else [],
        moved_at=recovery.moved_at.wall,
    )


def _held(state: State) -> list[HeldServer]:
    return [
        HeldServer(
            server=recovery.server,
            name=recovery.candidate.name,
            host=incident.host,
            incident=incident.id,
            reason=recovery.reason,
            local_disks=list(recovery.candidate.local_disks),
        )
        for incident in state.open_incidents()
        for recovery in _recoveries(incident, state)
        if recovery.state is RecoveryState.HELD
    ]


def _stopped(state: State) -> list[StoppedServerView]:
    stops = (stop for stop in state.stops.values() if stop.state not in ENDED)
    return [
        StoppedServerView(
            server=stop.server,
            name=stop.name,
            host=stop.host,
            cause=stop.cause,
            state=stop.state,
            meaning=STOP_MEANING[stop.state],
            reason=stop.reason,
            since=stop.seen_at.wall,
        )
        for stop in sorted(stops, key=lambda stop: (stop.host, stop.name))
    ]


def _fail_now(state: State) -> list[Unwell]:
    return sorted((u for u in state.unwell.values() if not u.is_over), key=lambda u: u.since.wall)


def unwell_view(unwell: Unwell, done: str) -> UnwellServerView:
    """Return one server whose check fails."""
    return UnwellServerView(
        server=unwell.server,
        name=unwell.name,
        host=unwell.host,
        reason=unwell.reason,
        since=unwell.since.wall,
        reboots=len(unwell.reboots),
        done=done,
        look=f"openstack console log show {unwell.server}",
    )


def notice_view(notice: HostNotice) -> NoticeView:
    """Return something that a person should know about a host."""
    return NoticeView(
        host=notice.host, topic=notice.topic, text=notice.text, since=notice.since.wall
    )


def _notices(state: State) -> list[NoticeView]:
    return [notice_view(n) for n in sorted(state.notices.values(), key=lambda n: n.since.wall)]


def bomb_view(bomb: TimeBomb) -> TimeBombView:
    """Return one evacuation that never ended."""
    return TimeBombView(
        host=bomb.host,
        server=bomb.server,
        name=bomb.server_name,
        server_is_on=bomb.server_host,
        record=bomb.record,
        status=bomb.status,
        since=bomb.since,
        destroys_a_server_now=bomb.is_live,
        what=bomb.what,
        cure=bomb.cure,
    )


def host_view(
    judgement: Judgement,
    world: World,
    now: Instant,
    servers: Mapping[HostName, int],
    incident: IncidentId | None,
) -> HostView:
    """Return one host as it is judged now."""
    host = judgement.host
    track = world.services[host]
    heartbeat, power = track.advanced_at, world.power.get(host)
    return HostView(
        host=host,
        verdict=judgement.verdict,
        meaning=VERDICT_MEANING[judgement.verdict],
        reasons=list(judgement.reasons),
        is_protected=host in world.protected,
        is_fenced=host in world.fenced,
        network=judgement.network,
        control=judgement.control,
        power=power.newest.power if power else judgement.power,
        power_age_s=_age(power.newest.at if power else None, now),
        heartbeat_age_s=_age(heartbeat, now),
        servers=servers.get(host, 0) if world.sweep else None,
        is_enabled=track.service.enabled,
        is_forced_down=track.service.forced_down,
        disabled_reason=track.service.disabled_reason,
        incident=incident,
    )


def servers_by_host(world: World, state: State) -> Mapping[HostName, int]:
    """Count servers as listed last, with what was recovered since then on its new host."""
    if world.sweep is None:
        return {}
    at = world.sweep.at
    moved = {
        recovery.server: recovery.destination
        for recoveries in state.recoveries.values()
        for recovery in recoveries.values()
        if recovery.state is RecoveryState.DONE and not at.is_after(recovery.moved_at)
    }
    counts = Counter({host: len(servers) for host, servers in world.sweep.by_host.items()})
    for server, destination in moved.items():
        listed_on = world.sweep.host_of(server)
        if listed_on is not None and destination is not None:
            counts[listed_on] -= 1
            counts[destination] += 1
    return counts


def _age(moment: Instant | None, now: Instant) -> float | None:
    return None if moment is None else now.since(moment).total_seconds()


def _evidence(world: World, now: Instant) -> list[EvidenceView]:
    """Return each kind of evidence with its age; of a kind that each host has, the oldest one's."""
    protected = world.protected
    probed = [t.asked_at for host, t in world.probes.items() if host in protected]
    powered = [t.known_at for host, t in world.power.items() if host in protected]
    known = [moment for moment in powered if moment is not None]
    failing = world.api.failing_since
    trouble = f"; failing for {_age(failing, now):.0f} s: {world.api.error}" if failing else ""
    sweep, records = world.sweep, world.evacuations
    return [
        EvidenceView(
            kind="compute_services",
            age_s=_age(world.services_read_at, now),
            detail=f"{len(world.services)} compute services{trouble}",
        ),
        EvidenceView(
            kind="servers",
            age_s=_age(sweep.at if sweep else None, now),
            detail=f"{len(sweep.servers)} servers" if sweep else "not listed yet",
        ),
        EvidenceView(
            kind="evacuation_records",
            age_s=_age(records.at if records else None, now),
            detail=f"{len(records.records)} open" if records else "not listed yet",
        ),
        EvidenceView(
            kind="probes",
            age_s=max((now.since(at) for at in probed), default=timedelta()).total_seconds()
            if probed
            else None,
            detail=f"{len(probed)} of {len(protected)} protected hosts are probed",
        ),
        EvidenceView(
            kind="power",
            age_s=max(now.since(at) for at in known).total_seconds() if known else None,
            detail=f"{len(known)} of {len(protected)} protected hosts' power is known",
        ),
    ]


def _observes(state: State) -> bool:
    return state.mode == Mode.OBSERVE and state.holds.armed is None


def _next(state: State, *, is_running: bool, hosts: list[HostView]) -> list[str]:
    """Return what to type next, most urgent first."""
    steps = [f"koboshi incident show {i.id}" for i in state.open_incidents()]
    if not is_running:
        steps.append("koboshi run")
    unfenced = [h.host for h in hosts if h.is_protected and not h.is_fenced]
    if unfenced:
        steps.append("koboshi check")
    elif is_running and hosts and (state.holds.disarmed or _observes(state)):
        steps.append("koboshi arm")
    return steps
