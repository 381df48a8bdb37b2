"""The names of things. A type of its own for each keeps a host from passing for a server."""

from typing import NewType

HostName = NewType("HostName", str)
"""A compute service's `host`, exactly as Nova spells it."""

NetworkName = NewType("NetworkName", str)
"""A network over which hosts are asked, as the settings name it."""

MANAGEMENT = NetworkName("management")
"""The network of the hosts' management addresses: always asked, and the one that counts."""

ServerId = NewType("ServerId", str)
"""A server's UUID."""

ServiceId = NewType("ServiceId", str)
"""A compute service's UUID (compute API 2.53 and later)."""

MigrationId = NewType("MigrationId", str)
"""A migration record's UUID (compute API 2.59 and later)."""

IncidentId = NewType("IncidentId", str)
"""An incident of one host, as the journal and an operator name it."""

CommandId = NewType("CommandId", str)
"""One command that Koboshi meant to carry out, from its intent to its outcome."""

DomainName = NewType("DomainName", str)
"""Hosts that can fail together for one cause: a rack behind its switch, a power feed."""

CellName = NewType("CellName", str)
"""A Nova cell, as the settings name it (no API tells a service's cell)."""

THE_CELL = CellName("default")
"""The cell of every host that no setting places in another one."""
