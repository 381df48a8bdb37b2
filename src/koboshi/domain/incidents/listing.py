"""Which servers a dead host has, and what is meant for each."""

from dataclasses import replace
from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.shared_storage import storage_of
from koboshi.domain.facts.stock import made_from
from koboshi.domain.facts.world import ServersRead
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.memory.events import ServersListed
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies.observed import sources_in
from koboshi.domain.policies.policy import candidate_of, is_safe_without_image
from koboshi.domain.policies.resolving import policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.recoveries.stranded import (
    awaits_its_volumes,
    backends_of,
    why_stranded,
    why_tpm_unknown,
)

IMAGE_PATIENCE = timedelta(seconds=60)
"""How long an image is waited for that may say something of a server which is held without its word."""


def list_new_servers(picture: Picture, incident: Incident) -> Decision:
    """Return the servers of the dead host that the incident does not know yet.

    Only a listing from after the isolation counts: before it, servers may still come and go.
    """
    world = picture.world
    read = world.on_host.get(incident.host)
    if read is None or world.groups is None:
        return NOTHING
    if (sources := sources_in(world, picture.rules)) is None:
        return NOTHING
    if not read.at.is_after(incident.moved_at):
        return NOTHING
    if _hides_servers(picture, incident, read):
        return NOTHING
    new = _new(picture, incident, read)
    if not new and incident.servers_listed:
        return NOTHING
    # Whose image is still being read is listed later, and keeps nobody else waiting.
    ready = tuple(s for s in new if not _awaits_a_word(picture, incident, s, sources))
    if new and not ready:
        return NOTHING
    storage = storage_of(incident.host, world, picture.rules)
    candidates = tuple(_candidate(picture, incident.host, s, storage, sources) for s in ready)
    return Decision(events=(ServersListed(incident=incident.id, candidates=candidates),))


def not_listed_yet(picture: Picture, incident: Incident) -> tuple[Server, ...]:
    """Return servers of the dead host that wait for a word of Glance or Cinder before they are listed.

    Until they are, the incident is not at its end, and its host is not switched on: from there
    nothing of it would be evacuated any more, and nobody would hear of them.
    """
    read = picture.world.on_host.get(incident.host)
    sources = sources_in(picture.world, picture.rules)
    if read is None or sources is None:
        return ()
    return tuple(
        s for s in _new(picture, incident, read) if _awaits_a_word(picture, incident, s, sources)
    )


def _new(picture: Picture, incident: Incident, read: ServersRead) -> tuple[Server, ...]:
    known = picture.state.recoveries.get(incident.id, {})
    return tuple(s for s in read.servers if s.id not in known)


def _awaits_a_word(picture: Picture, incident: Incident, server: Server, sources: Sources) -> bool:
    world = picture.world
    storage = storage_of(incident.host, world, picture.rules)
    return awaits_its_volumes(
        server, incident.host, world, picture.now, incident.moved_at
    ) or _awaits_its_image(picture, incident, server, sources, storage)


def _candidate(
    picture: Picture, host: HostName, server: Server, storage: str | None, sources: Sources
) -> Candidate:
    world = picture.world
    candidate = candidate_of(
        server,
        groups=world.groups.groups if world.groups else (),
        seen_before=world.sweep.servers.get(server.id) if world.sweep else None,
        images_active=world.images_active,
        policy=policy_of(server, sources, picture.rules),
        storage=storage,
        made_from=made_from(server, world.images_told, world.volumes_told),
        backends=backends_of(server, world.volumes_told),
    )
    stranded = why_stranded(server, host, world) or why_tpm_unknown(server, host, world)
    is_sent = candidate.treatment in {Treatment.EVACUATE, Treatment.REBUILD}
    if stranded is None or not (is_sent or candidate.rebuild_after is not None):
        return candidate
    return replace(candidate, treatment=Treatment.HOLD, reason=stranded, rebuild_after=None)


def _awaits_its_image(
    picture: Picture,
    incident: Incident,
    server: Server,
    sources: Sources,
    storage: str | None,
) -> bool:
    """Return whether its image must be read first: it may say what to do, and is needed to do it.

    A Glance that is gone must not leave servers untold that would be held anyway.
    """
    if server.image_id is None or server.image_id in picture.world.images:
        return False
    if picture.now.since(incident.moved_at) <= IMAGE_PATIENCE:
        return True
    return storage is None and not is_safe_without_image(policy_of(server, sources, picture.rules))


def _hides_servers(picture: Picture, incident: Incident, read: ServersRead) -> bool:
    """Return whether a listing may have left servers out.

    `GET /servers` passes over a cell that does not answer, without a word (nova 34, its default:
    [api] list_records_by_skipping_down_cells). So a listing that is empty, or lacks what the last
    sweep saw, counts only when Nova's rows, read after it, show that the cell answers.
    """
    world, listed = picture.world, {s.id for s in read.servers}
    swept = frozenset(world.sweep.on(incident.host)) if world.sweep else frozenset[ServerId]()
    if listed and listed.issuperset(swept):
        return False
    track = world.services.get(incident.host)
    return (
        track is None
        or track.service.up is None
        or track.read_at != world.services_read_at
        or not track.asked_at.is_after(read.at)
        or (track.answers_since is not None and not read.at.is_after(track.answers_since))
    )
