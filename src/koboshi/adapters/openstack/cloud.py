"""Every call that Koboshi makes to a cloud, each fixed to its microversion.

The microversions are the oldest that give what is needed: 2.48 diagnostics by the hypervisor,
2.53 services by UUID, 2.58 instance actions with paging, 2.59 migration records with paging, 2.64 a group's policy, 2.69 a cell that
does not answer is named, 2.72 servers with their flavor, and 2.96, where Nova has it, with the zone that was asked for. Evacuate is 2.68 exactly: the scheduler
checks the destination, and 2.95 would leave the server stopped (nova 34 api/evacuate.py). Only a
server whose disks lie on shared storage is evacuated at 2.13, the newest version that has a
destination compare that with what it sees (api/openstack/compute/evacuate.py, `onSharedStorage`).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from koboshi.adapters.openstack import bulk, facts, shapes, stock_shapes
from koboshi.adapters.openstack.access import CloudAccess, load
from koboshi.adapters.openstack.agents import read_agents
from koboshi.adapters.openstack.calls import OK, Calls, reason
from koboshi.adapters.openstack.capacity import TPM_TRAITS, Capacity
from koboshi.adapters.openstack.health import ApiHealth, HealthRecord
from koboshi.adapters.openstack.identity import Carrier, Grant, Identity
from koboshi.adapters.openstack.listing import (
    BAD_REQUEST,
    PAGE,
    by_marker,
    by_offset,
    raise_bad_marker,
)
from koboshi.adapters.openstack.wire import Answer, Request, TimeLimits, Wire, new_client
from koboshi.domain.errors import (
    CommandRefused,
    ConfigurationError,
    InvalidAnswer,
    VersionRefused,
)
from koboshi.domain.facts import world as domain_world
from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Demand,
    Hypervisor,
    InstanceAction,
    Migration,
    NetworkAgent,
    Room,
    Running,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.names import HostName, ServerId, ServiceId
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import SweptPage

NOT_FOUND, CONFLICT = 404, 409
TELLS_ASKED_ZONE, BEFORE = "2.96", "2.72"
"""From 2.96 (Nova 29) on a server tells the zone that was asked for; before, only the one that it is in."""
MAX_REASON_CHARS = 255
"""Nova's bound on disabled_reason."""
ACTIONS_READ = 20
"""So many of a server's newest actions tell who stopped it."""
RUNS = frozenset({"running", "paused"})
ReadT = TypeVar("ReadT")


