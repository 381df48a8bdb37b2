"""Volumes that a dead host served itself: they come back with it, and are attached nowhere before.

Cinder says of each back end where it is served from (`HOST@BACKEND#POOL`). One that a compute host
serves with its own disks (LVM on a converged host) goes down with that host, and a server with such
a volume, sent elsewhere, ends in ERROR: it is held, like one with a local disk.
"""

from collections.abc import Iterable

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.world import World
from koboshi.domain.names import HostName


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


def volumes_wanted(servers: Iterable[Server], host: HostName, world: World) -> frozenset[str]:
    """Return the volumes of which must be known where they are served before their servers are sent.

    None of a host that serves no volumes, and that is almost every one: nobody waits for Cinder.
    """
    if not serves_volumes(host, world):
        return frozenset()
    return frozenset(volume for server in servers for volume in server.volume_ids)


def why_stranded(server: Server, host: HostName, world: World) -> str | None:
    """Return which volume of the server went down with its host; None when none is known to have."""
    for volume in server.volume_ids:
        backend = world.served_by.get(volume)
        if backend is not None and goes_down_with(backend, host):
            return (
                f"its volume {volume} is served by {backend}, on the dead host: it could be attached "
                "nowhere, and is there when that host returns"
            )
    return None
