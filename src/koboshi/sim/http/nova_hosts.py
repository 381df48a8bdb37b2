"""Nova's hosts: os-services, os-hypervisors, zones and aggregates.

After nova 34's api/openstack/compute/services.py, hypervisors.py, availability_zone.py.
"""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import COMPUTE_BINARY, Aggregate, ComputeService, Hypervisor
from koboshi.sim.http import rows, schema
from koboshi.sim.http.answering import Service, json_answer
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.commands import CELL_DOWN, carry, who
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.paging import next_link, page
from koboshi.sim.world import World

CELL_DOWN_SUPPORT = (2, 69)
STRICT_QUERY = (2, 75)
MAX_REASON_CHARS = 255
CHANGES = frozenset({"status", "disabled_reason", "forced_down"})
NO_CHANGE = "No updates were requested. Fields 'status' or 'forced_down' should be specified."


def routes(world: World, service: Service) -> list[BaseRoute]:
    """Return the routes."""
    hosts = _Hosts(world)
    v = service.prefix
    return [
        service.route(f"{v}/os-services", hosts.services),
        service.route(f"{v}/os-services/{{id}}", hosts.update, "PUT"),
        service.route(f"{v}/os-hypervisors", hosts.hypervisors),
        service.route(f"{v}/os-hypervisors/detail", hosts.hypervisors_detail),
        service.route(f"{v}/os-hypervisors/{{id}}", hosts.hypervisor),
        service.route(f"{v}/os-availability-zone", hosts.zones),
        service.route(f"{v}/os-availability-zone/detail", hosts.zones_detail),
        service.route(f"{v}/os-aggregates", hosts.aggregates),
    ]


@dataclass(frozen=True, slots=True)
class _Hosts:
    world: World

    async def services(self, call: Call) -> Response:
        """List the services; the filters are applied afterwards, as nova does."""
        call.demand_admin("os_compute_api:os-services:list")
        if call.version >= STRICT_QUERY:
            schema.known_only(call.query, ("binary", "host"))
        found = await self.world.cloud.services()
        if call.version < CELL_DOWN_SUPPORT:
            found = tuple(row for row in found if row.id is not None)
        host, binary = call.query.get("host"), call.query.get("binary")
        shown = [
            rows.service(row, number, call.version)
            for number, row in enumerate(found, 1)
            if (not host or row.host == host) and (not binary or row.binary == binary)
        ]
        return json_answer({"services": shown})

    async def update(self, call: Call) -> Response:
        """Change one service by its UUID (2.53)."""
        call.demand_admin("os_compute_api:os-services:update")
        if call.version < rows.SERVICE_UUIDS:
            raise Refused(400, "'host' is a required property")
        body = await call.document()
        wanted = _wanted(body)
        row = self._by_id(call.part("id"))
        if row.binary != COMPUTE_BINARY:
            raise Refused(
                400,
                f"Updating a {row.binary} service is not supported. Only nova-compute services "
                "can be updated.",
            )
        if not wanted:
            raise Refused(400, NO_CHANGE)
        cloud, host, by = self.world.cloud, row.host, who(call)
        await carry(
            cloud,
            call,
            _call(wanted),
            f"{row.binary}@{host}",
            lambda: cloud.accept_service_update(host, by, **wanted),
            str(wanted.get("disabled_reason") or ""),
        )
        new = cloud.judged(host)
        return json_answer({"service": rows.service(new, self._number(new), call.version)})

    def _by_id(self, identifier: str) -> ComputeService:
        for row in self.world.cloud.rows():
            if row.id == identifier:
                return row
        raise Refused(404, f"Service {identifier} could not be found.")

    def _number(self, row: ComputeService) -> int:
        ids = [r.id for r in self.world.cloud.rows()]
        return ids.index(row.id) + 1

    async def hypervisors(self, call: Call) -> Response:
        """List the hypervisors' names."""
        return await self._hypervisors(call, detail=False)

    async def hypervisors_detail(self, call: Call) -> Response:
        """List the hypervisors."""
        return await self._hypervisors(call, detail=True)

    async def hypervisor(self, call: Call) -> Response:
        """Show one hypervisor."""
        call.demand_admin("os_compute_api:os-hypervisors:show")
        for number, row in enumerate(await self.world.cloud.hypervisors(), 1):
            if row.id == call.part("id"):
                return json_answer({"hypervisor": self._shown(call, row, number, detail=True)})
        raise Refused(404, f"Compute host {call.part('id')} could not be found.")

    async def _hypervisors(self, call: Call, *, detail: bool) -> Response:
        call.demand_admin("os_compute_api:os-hypervisors:list")
        found = await self.world.cloud.hypervisors()
        if not self.world.cloud.cell_works:  # compute/api.py, compute_node_get_all: not tolerant
            raise Refused(500, CELL_DOWN)
        numbers = {row.id: number for number, row in enumerate(found, 1)}
        pattern = call.query.get("hypervisor_hostname_pattern")
        if pattern is not None and call.version >= rows.HYPERVISOR_UUIDS:
            found = tuple(row for row in found if pattern in row.hypervisor_hostname)
            if not found:
                raise Refused(404, f"No hypervisor matching '{pattern}' could be found.")

        def key(row: Hypervisor) -> str:
            return row.id

        shown, more = page(call, found, key)
        document: Document = {
            "hypervisors": [self._shown(call, row, numbers[row.id], detail=detail) for row in shown]
        }
        if more:
            path = "/os-hypervisors/detail" if detail else "/os-hypervisors"
            document["hypervisors_links"] = next_link(call, path, shown[-1].id)
        return json_answer(document)

    def _shown(self, call: Call, row: Hypervisor, number: int, *, detail: bool) -> Document:
        cloud = self.world.cloud
        return rows.hypervisor(
            row,
            cloud.judged(row.host),
            self.world.physics.hosts[row.host],
            lambda: cloud.free(row.host),
            number,
            call.version,
            detail=detail,
        )

    async def zones(self, _call: Call) -> Response:
        """List the zones of enabled compute services."""
        found = await self.world.cloud.services()
        names = sorted({r.zone for r in found if r.enabled and r.binary == COMPUTE_BINARY})
        shown = [_zone(name, None) for name in names]
        return json_answer({"availabilityZoneInfo": shown})

    async def zones_detail(self, call: Call) -> Response:
        """List the zones with their hosts; disabled services and dead cells are left out."""
        call.demand_admin("os_compute_api:os-availability-zone:detail")
        zones: dict[str, dict[str, Document]] = {}
        for row in await self.world.cloud.services():
            if row.enabled and row.id is not None:
                state = {
                    "available": bool(row.up),
                    "active": True,
                    "updated_at": rows.naive(row.updated_at),
                }
                zones.setdefault(row.zone, {}).setdefault(row.host, {})[row.binary] = state
        shown = [_zone(name, hosts) for name, hosts in sorted(zones.items())]
        return json_answer({"availabilityZoneInfo": shown})

    async def aggregates(self, call: Call) -> Response:
        """List the aggregates: one for each zone, one for each rack, and those that were made."""
        call.demand_admin("os_compute_api:os-aggregates:index")
        zones = frozenset(self.world.cloud.zones.values())
        found = await self.world.cloud.aggregates()
        shown = [
            _aggregate(number, row, call, is_zone=row.name in zones)
            for number, row in enumerate(
                sorted(found, key=lambda a: (a.name not in zones, a.name)), 1
            )
        ]
        return json_answer({"aggregates": shown})


