"""The whole simulated cloud as one ASGI application."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router

from koboshi.domain.errors import CloudUnavailable
from koboshi.sim.http import cinder, glance, neutron, nova, placement, redfish
from koboshi.sim.http.answering import INTERNAL, root_of
from koboshi.sim.http.keystone import UNEXPECTED, Keystone, Reply, error
from koboshi.sim.http.users import PASSWORD, USERS, User
from koboshi.sim.world import World

IDENTITY = "/identity"


class Face:
    """The services of one cloud; call it as an ASGI application."""

    def __init__(
        self, world: World, *, users: Iterable[User] = USERS, bmc_password: str = PASSWORD
    ) -> None:
        self.world = world
        self.keystone = Keystone(users, self._now)
        self._router = Router(
            [
                *self._identity(),
                *nova.routes(world, self.keystone),
                *placement.routes(world, self.keystone),
                *glance.routes(world, self.keystone),
                *neutron.routes(world, self.keystone),
                *cinder.routes(world, self.keystone),
                *redfish.routes(world, bmc_password),
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self._router(scope, receive, send)

    def _now(self) -> datetime:
        return self.world.cloud.nova_now()

    def _identity(self) -> list[BaseRoute]:
        methods = ["GET", "HEAD", "POST", "DELETE"]
        return [
            Route(IDENTITY, self._keystone, methods=methods),
            Route(f"{IDENTITY}/{{path:path}}", self._keystone, methods=methods),
        ]

    async def _keystone(self, request: Request) -> Response:
        try:
            await self.world.cloud.line.read("token")
        except CloudUnavailable:
            return as_response(error(INTERNAL, UNEXPECTED))
        reply = self.keystone.answer(
            request.method,
            str(request.path_params.get("path", "")),
            request.headers,
            await request.body(),
            root_of(request),
            request.query_params,
        )
        return as_response(reply)


def as_response(reply: Reply) -> Response:
    """Return Keystone's reply as Starlette sends it."""
    headers = dict(reply.headers) | {"Vary": "X-Auth-Token"}
    return Response(reply.body, reply.status, headers, media_type="application/json")
