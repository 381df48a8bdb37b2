"""Which storage hosts share, as the settings declare it: no API of Nova's tells.

Evacuated at a newer microversion, a server whose disks lie there may land on a host that does not see
them, which makes them anew from the image without a word; the good ones are deleted when the old host
returns. Evacuated at 2.13 with `onSharedStorage`, that host refuses, and touches nothing (nova 34
compute/manager.py: _do_rebuild_instance, InvalidSharedStorage; both executed with real guests).
"""

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.world import World
from koboshi.domain.names import HostName
from koboshi.domain.rules import Rules

NOT_SEEN = "invalid state of instance files on shared storage"
"""The fault of a server whose destination does not see its disks (nova exception.py:
InvalidSharedStorage)."""


def storage_of(host: HostName, world: World, rules: Rules) -> str | None:
    """Return the aggregate on whose shared storage the disks of a host's servers lie, if any."""
    return next((n for n in rules.shared_aggregates if host in hosts_of(n, world)), None)


def hosts_of(storage: str, world: World) -> frozenset[HostName]:
    """Return the hosts that share a storage."""
    nobody: frozenset[HostName] = frozenset()
    return next((a.hosts for a in world.aggregates or () if a.name == storage), nobody)


def was_not_seen(server: Server) -> bool:
    """Return whether Nova says that a destination did not see the server's disks."""
    return server.vm_state == "error" and NOT_SEEN in (server.fault or "").lower()