def _call(wanted: Document) -> str:
    """Return which of the world's calls a PUT is."""
    if "forced_down" in wanted:
        return "isolate" if wanted["forced_down"] else "lift"
    return "enable" if wanted.get("enabled") else "update_service"


def _wanted(body: Document) -> Document:
    """Return the changes that a PUT asks for, in the world's words. Raises Refused."""
    schema.known_only(body, CHANGES)
    wanted: Document = {}
    status, reason = body.get("status"), body.get("disabled_reason")
    if "status" in body:
        schema.one_of("status", status, ("enabled", "disabled"))
        wanted |= {"enabled": status == "enabled", "disabled_reason": reason}
    if "disabled_reason" in body:
        schema.text("disabled_reason", reason, longest=MAX_REASON_CHARS)
    if "forced_down" in body:
        wanted["forced_down"] = schema.boolean("forced_down", body["forced_down"])
    if reason is not None and status == "enabled":
        raise Refused(400, "Specifying 'disabled_reason' with status 'enabled' is invalid.")
    return wanted


def _zone(name: str, hosts: object) -> Document:
    return {"zoneName": name, "zoneState": {"available": True}, "hosts": hosts}


def _aggregate(number: int, row: Aggregate, call: Call, *, is_zone: bool) -> Document:
    zone = {"availability_zone": row.name} if is_zone else {}
    shown: Document = {
        "id": number,
        "name": row.name,
        "availability_zone": row.name if is_zone else None,
        "hosts": sorted(row.hosts),
        "metadata": {**row.metadata, **zone},
        "created_at": None,
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }
    return shown | (
        {"uuid": rows.uuid_of("aggregate", row.name)} if call.version >= (2, 41) else {}
    )
