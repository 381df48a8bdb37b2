"""What the troubles of one cloud may be about."""

from dataclasses import dataclass
from typing import Self

from koboshi.rehearsal.spec import CloudSpec

VICTIM = "h1"
"""Whom troubles befall most: those that meet make the story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """Its hosts, servers and racks, by what a trouble needs."""

    hosts: tuple[str, ...]
    servers: tuple[str, ...]
    of_victim: tuple[str, ...] = ()
    """Those on the victim that run."""
    empty: tuple[str, ...] = ()
    """Hosts without any server."""
    racks: tuple[str, ...] = ()

    @classmethod
    def of(cls, cloud: CloudSpec) -> Self:
        """Return everything in a cloud."""
        hosts = tuple(map(str, cloud.host_names))
        taken = {server.host for server in cloud.server.values()}
        return cls(
            hosts=hosts,
            servers=tuple(sorted(cloud.server)),
            of_victim=tuple(
                name
                for name, server in sorted(cloud.server.items())
                if (server.host, server.vm_state, server.task_state) == (VICTIM, "active", None)
            ),
            empty=tuple(h for h in hosts if h not in taken),
            racks=tuple(sorted(cloud.racks)),
        )

    @property
    def others(self) -> tuple[str, ...]:
        """Return all hosts but the victim."""
        return tuple(h for h in self.hosts if h != VICTIM)
