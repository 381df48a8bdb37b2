"""What was asked of a server, as os-instance-actions tells it.

After nova 34's api/openstack/compute/instance_actions.py: newest first; what nova did by itself has
no user.
"""

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import InstanceAction
from koboshi.domain.names import ServerId
from koboshi.sim.http import rows
from koboshi.sim.http.answering import Service, json_answer
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.paging import MAX_LIMIT
from koboshi.sim.http.users import id_of
from koboshi.sim.world import World

DELETED_TOO = (2, 21)
UPDATED_AT = (2, 58)
"""... and pages."""


def routes(world: World, service: Service) -> list[BaseRoute]:
    """Return the routes."""
    history = _History(world)
    base = f"{service.prefix}/servers/{{id}}/os-instance-actions"
    return [
        service.route(base, history.actions),
        service.route(f"{base}/{{request_id}}", history.action),
    ]


@dataclass(frozen=True, slots=True)
class _History:
    world: World

    async def actions(self, call: Call) -> Response:
        """List what was asked, newest first."""
        found = await self._of(call)
        newest = list(reversed(list(enumerate(found))))
        if call.version >= UPDATED_AT:
            newest = newest[: call.number("limit", MAX_LIMIT)]
        shown = [_shown(call, at, action) for at, action in newest]
        return json_answer({"instanceActions": shown})

    async def action(self, call: Call) -> Response:
        """Show one request."""
        for at, action in enumerate(await self._of(call)):
            shown = _shown(call, at, action)
            if shown["request_id"] == call.part("request_id"):
                shown["events"] = []
                return json_answer({"instanceAction": shown})
        raise Refused(404, f"Action for request_id {call.part('request_id')} not found")

    async def _of(self, call: Call) -> list[InstanceAction]:
        cloud = self.world.cloud
        await cloud.line.read("actions")
        server = ServerId(call.part("id"))
        is_known = server in cloud.servers_by_id or (
            call.version >= DELETED_TOO and server in cloud.acted
        )
        if not is_known:
            raise Refused(404, f"Instance {server} could not be found.")
        return cloud.acted.get(server, [])


def _shown(call: Call, at: int, action: InstanceAction) -> Document:
    server = call.part("id")
    shown: Document = {
        "action": action.name,
        "instance_uuid": server,
        "message": None,
        "request_id": f"req-{rows.uuid_of('request', f'{server}/{at}')}",
        "start_time": rows.naive(action.at),
        "project_id": None if action.user is None else id_of("project", action.user),
        "user_id": None if action.user is None else id_of("user", action.user),
    }
    if call.version >= UPDATED_AT:
        shown["updated_at"] = rows.naive(action.at)
    return shown
