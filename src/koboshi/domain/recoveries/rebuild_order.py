"""A person's order to give up a held server's disks: made again from its image, on another host.

It changes what is meant for one server, and nothing else: whatever an evacuation waits for (proof that
is fresh, records that are closed, room, its turn) it waits for as well.
"""

from dataclasses import replace

from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.facts.cloud import Power, Server
from koboshi.domain.facts.shared_storage import storage_of
from koboshi.domain.facts.stock import made_from
from koboshi.domain.forecasting.disk_forecast import (
    DiskForecast,
    DiskKind,
    DiskOutcome,
    Storage,
    disk_forecasts,
)
from koboshi.domain.forecasting.stale import cure
from koboshi.domain.incidents.incident import (
    BY_POWER,
    NO_MORE_EVACUATIONS,
    Incident,
    IncidentState,
)
from koboshi.domain.incidents.steps import life_of
from koboshi.domain.judging.evidence import distrusting
from koboshi.domain.judging.proof import is_ours
from koboshi.domain.judging.verdict import Control, Network
from koboshi.domain.memory.events import DataLossCommitted, RecoveryMoved
from koboshi.domain.memory.state import State
from koboshi.domain.names import IncidentId, ServerId
from koboshi.domain.policies.observed import observed_policy
from koboshi.domain.policies.policy import Meant, meant_for
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment
from koboshi.domain.recoveries.stranded import awaits_its_volumes, serves_volumes, why_stranded
from koboshi.domain.restraint.arming import why_not_acting
from koboshi.domain.rules import OnLocalDisk

ORDERABLE = frozenset({IncidentState.RECOVERING, IncidentState.SETTLED, IncidentState.PARKED})
"""States of an incident in which another server of it may be sent."""


def known_server(state: State, server: ServerId) -> tuple[Incident, Recovery] | None:
    """Return the open incident that knows the server; the newest, should there be several."""
    found = (
        (incident, recovery)
        for incident in reversed(state.open_incidents())
        if (recovery := state.recoveries.get(incident.id, {}).get(server)) is not None
    )
    return next(found, None)


def order_rebuild(picture: Picture, server: ServerId, by: str, note: str) -> Decision | Refused:
    """Return what follows from `by` giving up the server's disks, or why that is refused."""
    known = known_server(picture.state, server)
    if known is None:
        return Refused(
            reason=f"no server {server} waits in an open incident",
            cure="'koboshi status' lists those that do, with their ids",
        )
    incident, recovery = known
    if refused := why_not_rebuild(picture, incident, recovery):
        return refused
    said = f": {note}" if note else ""
    moved = RecoveryMoved(
        incident=incident.id,
        server=server,
        to=RecoveryState.QUEUED,
        reason=f"{by} gave up its {_disks(recovery)}",
    )
    return Decision(
        events=(
            DataLossCommitted(
                incident=incident.id,
                server=server,
                disks=recovery.candidate.local_disks,
                policy=f"{by} ordered it to be rebuilt{said}",
                by=by,
            ),
            moved,
        )
    )


def why_not_rebuild(picture: Picture, incident: Incident, recovery: Recovery) -> Refused | None:
    """Return why the order would be refused now."""
    return (
        _not_held(incident, recovery)
        or _not_now(picture, incident)
        or _not_dead(picture, incident)
        or _not_possible(picture, incident, recovery)
    )


def cost_of_rebuild(
    picture: Picture, incident: Incident, recovery: Recovery
) -> tuple[DiskForecast, ...]:
    """Return what would become of each disk; empty while nobody has listed the server."""
    server = _listed(picture, incident, recovery)
    if server is None:
        return ()
    meant = Meant(treatment=Treatment.REBUILD, reason="a person's order")
    disks = disk_forecasts(server, incident.host, meant, Storage(volumes=None))
    if not picture.world.backends or serves_volumes(incident.host, picture.world):
        return disks
    kept = f"{incident.host} serves no volumes by Cinder's account"
    return tuple(
        replace(d, outcome=DiskOutcome.SURVIVES, why=kept) if d.kind is DiskKind.VOLUME else d
        for d in disks
    )


def _not_held(incident: Incident, recovery: Recovery) -> Refused | None:
    if recovery.state is RecoveryState.HELD:
        return None
    return Refused(
        reason=f"{recovery.candidate.name} is not held: it is {recovery.state} ({recovery.reason})",
        cure=f"see 'koboshi incident show {incident.id}'",
    )


