"""Nova's migration records and server groups.

After nova 34's api/openstack/compute/migrations.py and server_groups.py.
"""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import Migration, ServerGroup
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import rows, schema
from koboshi.sim.http.answering import Service, json_answer
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.listing import moment
from koboshi.sim.http.paging import MAX_LIMIT, next_link, page
from koboshi.sim.http.users import id_of
from koboshi.sim.world import World

PAGED = (2, 59)
NO_MARKER = "Marker {} could not be found."
PARAMETERS = frozenset(
    {"hidden", "host", "instance_uuid", "source_compute", "status", "migration_type", "limit"}
    | {"marker", "changes-since"}
)
"""What 2.59 knows; anything else is a 400 (schemas/migrations.py)."""


def routes(world: World, service: Service) -> list[BaseRoute]:
    """Return the routes."""
    records = _Records(world)
    v = service.prefix
    return [
        service.route(f"{v}/os-migrations", records.migrations),
        service.route(f"{v}/servers/{{id}}/migrations", records.in_progress),
        service.route(f"{v}/os-server-groups", records.groups),
        service.route(f"{v}/os-server-groups/{{id}}", records.group),
    ]


@dataclass(frozen=True, slots=True)
class _Records:
    world: World

    async def migrations(self, call: Call) -> Response:
        """List the records, newest first."""
        call.demand_admin("os_compute_api:os-migrations:index")
        query = call.query
        _only_known(call)
        source, server = query.get("source_compute"), query.get("instance_uuid")
        found = await self.world.cloud.migrations(
            source=HostName(source) if source is not None else None,
            server=ServerId(server) if server is not None else None,
            status=query.get("status"),
        )
        kind, host = query.get("migration_type"), query.get("host")
        since, before = moment(call, "changes-since"), moment(call, "changes-before")
        fit = [
            row
            for row in found
            if (kind is None or row.type == kind)
            and (host is None or host in {row.source, row.destination})
            and (since is None or (row.updated_at is not None and row.updated_at >= since))
            and (before is None or (row.updated_at is not None and row.updated_at <= before))
        ]
        document: Document = {}
        if call.version >= PAGED:
            shown, more = page(call, fit, _id, NO_MARKER)
            if more:
                document["migrations_links"] = next_link(call, "/os-migrations", shown[-1].id)
        else:
            shown = fit
        numbers = {row.id: number for number, row in enumerate(self.world.cloud.records, 1)}
        return json_answer(
            {"migrations": [self._shown(call, row, numbers[row.id]) for row in shown]} | document
        )

    async def in_progress(self, call: Call) -> Response:
        """List a server's live migrations that are under way: never an evacuation."""
        found = await self.world.cloud.migrations(server=ServerId(call.part("id")))
        numbers = {row.id: number for number, row in enumerate(self.world.cloud.records, 1)}
        shown = [
            self._shown(call, row, numbers[row.id])
            for row in found
            if row.type == "live-migration" and row.status in rows.IN_PROGRESS
        ]
        return json_answer({"migrations": shown})

    async def groups(self, call: Call) -> Response:
        """List the server groups; there are no markers, but an offset."""
        found = await self.world.cloud.server_groups()
        begin, limit = call.number("offset", 0), call.number("limit", MAX_LIMIT) or MAX_LIMIT
        if not (call.flag("all_projects") and call.token.user.is_admin):
            mine = call.token.user.project_id
            found = tuple(g for g in found if self._project_of(g) == mine)
        shown = [self._group(call, g) for g in found[begin : begin + min(limit, MAX_LIMIT)]]
        return json_answer({"server_groups": shown})

    async def group(self, call: Call) -> Response:
        """Show one server group."""
        for found in await self.world.cloud.server_groups():
            if found.id == call.part("id"):
                return json_answer({"server_group": self._group(call, found)})
        raise Refused(404, f"Instance group {call.part('id')} could not be found.")

    def _shown(self, call: Call, row: Migration, number: int) -> Document:
        server = self.world.cloud.servers_by_id.get(row.server)
        return rows.migration(row, number, server, call.version)

    def _project_of(self, group: ServerGroup) -> str:
        servers = self.world.cloud.servers_by_id
        members = [servers[m].project_id for m in group.members if m in servers]
        return members[0] if members else ""

    def _group(self, call: Call, group: ServerGroup) -> Document:
        members = sorted(m for m in group.members if m in self.world.cloud.servers_by_id)
        shown: Document = {"id": group.id, "name": group.name or group.id, "members": members}
        if call.version >= (2, 13):
            shown |= {"project_id": self._project_of(group), "user_id": id_of("user", "admin")}
        if call.version >= (2, 64):
            return shown | {"policy": group.policy, "rules": {}}
        return shown | {"policies": [group.policy], "metadata": {}}


def _id(row: Migration) -> str:
    return row.id


def _only_known(call: Call) -> None:
    known = set(PARAMETERS)
    if call.version >= (2, 66):
        known.add("changes-before")
    if call.version >= (2, 80):
        known |= {"user_id", "project_id"}
    if call.version < PAGED:
        return
    schema.known_only(call.query, known)
