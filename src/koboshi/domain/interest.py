"""What should be looked at harder now: the observers' orders, derived from state and judgement."""

from dataclasses import dataclass

from koboshi.domain.alone.starting import must_be_swept_soon, to_be_asked_of, to_look_into
from koboshi.domain.alone.wishes import images_of, read_since
from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Demand, Power
from koboshi.domain.home.homecoming import asked_at_home
from koboshi.domain.home.restoring import asked_while_restoring
from koboshi.domain.incidents.incident import ACTING, COMING_HOME, Incident, IncidentState
from koboshi.domain.incidents.laid_down import is_laid_down
from koboshi.domain.judging.control_plane import is_overdue_unasked
from koboshi.domain.judging.quarantine import to_look_at
from koboshi.domain.judging.verdict import WORSE_THAN_UP, Judgement, Network
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies.policy import images_wanted
from koboshi.domain.policies.readiness import Readiness
from koboshi.domain.recoveries.apart import partners_wanted
from koboshi.domain.recoveries.recovery import (
    HOLDS_A_SLOT,
    ON_ITS_WAY,
    WAITING,
    Recovery,
    RecoveryState,
)
from koboshi.domain.recoveries.restart_order import RestartOrder
from koboshi.domain.recoveries.stranded import CINDER_PATIENCE, volumes_wanted
from koboshi.domain.recoveries.waited import hosts_waited_for
from koboshi.domain.rules import Mode

_POWER_WATCHED = ACTING | {IncidentState.HELD, IncidentState.CONFIRMED, IncidentState.POWERING_ON}
_LISTED = frozenset(
    {
        IncidentState.RECOVERING,
        IncidentState.SOURCE_BACK,
        IncidentState.SETTLED,
        IncidentState.PARKED,
    },
)
"""Not before: a listing counts only when it was begun after the isolation, and is then due at once."""
FEW = 20
"""Suspect hosts for each of which the services are read at the very moment that tells."""
_READ_BY_ID = frozenset(
    {
        RecoveryState.UNKNOWN,
        RecoveryState.BUILDING,
        RecoveryState.CONFIRMING,
        RecoveryState.SETTLING,
        RecoveryState.STUCK,
    },
)


_SOON_FREE = HOLDS_A_SLOT - {RecoveryState.STUCK}
_ROOM_MATTERS = frozenset({RecoveryState.QUEUED, RecoveryState.BUILDING, RecoveryState.GIVEN_UP})
"""Of one that is being made, too: if Nova finds no host for it, what seemed to have room is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What to read often; everything else is read at its calm pace."""

    suspicion: bool = False
    """Whether any host is suspect or has an open incident: read the services faster."""
    urgent: bool = False
    """Whether an incident is being acted upon: its reads go at full pace."""
    services_now: bool = False
    """Whether a suspect host's heartbeat is overdue, and the next read decides."""
    power: frozenset[HostName] = frozenset()
    power_now: frozenset[HostName] = frozenset()
    """Hosts that were switched off since their power was last read."""
    list_servers: frozenset[HostName] = frozenset()
    list_again: frozenset[HostName] = frozenset()
    """Hosts whose servers are known: they are listed calmly, for those that come late."""
    list_records: frozenset[HostName] = frozenset()
    slots_awaited: bool = False
    """Whether the end of a record lets another server go: what frees a slot is seen soon."""
    servers: frozenset[ServerId] = frozenset()
    partners: frozenset[ServerId] = frozenset()
    """Of stranded servers' anti-affinity groups, no sweep has seen them, and servers that stopped alone: read
    by id, calmly."""
    running: frozenset[ServerId] = frozenset()
    demands: frozenset[Demand] = frozenset()
    actions: frozenset[ServerId] = frozenset()
    """Servers that stopped, and nobody knows yet by whose hand."""
    sweep_soon: bool = False
    """Whether servers may be stopping right now, for a reason that is their host's."""
    images: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    """Of the servers of dead hosts."""
    tpm_hosts: bool = False
    """Whether Cinder does not tell which of them have a vTPM, so that it matters whose host can give one."""
    projects: frozenset[str] = frozenset()
    """Projects in which servers wait for each other: all their servers are listed."""
    ready: frozenset[Readiness] = frozenset()
    """Where servers are asked whether they are ready."""
    groups: bool = False
    """Whether server groups and host aggregates are wanted."""
    api_is_unwell: bool = False
    """Whether the API is in a brownout: then nothing but the services is read of it, and calmly."""


