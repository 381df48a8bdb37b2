"""What Cinder tells of stranded servers' volumes: above all, which of them a dead host served itself.

Those come back with it, and are attached nowhere before.

Cinder says of each back end where it is served from (`HOST@BACKEND#POOL`). One that a compute host
serves with its own disks (LVM on a converged host) goes down with that host, and a server with such
a volume, sent elsewhere, ends in ERROR: it is held, like one with a local disk.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Volume
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName

VOLUMES_PATIENCE: Final = timedelta(seconds=60)
"""How long Cinder's word is waited for at the most, where its want does no harm."""
CINDER_PATIENCE: Final = timedelta(seconds=10)
"""... once it did not answer: it may be gone, or not tell us."""
UNKNOWN_BACKEND: Final = ""
"""Stands for whatever serves a volume of which Cinder does not tell that: it may be the same for all."""


def goes_down_with(backend: str, host: HostName) -> bool:
    """Return whether a volume's back end (`HOST@BACKEND#POOL`) is the host's own.

    Its volumes lie there (LVM), or are served from there only. Short and full names are one host.
    """
    served = backend.partition("@")[0].casefold()
    name = host.casefold()
    if served == name:
        return True
    is_short = "." not in served or "." not in name
    return is_short and served.partition(".")[0] == name.partition(".")[0]


def serves_volumes(host: HostName, world: World) -> bool:
    """Return whether the host is known to serve volumes; while Cinder was not read nothing is."""
    return any(goes_down_with(backend, host) for backend in world.backends)


def volumes_wanted(servers: Iterable[Server]) -> frozenset[str]:
    """Return the volumes of which is asked where they are served, and from which image they were made."""
    return frozenset(volume for server in servers for volume in server.volume_ids)


def may_hide_tpm(server: Server, host: HostName, tpm_hosts: frozenset[HostName] | None) -> bool:
    """Return whether the server may have a vTPM of which only Cinder tells.

    Nova puts one only on a host whose provider has the trait (nova 34 scheduler/utils.py:
    _translate_vtpm_request); `tpm_hosts` have it, None: nobody knows which.
    """
    return server.image_id is None and (tpm_hosts is None or host in tpm_hosts)


def not_known_to(server: Server, volumes: Mapping[str, Volume]) -> tuple[str, ...]:
    """Return the volumes of a server that are not among those."""
    return tuple(v for v in server.volume_ids if v not in volumes)


def why_tpm_unknown(server: Server, host: HostName, world: World) -> str | None:
    """Return why a server must be held that may have a vTPM: Cinder has answered, and does not know its volume.

    So it answers who may not see it, too, and so does a cloud whose catalog has no Cinder.
    """
    if not may_hide_tpm(server, host, world.tpm_hosts):
        return None
    hidden = not_known_to(server, world.volumes_told)
    return tpm_unknown(hidden[0]) if hidden else None


def tpm_unknown(volume: str) -> str:
    """Return in words that nobody knows whether a server has a vTPM."""
    return (
        f"Cinder does not tell of its volume {volume}, so it is not known whether its image gives it a vTPM, "
        "as its host can: then it must not be sent"
    )


def awaits_its_volumes(
    server: Server, host: HostName, world: World, now: Instant, since: Instant
) -> bool:
    """Return whether Cinder must be heard first; `since` is when its servers began to be listed.

    Where the dead host serves volumes itself nobody is sent without Cinder's word: in vain it would
    be, and end in ERROR. Nor is who may have a vTPM: it must never be sent. Of all others that word
    can only say which back end is busy: for that nobody waits for long.
    """
    untold = {
        v for v in server.volume_ids if v not in world.volumes or not world.volumes[v].is_told
    }
    if may_hide_tpm(server, host, world.tpm_hosts):
        return bool(
            untold or (world.tpm_hosts is None and not_known_to(server, world.volumes_told))
        )
    if serves_volumes(host, world):
        return bool(untold)
    if now.since(since) > VOLUMES_PATIENCE:
        return False
    return any(
        (read := world.volumes.get(v)) is None
        or read.failing_since is None
        or now.since(read.failing_since) <= CINDER_PATIENCE
        for v in untold
    )


def backends_of(server: Server, volumes: Mapping[str, Volume]) -> frozenset[str]:
    """Return the back ends (`HOST@BACKEND`) of a server's volumes; what is not told is one of its own.

    A pool is none: one cinder-volume serves all of its pools.
    """
    found = (volumes.get(volume) for volume in server.volume_ids)
    return frozenset(
        (v.backend or "").partition("#")[0] if v is not None else UNKNOWN_BACKEND for v in found
    )


def why_stranded(server: Server, host: HostName, world: World) -> str | None:
    """Return which volume of the server went down with its host; None when none is known to have."""
    told = world.volumes_told
    for volume in server.volume_ids:
        backend = told[volume].backend if volume in told else None
        if backend is not None and goes_down_with(backend, host):
            return (
                f"its volume {volume} is served by {backend}, on the dead host: it could be attached "
                "nowhere, and is there when that host returns"
            )
    return None
