"""Neutron: the agents on the hosts, one network, and a security group."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Port
from koboshi.sim.http.answering import Service, json_answer, root_of
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.keystone import Keystone
from koboshi.sim.http.paging import next_link, page
from koboshi.sim.http.rows import uuid_of
from koboshi.sim.http.users import id_of
from koboshi.sim.physics import Host
from koboshi.sim.world import World

PREFIX = "/network"
SHOWN = "%Y-%m-%d %H:%M:%S"
"""Seconds without a zone (neutron db/agents_db.py: the model's datetimes as they are)."""
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
"""Since when an agent exists, and its newest report where none was ever sent: only reports move it."""
TYPES = {404: "HTTPNotFound", 400: "BadRequest", 403: "PolicyNotAuthorized"}


NO_FILTERS = frozenset(
    {"binding:vnic_type", "binding:profile", "binding:vif_type", "binding:vif_details"}
    | {"resource_request"}
)
"""Attributes of ports by which none can be chosen (neutron-lib api/definitions: no `is_filter`)."""


def error_body(status: int, message: str) -> Document:
    """Return an error as neutron writes it."""
    kind = TYPES.get(status, "HTTPInternalServerError")
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def routes(world: World, keystone: Keystone) -> list[BaseRoute]:
    """Return the routes."""
    service = Service(keystone=keystone, prefix=PREFIX, error_body=error_body)
    neutron = _Neutron(world)
    v = f"{PREFIX}/v2.0"
    return [
        service.open_route(PREFIX, _versions),
        service.open_route(f"{PREFIX}/", _versions),
        service.route(f"{v}/extensions", neutron.extensions),
        service.route(f"{v}/agents", neutron.agents),
        service.route(f"{v}/agents/{{id}}", neutron.agent),
        service.route(f"{v}/networks", neutron.networks),
        service.route(f"{v}/ports", neutron.ports),
        service.route(f"{v}/security-groups", neutron.security_groups),
    ]


def _versions(request: Request) -> Response:
    links = [{"rel": "self", "href": f"{root_of(request)}{PREFIX}/v2.0/"}]
    return json_answer({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


def _fields(shown: Document, wanted: Sequence[str]) -> Document:
    """Return what `fields` asks for: all of it without."""
    return {k: v for k, v in shown.items() if not wanted or k in wanted}


def _port(port: Port, server: Server) -> Document:
    groups = [{"id": uuid_of("group", port.id), "resources": dict.fromkeys(port.resources, 1000)}]
    return {
        "id": port.id,
        "device_id": server.id,
        "device_owner": "compute:nova",
        "project_id": server.project_id,
        "binding:host_id": server.host,
        "binding:vnic_type": port.vnic_type,
        "resource_request": {"request_groups": groups} if port.resources else None,
    }


@dataclass(frozen=True, slots=True)
class _Neutron:
    world: World

    async def extensions(self, _call: Call) -> Response:
        """List the one extension that is asked for."""
        await self.world.cloud.line.read("extensions")
        shown: Document = {
            "alias": "agent",
            "name": "agent",
            "description": "",
            "links": [],
            "updated": "",
        }
        return json_answer({"extensions": [shown]})

    async def agents(self, call: Call) -> Response:
        """List the hosts' agents. They are alive as long as their host reaches the message bus."""
        await self.world.cloud.line.read("agents")
        host = call.query.get("host")
        machines = self.world.physics.hosts.values()
        fitting = (m for m in machines if host in {None, m.name})
        shown, has_next = page(call, fitting, lambda m: uuid_of("agent", m.name))
        agents = [
            _fields(self._agent(m), call.request.query_params.getlist("fields")) for m in shown
        ]
        answer: Document = {"agents": agents}
        if has_next and "limit" in call.query:
            last = uuid_of("agent", shown[-1].name)
            answer["agents_links"] = next_link(call, f"{PREFIX}/v2.0/agents", last)
        return json_answer(answer)

    async def agent(self, call: Call) -> Response:
        """Show one agent."""
        await self.world.cloud.line.read("agents")
        for machine in self.world.physics.hosts.values():
            if (shown := self._agent(machine))["id"] == call.part("id"):
                return json_answer({"agent": shown})
        raise Refused(404, f"Agent {call.part('id')} could not be found.")

    async def networks(self, call: Call) -> Response:
        """List the one network."""
        await self.world.cloud.line.read("networks")
        network: Document = {
            "id": uuid_of("network", "private"),
            "name": "private",
            "status": "ACTIVE",
            "admin_state_up": True,
            "shared": True,
            "router:external": False,
            "subnets": [],
            "project_id": id_of("project", "admin"),
            "tenant_id": id_of("project", "admin"),
        }
        fits = call.query.get("name") in {None, "private"}
        return json_answer({"networks": [network] if fits else []})

    async def ports(self, call: Call) -> Response:
        """List the ports that ask something of a host; all others are left out: nobody asks for them.

        What is no filter is refused (neutron 28 api/api_common.py: get_filters_from_dict).
        """
        await self.world.cloud.line.read("ports")
        strangers = sorted(set(call.query) & NO_FILTERS)
        if strangers:
            raise Refused(400, f"{strangers} is invalid attribute for filtering")
        mine = None if call.token.user.is_admin else call.token.user.project_id
        servers = self.world.cloud.servers_by_id
        fit = [
            (port, row)
            for port in self.world.cloud.catalogue.ports
            if (row := servers.get(port.server)) is not None
            and mine in {None, row.project_id}
            and call.query.get("device_id") in {None, row.id}
        ]
        shown, has_next = page(call, fit, lambda found: found[0].id)
        wanted = call.request.query_params.getlist("fields")
        answer: Document = {"ports": [_fields(_port(p, row), wanted) for p, row in shown]}
        if has_next and "limit" in call.query:
            answer["ports_links"] = next_link(call, f"{PREFIX}/v2.0/ports", shown[-1][0].id)
        return json_answer(answer)

    async def security_groups(self, call: Call) -> Response:
        """List the asker's own group."""
        await self.world.cloud.line.read("security_groups")
        group: Document = {
            "id": uuid_of("security_group", call.token.user.project),
            "name": "default",
            "description": "Default security group",
            "project_id": call.token.user.project_id,
            "tenant_id": call.token.user.project_id,
            "security_group_rules": [],
        }
        return json_answer({"security_groups": [group]})

    def _agent(self, machine: Host) -> Document:
        alive = machine.userland and machine.connected
        reported = self.world.agents.row(machine).heartbeat_at or NEVER
        return {
            "id": uuid_of("agent", machine.name),
            "agent_type": "Open vSwitch agent",
            "binary": "neutron-openvswitch-agent",
            "topic": "N/A",
            "host": machine.name,
            "alive": alive,
            "admin_state_up": True,
            "availability_zone": None,
            "created_at": NEVER.strftime(SHOWN),
            "started_at": NEVER.strftime(SHOWN),
            "heartbeat_timestamp": reported.strftime(SHOWN),
            "description": None,
            "configurations": {},
            "resources_synced": None,
            "resource_versions": {},
        }
