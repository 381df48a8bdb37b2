"""Nova's servers: lists, one server, what its hypervisor says, and what can be asked of it."""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.errors import CommandRefused
from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import nova_actions, rows, server_query
from koboshi.sim.http.answering import INTERNAL, Service, json_answer
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.commands import CELL_DOWN, carry
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.listing import filters, is_plain, moment, wants_all_tenants
from koboshi.sim.http.paging import next_link, page
from koboshi.sim.sweeping import changed_since
from koboshi.sim.world import World

CELL_DOWN_SUPPORT = (2, 69)
SERVER_GROUPS = (2, 71)
POWER_STATES = {
    0: "pending",
    1: "running",
    3: "paused",
    4: "shutdown",
    6: "crashed",
    7: "suspended",
}
"""nova compute/power_state.py, STATE_MAP."""
COUNTED = ("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count")
AT_REST = dict.fromkeys(COUNTED, 0)
POWER_ACTIONS = frozenset({"os-start", "os-stop"})
"""They look for the server's cell themselves, and say so where there is none (seen on the lab)."""
TIMED_OUT = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the "
    "Nova API log if possible.\n<class 'oslo_messaging.exceptions.MessagingTimeout'>"
)


def routes(world: World, service: Service) -> list[BaseRoute]:
    """Return the routes."""
    servers = _Servers(world)
    v = service.prefix
    return [
        service.route(f"{v}/servers", servers.index),
        service.route(f"{v}/servers/detail", servers.detail),
        service.route(f"{v}/servers/{{id}}", servers.show),
        service.route(f"{v}/servers/{{id}}", servers.delete, "DELETE"),
        service.route(f"{v}/servers/{{id}}/action", servers.act, "POST"),
        service.route(f"{v}/servers/{{id}}/diagnostics", servers.diagnostics),
        service.route(f"{v}/servers/{{id}}/os-volume_attachments", servers.volumes),
    ]


