"""What every service's endpoints share: who may ask, which version, and how errors are written.

An endpoint answers or raises; here its outcome becomes what the real service's middleware makes of
it. Trouble on the way to the API (line.py) shows in the same place, for every service alike.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from koboshi.domain.errors import CloudUnavailable, CommandRefused, OutcomeUnknown
from koboshi.sim.http.call import Call, Version
from koboshi.sim.http.errors import Cut, Hangs, Refused
from koboshi.sim.http.keystone import UNAUTHENTICATED, Keystone

INTERNAL = 500
UNAUTHORIZED = 401

Endpoint = Callable[[Call], Awaitable[Response]]
ErrorBody = Callable[[int, str], object]
Negotiation = Callable[[Request], Version]


def json_answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer."""
    return raw_answer(json.dumps(document).encode(), status, headers)


def raw_answer(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer whose JSON is written already."""
    return Response(body, status, dict(headers or {}), media_type="application/json")


def root_of(request: Request) -> str:
    """Return the address of the whole app, as the asker reaches it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def no_version(_request: Request) -> Version:
    """Negotiate nothing: the service has no microversions here."""
    return (0, 0)


def no_headers(_version: Version) -> Mapping[str, str]:
    """Add nothing to an answer."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one service answers."""

    keystone: Keystone
    prefix: str
    error_body: ErrorBody
    refuses_itself: str | None = None
    """Its own words for who has no token, where keystonemiddleware leaves that to the service."""
    negotiate: Negotiation = no_version
    version_headers: Callable[[Version], Mapping[str, str]] = no_headers
    unexpected: str = (
        "The server has either erred or is incapable of performing the requested operation."
    )
    """What it says with a 500."""

    def route(self, path: str, endpoint: Endpoint, *methods: str) -> Route:
        """Return a route to an endpoint for whoever has a token."""
        return Route(path, self._guarded(endpoint), methods=list(methods or ("GET",)))

    def open_route(self, path: str, endpoint: Callable[[Request], Response]) -> Route:
        """Return a route that needs no token."""

        async def answer(request: Request) -> Response:
            return endpoint(request)

        return Route(path, answer, methods=["GET"])

    def _guarded(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                response = await self._outcome(request, endpoint)
            except Hangs:
                await disconnected(request)
                raise Cut from None
            response.headers["X-Openstack-Request-Id"] = f"req-{uuid.uuid4()}"
            return response

        return answer

    async def _outcome(self, request: Request, endpoint: Endpoint) -> Response:
        token = self.keystone.token(request.headers.get("x-auth-token"))
        if token is None:
            return self._unauthenticated(request)
        try:
            version = self.negotiate(request)
        except Refused as refusal:
            return self.refused(refusal)
        base = root_of(request) + self.prefix
        call = Call(request=request, token=token, version=version, base_url=base)
        try:
            response = await endpoint(call)
        except Refused as refusal:
            response = self.refused(refusal)
        except CommandRefused as refusal:
            if refusal.status is None:
                raise Cut(never_sent=True) from None
            response = self.error(refusal.status, str(refusal))
        except (CloudUnavailable, OutcomeUnknown):
            response = self.error(INTERNAL, self.unexpected)
        response.headers.update(self.version_headers(version))
        return response

    def refused(self, refusal: Refused) -> Response:
        """Return a refusal as this service writes it."""
        if refusal.document is not None:
            return json_answer(refusal.document, refusal.status, refusal.headers)
        response = self.error(refusal.status, str(refusal))
        response.headers.update(refusal.headers)
        return response

    def _unauthenticated(self, request: Request) -> Response:
        if self.refuses_itself is None:
            return _unauthenticated(request)
        return self.error(UNAUTHORIZED, self.refuses_itself)

    def error(self, status: int, message: str) -> Response:
        """Return an error as this service writes it."""
        return json_answer(self.error_body(status, message), status)


async def disconnected(request: Request) -> None:
    """Return when the asker has gone."""
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await request.receive()
        await anyio.lowlevel.checkpoint()


def _unauthenticated(request: Request) -> Response:
    # keystonemiddleware's answer, before the service itself has seen anything.
    document = {"error": {"code": 401, "title": "Unauthorized", "message": UNAUTHENTICATED}}
    uri = f"{root_of(request)}/identity"
    return json_answer(document, 401, {"WWW-Authenticate": f'Keystone uri="{uri}"'})