def interest_of(picture: Picture) -> Interest:
    """Return what the present picture makes worth reading often."""
    state = picture.state
    restless = [picture.judgements[host] for host in picture.restless]
    suspects = {
        j.host for j in restless if j.verdict in WORSE_THAN_UP and j.host in picture.world.protected
    }
    incidents = state.open_incidents()
    hosts = {i.host for i in incidents}
    recoveries = [r for i in incidents for r in state.recoveries.get(i.id, {}).values()]
    listed = {i.host for i in incidents if i.state in _LISTED}
    unwell = picture.brake.brownouts.of_api() is not None
    order = RestartOrder(picture)
    awaiting = [r for r in order.waiting() if order.of(r)]
    alone = to_be_asked_of(picture)
    return Interest(
        api_is_unwell=unwell and picture.world.services_read_at is not None,
        suspicion=bool(suspects or hosts),
        services_now=_decides(picture, suspects - hosts),
        urgent=any(_is_urgent(i) for i in incidents)
        or any(r.state in ON_ITS_WAY | WAITING for r in recoveries),
        power=frozenset(
            suspects
            | {i.host for i in incidents if i.state in _POWER_WATCHED or is_laid_down(picture, i)}
            | {j.host for j in restless if _reads_off_and_answers(picture, j)}
            | _to_look_at(picture)
            | hosts_waited_for(picture)
        ),
        power_now=frozenset(i.host for i in incidents if _was_just_fenced(picture, i)),
        list_servers=frozenset(listed),
        list_again=frozenset(i.host for i in incidents if i.servers_listed),
        list_records=frozenset(hosts),
        slots_awaited=any(r.state in _SOON_FREE for r in recoveries)
        and any(r.state in WAITING and not r.waits_for_others for r in recoveries),
        servers=frozenset(r.server for r in recoveries if _needs_reading(picture, r)).union(
            *(asked_while_restoring(picture, i) for i in incidents)
        ),
        partners=partners_wanted(picture) | alone.keys(),
        running=frozenset(r.server for r in recoveries if _asks_hypervisor(r)).union(
            *(asked_at_home(picture, i) for i in incidents),
            *(asked_while_restoring(picture, i) for i in incidents),
        ),
        demands=frozenset(r.candidate.demand for r in recoveries if r.state in _ROOM_MATTERS),
        actions=to_look_into(picture),
        sweep_soon=must_be_swept_soon(picture),
        images=_images(picture, listed)
        | images_of(read_since(picture, server, stop) for server, stop in alone.items()),
        volumes=_volumes(picture, listed),
        tpm_hosts=any(_is_cinder_silent(picture, i) for i in incidents if i.host in listed),
        projects=frozenset(r.candidate.project for r in awaiting),
        ready=frozenset(order.asked),
        groups=bool(hosts) or bool(alone),
    )


def _decides(picture: Picture, suspects: set[HostName]) -> bool:
    """Return whether a read of the services is worth its while now; where many are silent it is not."""
    if len(suspects) > FEW:
        return False
    tracks = (picture.world.services.get(host) for host in suspects)
    return any(t is not None and is_overdue_unasked(t, picture.rules, picture.now) for t in tracks)