@dataclass(frozen=True, slots=True)
class _Servers:
    world: World

    async def index(self, call: Call) -> Response:
        """List the servers' names."""
        return await self._list(call, detail=False)

    async def detail(self, call: Call) -> Response:
        """List the servers."""
        return await self._list(call, detail=True)

    async def show(self, call: Call) -> Response:
        """Show one server; of a cell that does not answer, what the API's own database has."""
        cloud = self.world.cloud
        known = cloud.servers_by_id.get(ServerId(call.part("id")))
        if not cloud.cell_works and known is not None and call.version >= CELL_DOWN_SUPPORT:
            await cloud.line.read("server")
            shown = rows.lost_server(
                known, cloud.beginning, call.base_url, call.version, alone=True
            )
            return json_answer({"server": shown})
        row = await self._found(call)
        shown = self._shown(call, row)
        if call.version >= SERVER_GROUPS:
            groups = self.world.cloud.groups
            shown["server_groups"] = [g.id for g in groups if row.id in g.members]
        return json_answer({"server": shown})

    async def delete(self, call: Call) -> Response:
        """Delete a server."""
        server = self._known(call).id
        cloud = self.world.cloud
        await carry(cloud, call, "delete", server, lambda: cloud.accept_delete(server))
        return Response(status_code=204)

    async def act(self, call: Call) -> Response:
        """Do one of the actions; the body's only key names it."""
        body = await call.document()
        if len(body) != 1:
            raise Refused(400, "Malformed request body")
        name, told = next(iter(body.items()))
        action = nova_actions.ACTIONS.get(name)
        if action is None:
            raise Refused(400, f"There is no such action: {name}")
        if name in POWER_ACTIONS and not self._exists(call):
            raise Refused(404, f"Instance {call.part('id')} has no mapping to a cell.")
        return await action(
            self.world.cloud,
            call,
            self._known(call),
            {} if told is None and name != "evacuate" else told,
        )

    async def diagnostics(self, call: Call) -> Response:
        """Ask the server's hypervisor; one that is down is waited for, as nova's RPC does."""
        call.demand_admin("os_compute_api:os-server-diagnostics")
        await self.world.cloud.line.read("diagnostics")
        row = self._known(call)
        try:
            runs = await self.world.cloud.diagnose(row.id)
        except CommandRefused as refusal:
            raise Refused(500, TIMED_OUT) if refusal.status == INTERNAL else refusal from None
        if not runs:
            # libvirt's answer, with the power state that the database has (seen on the lab).
            raise Refused(
                409,
                f"Cannot 'get_diagnostics' instance {row.id} while it is in power state "
                f"{POWER_STATES.get(row.power_state, row.power_state)}",
            )
        return json_answer(_diagnostics(row))

    async def volumes(self, call: Call) -> Response:
        """List a server's volumes."""
        row = await self._found(call)
        known = self.world.cloud.attachments
        shown = [
            _attachment(row, at, volume, known[volume][0] if volume in known else "", call)
            for at, volume in enumerate(row.volume_ids)
        ]
        return json_answer({"volumeAttachments": shown})

    async def _list(self, call: Call, *, detail: bool) -> Response:
        if wants_all_tenants(call):
            rule = "detail" if detail else "index"
            call.demand_admin(f"os_compute_api:servers:{rule}:get_all_tenants")
        server_query.hold(call)
        cloud = self.world.cloud
        host = call.query.get("host") if call.token.user.is_admin else None
        found = await cloud.servers(HostName(host) if host is not None else None)
        if not cloud.cell_works and call.version >= CELL_DOWN_SUPPORT and is_plain(call):
            lost = (
                rows.lost_server(row, cloud.beginning, call.base_url, call.version)
                if detail
                else rows.bare_lost_server(row, call.base_url)
                for row in cloud.servers_by_id.values()
            )
            return json_answer({"servers": list(lost)})
        keep = filters(call)
        since = moment(call, "changes-since")
        if since is not None and cloud.cell_works:
            found = changed_since(cloud, since)
        newest = reversed(found)
        fit = (row for row in newest if all(k(row) for k in keep)) if keep else newest
        shown, more = page(call, fit, _id)
        document: Document = {
            "servers": [
                self._shown(call, row) if detail else rows.bare_server(row, call.base_url)
                for row in shown
            ]
        }
        if more:
            path = "/servers/detail" if detail else "/servers"
            document["servers_links"] = next_link(call, path, shown[-1].id)
        return json_answer(document)

    async def _found(self, call: Call) -> Server:
        row = await self.world.cloud.server(ServerId(call.part("id")))
        if row is None or not _sees(call, row):
            raise _no_server(call)
        return row

    def _exists(self, call: Call) -> bool:
        return ServerId(call.part("id")) in self.world.cloud.servers_by_id

    def _known(self, call: Call) -> Server:
        if not self.world.cloud.cell_works:
            raise Refused(500, CELL_DOWN)
        row = self.world.cloud.servers_by_id.get(ServerId(call.part("id")))
        if row is None or not _sees(call, row):
            raise _no_server(call)
        return row

    def _shown(self, call: Call, row: Server) -> Document:
        cloud = self.world.cloud
        of = cloud.judged(row.host) if row.host is not None else None
        return rows.server(
            row,
            rows.ServerTimes(
                created=cloud.beginning, updated=cloud.changed_at.get(row.id, cloud.beginning)
            ),
            rows.host_status(of),
            call.base_url,
            call.version,
            zone=of.zone if of is not None else "",
            as_admin=call.token.user.is_admin,
        )


def _id(row: Server) -> str:
    return row.id


def _sees(call: Call, row: Server) -> bool:
    user = call.token.user
    return user.is_admin or row.project_id == user.project_id


def _no_server(call: Call) -> Refused:
    return Refused(404, f"Instance {call.part('id')} could not be found.")


def _attachment(row: Server, at: int, volume: str, attachment: str, call: Call) -> Document:
    shown: Document = {
        "device": f"/dev/vd{chr(ord('a') + at + (row.image_id is not None))}",
        "serverId": row.id,
        "volumeId": volume,
    }
    if call.version < (2, 89):
        shown["id"] = volume
    else:
        shown |= {
            "attachment_id": attachment,
            "bdm_uuid": rows.uuid_of("bdm", f"{row.id}/{volume}"),
        }
    if call.version >= (2, 70):
        shown["tag"] = None
    if call.version >= (2, 79):
        shown["delete_on_termination"] = False
    return shown


def _diagnostics(row: Server) -> Document:
    disks = len(row.volume_ids) + (row.image_id is not None)
    return {
        "state": "running",
        "driver": "libvirt",
        "hypervisor": "qemu",
        "hypervisor_os": "linux",
        "uptime": 60,
        "config_drive": row.config_drive,
        "num_cpus": row.flavor.vcpus,
        "num_disks": disks,
        "num_nics": 0,
        "cpu_details": [{"id": n, "time": 0, "utilisation": 0} for n in range(row.flavor.vcpus)],
        "disk_details": [dict(AT_REST) for _ in range(disks)],
        "nic_details": [],
        "memory_details": {"maximum": row.flavor.ram_mb, "used": row.flavor.ram_mb},
    }