class OpenStackCloud:
    """Implements `koboshi.ports.cloud.Cloud`."""

    def __init__(
        self, identity: Identity, calls: Calls, clock: Clock, health: HealthRecord
    ) -> None:
        self._identity = identity
        self._health = health
        self._capacity = Capacity(calls, clock, self.hypervisors)
        self._servers_at = TELLS_ASKED_ZONE
        self.calls = calls

    @property
    def label(self) -> str:
        """Return the cloud's name and where it is written."""
        return self._identity.label

    @property
    def health(self) -> ApiHealth:
        """Return how the API did in the last 30 s."""
        return self._health.recent()

    def api_health(self) -> domain_world.ApiHealth:
        """Return the same as the domain counts it."""
        recent = self.health
        return domain_world.ApiHealth(
            asked=recent.successes + recent.failures, failed=recent.failures, p95_s=recent.p95_s
        )

    async def grant(self) -> Grant:
        """Return who we are: the token with its user, project, roles and catalog."""
        return await self._identity.grant(renew=False)

    async def verify(self) -> None:
        """Authenticate and find every service, so that a wrong setting stops the start.

        Raises ConfigurationError, NotAuthorised, CloudUnavailable or InvalidAnswer.
        """
        grant = await self.grant()
        for service in ("compute", "placement", "image"):
            self._identity.endpoint(service, grant)

    async def services(self) -> tuple[ComputeService, ...]:
        """Return every service that Nova lists, of every binary."""
        limit_s = self.calls.limits.services_s
        answer = await self.calls.read(
            _compute("GET", "/os-services", "2.69"),
            try_s=limit_s,
            total_s=limit_s,
        )
        return facts.services(bulk.parse(bulk.Services, answer).services)

    async def hypervisors(self) -> tuple[Hypervisor, ...]:
        """Return every hypervisor, with its type and management address."""

        def page(answer: Answer) -> tuple[list[shapes.Hypervisor], bool]:
            parsed = shapes.parse(shapes.Hypervisors, answer)
            return parsed.hypervisors, _has_next(parsed.links)

        request = _compute("GET", "/os-hypervisors/detail", "2.53")
        rows = await by_marker(self.calls, request, page, lambda row: row.id)
        return tuple(facts.hypervisor(row) for row in rows)

    async def aggregates(self) -> tuple[Aggregate, ...]:
        """Return every host aggregate; Nova gives them in one page."""
        answer = await self.calls.read(_compute("GET", "/os-aggregates", "2.41"))
        rows = shapes.parse(shapes.Aggregates, answer).aggregates
        return tuple(
            Aggregate(
                name=row.name,
                hosts=frozenset(HostName(h) for h in row.hosts),
                metadata=row.metadata,
            )
            for row in rows
        )

    async def servers(
        self, host: HostName | None = None, *, project: str | None = None
    ) -> tuple[Server, ...]:
        """Return all servers of all projects (or of one host or project), every page of them."""

        def page(answer: Answer) -> tuple[list[shapes.Server], bool]:
            parsed = shapes.parse(shapes.Servers, answer)
            return parsed.servers, _has_next(parsed.links)

        params = {"all_tenants": "1"} | ({"host": host} if host is not None else {})
        params |= {"project_id": project} if project is not None else {}

        def read(version: str) -> Awaitable[list[shapes.Server]]:
            request = _compute("GET", "/servers/detail", version, params)
            return by_marker(self.calls, request, page, lambda row: row.id)

        rows = await self._at_best(read)
        return facts.only_of(host, project, tuple(facts.server(row) for row in rows))

    async def _at_best(self, read: Callable[[str], Awaitable[ReadT]]) -> ReadT:
        """Read servers at the version that tells more; where Nova refuses it, at the older one from now on."""
        try:
            return await read(self._servers_at)
        except VersionRefused:
            if self._servers_at == BEFORE:
                raise
            self._servers_at = BEFORE
            return await read(BEFORE)

    async def sweep(
        self, *, since: datetime | None = None, after: ServerId | None = None
    ) -> SweptPage:
        """Return one page of all servers, or of those that changed (the deleted ones, too)."""
        params = {"all_tenants": "1", "limit": str(PAGE)}
        if since is not None:
            params["changes-since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if after is not None:
            params["marker"] = after
        request = _compute("GET", "/servers/detail", "2.72", params)
        expect = frozenset({OK, BAD_REQUEST} if after is not None else {OK})
        answer = await self.calls.read(request, expect=expect)
        if answer.status == BAD_REQUEST:
            raise_bad_marker(answer)
        parsed = bulk.parse(bulk.SweptServers, answer)
        rows = tuple(facts.swept(row) for row in parsed.servers)
        has_next = any(link.rel == "next" for link in parsed.servers_links)
        if has_next and (not rows or rows[-1].id == after):
            raise InvalidAnswer(f"{request.label}: the same page again and again")
        return SweptPage(rows=rows, has_next=has_next)

    async def server(self, server: ServerId) -> Server | None:
        """Return one server, or None when Nova says that there is none (404)."""

        def read(version: str) -> Awaitable[Answer]:
            request = _compute("GET", f"/servers/{quote(server, safe='')}", version)
            return self.calls.read(request, expect=frozenset({OK, NOT_FOUND}))

        answer = await self._at_best(read)
        if answer.status == NOT_FOUND:
            return _really_absent(answer)
        facts.living_cell(shapes.parse(shapes.OneDownServer, answer).server, server)
        return facts.server(shapes.parse(shapes.OneServer, answer).server)

    async def migrations(
        self,
        *,
        source: HostName | None = None,
        server: ServerId | None = None,
        evacuations_only: bool = False,
        status: str | None = None,
    ) -> tuple[Migration, ...]:
        """Return migration records, newest first, every page of them."""

        def page(answer: Answer) -> tuple[list[shapes.Migration], bool]:
            parsed = shapes.parse(shapes.Migrations, answer)
            return parsed.migrations, _has_next(parsed.links)

        wanted = {
            "source_compute": source,
            "instance_uuid": server,
            "migration_type": "evacuation" if evacuations_only else None,
            "status": status,
        }
        params = {key: value for key, value in wanted.items() if value is not None}
        request = _compute("GET", "/os-migrations", "2.59", params)
        rows = await by_marker(self.calls, request, page, lambda row: row.uuid)
        return facts.matching(
            tuple(facts.migration(row) for row in rows),
            source=source,
            server=server,
            evacuations_only=evacuations_only,
            status=status,
        )

    async def actions(self, server: ServerId) -> tuple[InstanceAction, ...]:
        """Return what was asked of a server of late, newest first; nothing of one that is gone."""
        path = f"/servers/{quote(server, safe='')}/os-instance-actions"
        request = _compute("GET", path, "2.58", {"limit": str(ACTIONS_READ)})
        answer = await self.calls.read(request, expect=frozenset({OK, NOT_FOUND}))
        if answer.status == NOT_FOUND:
            _really_absent(answer)
            return ()
        rows = shapes.parse(shapes.InstanceActions, answer).actions
        return tuple(
            InstanceAction(name=row.action, user=row.user_id, at=row.start_time) for row in rows
        )

    async def agents(self) -> tuple[NetworkAgent, ...]:
        """Return every agent of Neutron's, on every host."""
        return await read_agents(self.calls)

    async def has_neutron(self) -> bool:
        """Return whether the catalog names a Neutron. Raises CloudError without a token."""
        try:
            self._identity.endpoint("network", await self.grant())
        except ConfigurationError:
            return False
        return True

    async def server_groups(self) -> tuple[ServerGroup, ...]:
        """Return the server groups of all projects."""
        rows = await by_offset(
            self.calls,
            _compute("GET", "/os-server-groups", "2.64", {"all_projects": "true"}),
            lambda answer: shapes.parse(shapes.ServerGroups, answer).server_groups,
            lambda row: row.id,
        )
        return tuple(facts.server_group(row) for row in rows)

    async def image(self, image_id: str) -> Image | None:
        """Return an image, or None when Glance has none of this id."""
        request = Request(
            service="image",
            method="GET",
            path=f"/images/{quote(image_id, safe='')}",
        )
        answer = await self.calls.read(request, expect=frozenset({OK, NOT_FOUND}))
        if answer.status == NOT_FOUND:
            return None
        return stock_shapes.image_of(bulk.parse(dict[str, Any], answer))

    async def volume_backends(self) -> frozenset[str]:
        """Return where Cinder's volumes are served from; a cloud without a Cinder has none."""
        if not await self._has_cinder():
            return frozenset()
        params = {"binary": "cinder-volume"}
        request = Request(service="volumev3", method="GET", path="/os-services", params=params)
        rows = bulk.parse(bulk.VolumeServices, await self.calls.read(request)).services
        return frozenset(row.host for row in rows if row.binary == "cinder-volume")

    async def volume(self, volume: str) -> Volume | None:
        """Return a volume as far as Cinder tells it; None where there is no such volume, or no Cinder."""
        if not await self._has_cinder():
            return None
        path = f"/volumes/{quote(volume, safe='')}"
        request = Request(service="volumev3", method="GET", path=path)
        answer = await self.calls.read(request, expect=frozenset({OK, NOT_FOUND}))
        if answer.status == NOT_FOUND:
            return None
        return stock_shapes.volume_of(bulk.parse(stock_shapes.VolumeDetail, answer).volume)

    async def volumes(self) -> Mapping[str, Volume]:
        """Return all volumes of all projects, by id, every page of them; there must be a Cinder."""

        def page(answer: Answer) -> tuple[list[stock_shapes.Volume], bool]:
            parsed = bulk.parse(stock_shapes.Volumes, answer)
            return parsed.volumes, any(link.rel == "next" for link in parsed.links)

        params = {"all_tenants": "1"}
        request = Request(service="volumev3", method="GET", path="/volumes/detail", params=params)
        rows = await by_marker(self.calls, request, page, lambda row: row.id)
        return {row.id: stock_shapes.volume_of(row) for row in rows}

    async def _has_cinder(self) -> bool:
        try:
            self._identity.endpoint("volumev3", await self.grant())
        except ConfigurationError:
            return False
        return True

    async def room(self, demand: Demand) -> tuple[Room, ...]:
        """Return the hosts that can take `demand` now by Placement's account."""
        return await self._capacity.room(demand)

    async def tpm_hosts(self) -> frozenset[HostName]:
        """Return the hosts that can give a server a vTPM, by Placement's account."""
        return await self._capacity.with_any(TPM_TRAITS)

    async def is_running(self, server: ServerId) -> Running:
        """Ask the server's hypervisor whether it runs, within 5 s; UNKNOWN on anything unclear."""
        answer = await self.diagnostics(server)
        if answer is None or answer.is_html:
            return Running.UNKNOWN
        if answer.status == CONFLICT:
            return Running.NO
        try:
            if answer.status == OK and shapes.parse(shapes.Diagnostics, answer).state in RUNS:
                return Running.YES
        except InvalidAnswer:
            pass
        return Running.UNKNOWN

    async def diagnostics(self, server: ServerId) -> Answer | None:
        """Return whatever Nova answers about the server's guest; None when nothing came."""
        request = _compute("GET", f"/servers/{quote(server, safe='')}/diagnostics", "2.48")
        return await self.calls.ask_once(request, timeout_s=self.calls.limits.diagnostics_s)

    async def isolate(self, service: ServiceId, reason: str) -> None:
        """Disable the service with `reason` and force it down, in one PUT (2.53)."""
        # nova-compute itself enables again what is marked with its own prefix.
        if not 0 < len(reason) <= MAX_REASON_CHARS or reason.startswith("AUTO:"):
            raise CommandRefused(f"never sent: {reason!r} is no disabled_reason of ours")
        body = {"status": "disabled", "disabled_reason": reason, "forced_down": True}
        await self.calls.command(
            _compute("PUT", f"/os-services/{quote(service, safe='')}", "2.53", body=body),
            accept=_is_isolated,
        )

    async def lift(self, service: ServiceId) -> None:
        """Lift force-down from the service; it stays disabled. Nova may refuse (400)."""
        await self._update(service, {"forced_down": False})

    async def enable(self, service: ServiceId) -> None:
        """Enable the service."""
        await self._update(service, {"status": "enabled"})

    async def disable(self, service: ServiceId, reason: str) -> None:
        """Disable the service with `reason`; with none where it is empty (Nova then forgets the old one)."""
        body: dict[str, object] = {"status": "disabled"}
        await self._update(service, body | ({"disabled_reason": reason} if reason else {}))

    async def _update(self, service: ServiceId, body: dict[str, object]) -> None:
        await self.calls.command(
            _compute("PUT", f"/os-services/{quote(service, safe='')}", "2.53", body=body),
            accept=lambda _: True,
        )

    async def evacuate(self, server: ServerId, destination: HostName) -> None:
        """Ask Nova to evacuate the server to `destination` (2.68: the scheduler checks it)."""
        await self._act(server, "2.68", {"evacuate": {"host": destination}})

    async def evacuate_on_shared_storage(self, server: ServerId) -> None:
        """Ask Nova to evacuate the server to a host that sees its disks (2.13: any other refuses).

        No destination is named: before 2.29 the scheduler would not be asked about it.
        """
        await self._act(server, "2.13", {"evacuate": {"onSharedStorage": True}})

    async def stop(self, server: ServerId) -> None:
        """Stop a server (one that was stopped before its evacuation booted it)."""
        await self._act(server, "2.72", {"os-stop": None})

    async def start(self, server: ServerId) -> None:
        """Start a stopped server where it is; Nova refuses (409) any other."""
        await self._act(server, "2.72", {"os-start": None})

    async def reboot_hard(self, server: ServerId) -> None:
        """Stop what runs of a server, and make its guest anew from its disks where they are."""
        await self._act(server, "2.72", {"reboot": {"type": "HARD"}})

    async def _act(self, server: ServerId, microversion: str, body: dict[str, object]) -> None:
        path = f"/servers/{quote(server, safe='')}/action"
        await self.calls.command(
            _compute("POST", path, microversion, body=body),
            accept=lambda _: True,
        )


@asynccontextmanager
async def connect(
    access: CloudAccess,
    *,
    clock: Clock,
    limits: TimeLimits | None = None,
    on_request: Callable[[bool], None] = lambda _answered: None,
    transport: httpx2.AsyncBaseTransport | None = None,
    keystone: Carrier | None = None,
) -> AsyncGenerator[OpenStackCloud]:
    """Give the cloud that `access` names. Sends nothing yet; `verify` does.

    `on_request` hears of each request, and whether it got a usable answer. `transport` replaces the
    network of the services, `keystone` the way to Keystone. Raises ConfigurationError.
    """
    limits = limits or TimeLimits()
    credentials = load(access)
    tls = credentials.tls()
    identity = Identity(credentials, clock, timeout_s=limits.identity_s, carrier=keystone)
    health = HealthRecord(clock, on_request=on_request)
    async with (
        new_client(verify=tls, limits=limits, transport=transport) as kept,
        new_client(verify=tls, limits=limits, transport=transport, keep_alive=False) as fresh,
    ):
        calls = Calls(
            identity,
            Wire(identity, clock, kept, health),
            Wire(identity, clock, fresh, health),
            limits,
        )
        yield OpenStackCloud(identity, calls, clock, health)


def _compute(
    method: str,
    path: str,
    microversion: str,
    params: dict[str, str] | None = None,
    *,
    body: object = None,
) -> Request:
    return Request(
        service="compute",
        method=method,
        path=path,
        microversion=microversion,
        params=params or {},
        json=body,
    )


def _has_next(links: list[shapes.Link]) -> bool:
    return any(link.rel == "next" for link in links)


def _really_absent(answer: Answer) -> None:
    """Return None for Nova's own 404; a proxy's says nothing about the server."""
    if answer.is_html or b"itemNotFound" not in answer.body:
        raise InvalidAnswer(f"{answer.request.label}: HTTP 404, but not Nova's: {reason(answer)}")


def _is_isolated(answer: Answer) -> bool:
    try:
        service = shapes.parse(shapes.OneService, answer).service
    except InvalidAnswer:
        return False
    return service.forced_down and service.status == "disabled"