def _was_just_fenced(picture: Picture, incident: Incident) -> bool:
    """Return whether *off* was sent and answered, and the power not read since.

    One reading that says *on* may have been under way when *off* was answered: it is as if none was.
    """
    if incident.state is not IncidentState.FENCING:
        return False
    if picture.state.is_busy(f"host:{incident.host}"):
        return False
    fenced_at, track = (
        picture.state.fences.get(incident.host),
        picture.world.power.get(incident.host),
    )
    if fenced_at is None or track is None:
        return False
    since = [reading.power for reading in track.readings if not fenced_at.is_after(reading.at)]
    return since in ([], [Power.ON])


def _to_look_at(picture: Picture) -> set[HostName]:
    """Return the hosts whose devices are read before another host is switched off for the first time."""
    if picture.rules.mode is not Mode.ACT:
        return set()
    begun = (i for i in picture.state.open_incidents() if i.state is IncidentState.CONFIRMED)
    return {host for incident in begun for host in to_look_at(picture, incident)}


def _reads_off_and_answers(picture: Picture, judgement: Judgement) -> bool:
    """Return whether the next reading decides: switched on meanwhile, or a BMC that is wrong."""
    track = picture.world.power.get(judgement.host)
    return (
        track is not None
        and track.newest.power is Power.OFF
        and judgement.network in {Network.USERLAND, Network.KERNEL}
    )


def _is_urgent(incident: Incident) -> bool:
    """Return whether the incident itself moves; a recovery's servers speak for themselves."""
    is_listed = incident.state is IncidentState.RECOVERING and incident.servers_listed
    begins = incident.state is IncidentState.CONFIRMED
    return (begins or incident.state in ACTING | COMING_HOME) and not is_listed


def _asks_hypervisor(recovery: Recovery) -> bool:
    """Return whether only the hypervisor can tell how the recovery ends."""
    ended_well = recovery.state is RecoveryState.STUCK and recovery.command is None
    return recovery.state is RecoveryState.SETTLING or ended_well


def _needs_reading(picture: Picture, recovery: Recovery) -> bool:
    """Return whether the server must be read by id: not while its record is simply open."""
    if recovery.state is RecoveryState.HELD:
        return _is_missing(picture, recovery)
    if recovery.state not in _READ_BY_ID:
        return False
    if recovery.state is RecoveryState.SETTLING:
        heard = picture.world.running.get(recovery.server)
        return heard is not None or recovery.candidate.vm_state == "stopped"
    if recovery.state is not RecoveryState.BUILDING:
        return True
    host = picture.state.incidents[recovery.incident].host
    read = picture.world.from_host.get(host)
    own = [
        r
        for r in (read.records if read else ())
        if r.server == recovery.server and r.id not in recovery.known_records
    ]
    return any(not r.is_open for r in own)


def _is_missing(picture: Picture, recovery: Recovery) -> bool:
    """Return whether a held server is not listed on its host any more."""
    read = picture.world.on_host.get(picture.state.incidents[recovery.incident].host)
    return (
        read is not None
        and read.at.is_after(recovery.moved_at)
        and all(s.id != recovery.server for s in read.servers)
    )


def _images(picture: Picture, hosts: set[HostName]) -> frozenset[str]:
    wanted: frozenset[str] = frozenset()
    for host in hosts:
        read = picture.world.on_host.get(host)
        if read is not None:
            wanted |= images_wanted(read.servers)
    return wanted


def _is_cinder_silent(picture: Picture, incident: Incident) -> bool:
    read = picture.world.on_host.get(incident.host)
    if read is None:
        return False
    is_late = picture.now.since(incident.moved_at) > CINDER_PATIENCE
    found = (picture.world.volumes.get(v) for v in volumes_wanted(read.servers))
    return any(is_late if v is None else v.volume is None for v in found)


def _volumes(picture: Picture, hosts: set[HostName]) -> frozenset[str]:
    wanted: frozenset[str] = frozenset()
    for host in hosts:
        read = picture.world.on_host.get(host)
        if read is not None:
            wanted |= volumes_wanted(read.servers)
    return wanted