def _not_now(picture: Picture, incident: Incident) -> Refused | None:
    if why := why_not_acting(picture.rules, picture.state, picture.now):
        return Refused(reason=f"Koboshi does not act: {why}", cure="arm it first: koboshi arm")
    if incident.state in NO_MORE_EVACUATIONS:
        return Refused(
            reason=f"{incident.host} is on its way home ({incident.state}): nothing of it is evacuated any "
            "more, for its guests may run there",
            cure="wait for it: its servers are started where their disks are",
        )
    if incident.state not in ORDERABLE:
        return Refused(
            reason=f"the incident of {incident.host} is {incident.state} ({incident.reason})",
            cure=_shown(incident.id),
        )
    return None


def _not_dead(picture: Picture, incident: Incident) -> Refused | None:
    """Return why the host is not proven dead now; the last look before the request asks again."""
    host = incident.host
    cure_ = f"look at it: koboshi host explain {host}"
    if incident.proof is None or incident.isolation is None:
        return Refused(reason=f"there is no proof that {host} is dead", cure=cure_)
    if life := life_of(picture, incident):
        return Refused(reason=f"{host} is not proven dead any more: {life}", cure=cure_)
    row = picture.world.services.get(host)
    if row is not None and row.service.id and not is_ours(incident.isolation, row.service):
        return Refused(
            reason=f"somebody changed the compute service of {host} in Nova meanwhile", cure=cure_
        )
    judgement = picture.judgements.get(host)
    if judgement is None or judgement.control is Control.FRESH:
        return Refused(reason=f"{host} may be alive: its heartbeat is fresh", cure=cure_)
    if judgement.network in {Network.USERLAND, Network.KERNEL}:
        return Refused(reason=f"{host} may be alive: it answers", cure=cure_)
    track = picture.world.power.get(host)
    if track is not None:
        track = distrusting(track, picture.state.devices.distrusted(host))
    reads = track.newest.power if track is not None else Power.UNKNOWN
    if reads is Power.ON or (incident.proof.kind in BY_POWER and reads is not Power.OFF):
        return Refused(reason=f"the power of {host} reads {reads}, not off", cure=cure_)
    return None


def _not_possible(picture: Picture, incident: Incident, recovery: Recovery) -> Refused | None:
    """Return why Nova would not, or must not, be asked for this server."""
    world, candidate = picture.world, recovery.candidate
    server, read = _listed(picture, incident, recovery), world.from_host.get(incident.host)
    wanted = observed_policy(server, world, picture.rules) if server is not None else None
    if server is None or read is None or world.groups is None or wanted is None:
        return Refused(
            reason=f"Nova does not list {candidate.name} on {incident.host}, or was not asked yet",
            cure="try again in half a minute; if it says so again, look: openstack server show "
            f"{server.id if server else recovery.server}",
        )
    still_open = next((r for r in read.records if r.server == server.id and r.is_open), None)
    if still_open is not None:
        return Refused(
            reason=f"its evacuation record {still_open.id} is {still_open.status}: somebody may be moving it",
            cure=f"if nobody is, and it runs nowhere, {cure(still_open)}",
        )
    if server.image_id is not None and server.image_id not in world.images:
        return Refused(
            reason=f"it is not known yet whether Glance serves its image {server.image_id}",
            cure="try again in half a minute",
        )
    if awaits_its_volumes(server, incident.host, world, picture.now, incident.moved_at):
        return Refused(
            reason="it is not known yet where its volumes are served",
            cure="try again in half a minute",
        )
    if stranded := why_stranded(server, incident.host, world):
        return Refused(reason=stranded, cure=f"bring its host home: {_shown(incident.id)}")
    meant = meant_for(
        server,
        groups=world.groups.groups,
        # An ERROR that the failure made is none; what it was before says the candidate.
        vm_state=candidate.vm_state if server.vm_state == "error" else server.vm_state,
        images_active=world.images_active,
        policy=replace(wanted, on_local_disk=OnLocalDisk.REBUILD, rebuild_after=None),
        storage=storage_of(incident.host, world, picture.rules),
        made_from=made_from(server, world.images_told, world.volumes_told),
    )
    if meant.treatment is Treatment.EVACUATE:
        return Refused(
            reason=f"nothing of it would have to be given up: {meant.reason}",
            cure=f"it was held because {recovery.reason}: mend that; {_shown(incident.id)}",
        )
    if meant.treatment in {Treatment.HOLD, Treatment.IGNORE}:
        return Refused(reason=meant.reason, cure=f"bring its host home: {_shown(incident.id)}")
    return None


def _listed(picture: Picture, incident: Incident, recovery: Recovery) -> Server | None:
    read = picture.world.on_host.get(incident.host)
    servers = read.servers if read is not None else ()
    return next((s for s in servers if s.id == recovery.server), None)


def _disks(recovery: Recovery) -> str:
    return " and ".join(recovery.candidate.local_disks) or "place on its host"


def _shown(incident: IncidentId) -> str:
    return f"see 'koboshi incident show {incident}'"
