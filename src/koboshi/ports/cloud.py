"""The cloud's API, as far as Koboshi calls it.

Reads raise CloudUnavailable (no usable answer), NotAuthorised or InvalidAnswer; they are retried
inside, within bounds. Commands are sent once: they raise CommandRefused when they certainly had no
effect, and OutcomeUnknown when they may have had one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Demand,
    Hypervisor,
    InstanceAction,
    Migration,
    Room,
    Running,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.facts.sweep import SweptServer
from koboshi.domain.names import HostName, ServerId, ServiceId


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptPage:
    """One page of a sweep."""

    rows: tuple[SweptServer, ...]
    has_next: bool


class CloudReader(Protocol):
    """What changes nothing."""

    async def services(self) -> tuple[ComputeService, ...]:
        """Return every service that Nova lists, of every binary."""
        ...

    async def hypervisors(self) -> tuple[Hypervisor, ...]:
        """Return every hypervisor, with its type and management address."""
        ...

    async def aggregates(self) -> tuple[Aggregate, ...]:
        """Return every host aggregate."""
        ...

    async def servers(
        self, host: HostName | None = None, *, project: str | None = None
    ) -> tuple[Server, ...]:
        """Return all servers of all projects (or of one host, or of one project), every page of them.

        A server listed for another host or project than asked raises InvalidAnswer: Nova drops such
        a filter silently for who may not use it.
        """
        ...

    async def sweep(
        self, *, since: datetime | None = None, after: ServerId | None = None
    ) -> SweptPage:
        """Return one page of all servers of all projects, newest server first.

        With `since` (by Nova's clock) only those that changed since then, deleted ones too. `after`
        is the last server of the page before; one that Nova does not know any more raises MarkerGone.
        Servers of a cell that does not answer are missing, and nothing says so.
        """
        ...

    async def server(self, server: ServerId) -> Server | None:
        """Return one server, or None when Nova says that there is none (404)."""
        ...

    async def migrations(
        self,
        *,
        source: HostName | None = None,
        server: ServerId | None = None,
        evacuations_only: bool = False,
        status: str | None = None,
    ) -> tuple[Migration, ...]:
        """Return migration records, newest first, every page of them."""
        ...

    async def server_groups(self) -> tuple[ServerGroup, ...]:
        """Return the server groups of all projects."""
        ...

    async def image(self, image_id: str) -> Image | None:
        """Return an image, or None when Glance has none of this id."""
        ...

    async def volume_backends(self) -> frozenset[str]:
        """Return where Cinder's volumes are served from, as `HOST@BACKEND`; empty without a Cinder."""
        ...

    async def volume(self, volume: str) -> Volume | None:
        """Return a volume as far as Cinder tells it; None where it has none of this id."""
        ...

    async def volumes(self) -> Mapping[str, Volume]:
        """Return all volumes of all projects, by id, every page of them; there must be a Cinder."""
        ...

    async def room(self, demand: Demand) -> tuple[Room, ...]:
        """Return the hosts that can take `demand` now by Placement's account, and what they have left."""
        ...

    async def tpm_hosts(self) -> frozenset[HostName]:
        """Return the hosts that can give a server a vTPM, by Placement's account; dead ones, too."""
        ...

    async def actions(self, server: ServerId) -> tuple[InstanceAction, ...]:
        """Return what was asked of a server of late, newest first; nothing of one that is gone."""
        ...

    async def is_running(self, server: ServerId) -> Running:
        """Ask the server's hypervisor whether it runs, within 5 s; UNKNOWN on anything unclear."""
        ...


class CloudCommands(Protocol):
    """What changes something; each is sent exactly once."""

    async def isolate(self, service: ServiceId, reason: str) -> None:
        """Disable the service with `reason` and force it down, in one PUT (2.53)."""
        ...

    async def lift(self, service: ServiceId) -> None:
        """Lift force-down from the service; it stays disabled. Nova may refuse (400)."""
        ...

    async def enable(self, service: ServiceId) -> None:
        """Enable the service."""
        ...

    async def disable(self, service: ServiceId, reason: str) -> None:
        """Disable the service with `reason`; with none where it is empty."""
        ...

    async def evacuate(self, server: ServerId, destination: HostName) -> None:
        """Ask Nova to evacuate the server to `destination` (2.68: the scheduler checks it)."""
        ...

    async def evacuate_on_shared_storage(self, server: ServerId) -> None:
        """Ask Nova to evacuate the server to a host that sees its disks (2.13: any other refuses)."""
        ...

    async def stop(self, server: ServerId) -> None:
        """Stop a server (one that was stopped before its evacuation booted it)."""
        ...

    async def start(self, server: ServerId) -> None:
        """Start a stopped server where it is; Nova refuses (409) any other."""
        ...

    async def reboot_hard(self, server: ServerId) -> None:
        """Stop what runs of a server, and make its guest anew from its disks where they are."""
        ...


class Cloud(CloudReader, CloudCommands, Protocol):
    """Both."""
