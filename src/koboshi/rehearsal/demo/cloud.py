"""The cloud of the demo: a few hosts, and on the one that dies a server of each kind."""

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, ServerId
from koboshi.rehearsal.spec import Disks, ServerSpec, server_of
from koboshi.sim.http.users import NAMES
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host

HOSTS = tuple(HostName(f"compute{n}") for n in range(1, 5))
VICTIM = HOSTS[0]
HEARTBEAT_S = 1.0
"""nova's report_interval here; its default is 10 s, which would make the demo's beginning long."""
DOWN_AFTER_S = 6.0
"""nova's service_down_time here: six heartbeats, as by default."""
BOOT_S = 1.0
SPAWN_S = 0.5
"""Hosts boot in a minute or more, and servers spawn in seconds: nobody watches for that long."""


class Fate(StrEnum):
    """What must become of a server when its host dies, whatever Koboshi thinks."""

    BACK = "back"
    """It runs again, on another host."""
    MOVED = "moved"
    """It was off and is off, and belongs to another host now."""
    HELD = "held"
    """It waits where its data is, and runs there again when its host is home."""
    LEFT = "left"
    """Its owner does not want it to be touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One server of the demo."""

    name: str
    kind: str
    """Its disks, in words."""
    fate: Fate
    disks: Disks = Disks.VOLUMES
    vm_state: str = "active"
    project: str = "shop"
    ha_enabled: str | None = None
    ram_mb: int = 2_048

    def row(self, host: HostName) -> Server:
        """Return Nova's row of it."""
        spec = ServerSpec(
            host=host,
            disks=self.disks,
            vm_state=self.vm_state,
            project=self.project,
            ram_mb=self.ram_mb,
            metadata={} if self.ha_enabled is None else {"HA_Enabled": self.ha_enabled},
        )
        row = server_of(self.name, spec)
        volumes = tuple(_uuid(volume) for volume in row.volume_ids)
        return replace(row, id=ServerId(_uuid(self.name)), volume_ids=volumes)


def _uuid(name: str) -> str:
    return str(uuid.uuid5(NAMES, f"demo:{name}"))


SERVERS = (
    Cast(name="shop-db", kind="volume", fate=Fate.BACK, ram_mb=8_192),
    Cast(name="shop-web", kind="volume", fate=Fate.BACK),
    Cast(name="mail", kind="volume", fate=Fate.BACK, ram_mb=4_096, project="office"),
    Cast(name="reports", kind="volume; switched off", fate=Fate.MOVED, vm_state="stopped"),
    Cast(name="cache", kind="local root", fate=Fate.HELD, disks=Disks.IMAGE),
    Cast(
        name="build-agent",
        kind="local root + volume",
        fate=Fate.HELD,
        disks=Disks.IMAGE_AND_VOLUME,
        project="office",
    ),
    Cast(
        name="analytics",
        kind="volume + local swap",
        fate=Fate.HELD,
        disks=Disks.VOLUMES_AND_SWAP,
    ),
    Cast(
        name="sandbox",
        kind="volume; HA_Enabled=False",
        fate=Fate.LEFT,
        project="office",
        ha_enabled="False",
    ),
)
"""What runs on the host that dies."""
SHARED = frozenset(HOSTS[2:])
"""Hosts that keep their servers' disks on one storage that they share."""
NEIGHBOURS: tuple[tuple[Cast, HostName], ...] = (
    (Cast(name="wiki", kind="volume", fate=Fate.BACK, project="office"), HOSTS[1]),
    (Cast(name="git", kind="root on shared storage", fate=Fate.BACK, disks=Disks.IMAGE), HOSTS[2]),
    (Cast(name="chat", kind="root on shared storage", fate=Fate.BACK, disks=Disks.IMAGE), HOSTS[3]),
)
"""What runs elsewhere, and must not notice anything.

This version of Koboshi takes shared storage for a local disk: it would hold git and chat.
"""


def build() -> SimCloud:
    """Return the cloud before its first moment; must be called on the loop that it lives by."""
    hosts = [
        Host(
            name=name,
            address="",
            boot_s=BOOT_S,
            spawn_s=SPAWN_S,
            storage="nfs" if name in SHARED else None,
        )
        for name in HOSTS
    ]
    return SimCloud(hosts, heartbeat_s=HEARTBEAT_S, down_after_s=DOWN_AFTER_S)


def furnish(cloud: SimCloud) -> None:
    """Put the servers into a cloud that has begun."""
    for server in SERVERS:
        cloud.add(server.row(VICTIM))
    for server, host in NEIGHBOURS:
        cloud.add(server.row(host))
