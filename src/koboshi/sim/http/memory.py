"""The face without a network: transports that carry requests to it in memory, in virtual time too.

A request that was sent goes on its way in the cloud whatever becomes of its sender: a time-out, a
cancelled call, a killed daemon. And every way in which a network fails shows as httpx2 and requests
show it.
"""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import anyio
import httpx2
import requests
from anyio.abc import TaskGroup
from requests.adapters import BaseAdapter
from starlette.types import ASGIApp, Message

from koboshi.domain.errors import CloudUnavailable
from koboshi.sim.http.app import IDENTITY, Face
from koboshi.sim.http.errors import Cut
from koboshi.sim.uplink import Uplink

T = TypeVar("T")
URL = "http://cloud.test"
"""Where the cloud seems to be; nothing is ever looked up or connected."""
INTERNAL = 500


class MemoryTransport(httpx2.AsyncBaseTransport):
    """Carries requests to an application that answers in a task group of its own."""

    def __init__(self, app: ASGIApp, tasks: TaskGroup, uplink: Uplink | None = None) -> None:
        self._app = app
        self._tasks = tasks
        self._uplink = uplink or Uplink()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer. Raises an error of httpx2's where the line breaks."""
        if not self._uplink.works:
            await anyio.sleep(self._uplink.gives_up_s)
            raise httpx2.ConnectTimeout("timed out", request=request)
        exchange = _Exchange(request, await request.aread())
        self._tasks.start_soon(exchange.carry, self._app)
        try:
            await exchange.over.wait()
        finally:
            exchange.left.set()
        if exchange.cut is not None:
            if exchange.cut.never_sent:
                raise httpx2.ConnectError("Connection refused", request=request)
            raise httpx2.ReadError("Connection reset by peer", request=request)
        return httpx2.Response(
            exchange.status, headers=exchange.headers, stream=_Body(bytes(exchange.body))
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


class _Exchange:
    """One request, and what comes of it."""

    def __init__(self, request: httpx2.Request, body: bytes) -> None:
        self.over = anyio.Event()
        self.left = anyio.Event()
        """Whoever asked has gone."""
        self.cut: Cut | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self._sent = body
        self._read = False
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(key.lower(), value) for key, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "server": (request.url.host, request.url.port),
            "client": ("192.0.2.250", 40000),
            "root_path": "",
        }

    async def carry(self, app: ASGIApp) -> None:
        """Let the application answer."""
        try:
            await app(self._scope, self._receive, self._send)
        except Cut as cut:
            self.cut = cut
        finally:
            self.over.set()

    async def _receive(self) -> Message:
        if self._read:
            await self.left.wait()
            return {"type": "http.disconnect"}
        self._read = True
        return {"type": "http.request", "body": self._sent, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self.headers = list(cast("list[tuple[bytes, bytes]]", message.get("headers", [])))
        else:
            self.body += cast("bytes", message.get("body", b""))


class KeystoneInMemory:
    """Keystone for keystoneauth1, which cannot wait: the line's trouble is met before it is asked."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._adapter = _Adapter(face)
        self.session = requests.Session()
        self.session.mount("http://", self._adapter)
        self.session.trust_env = False

    async def run(self, fetch: Callable[[], T]) -> T:
        """Return what `fetch` returns, with the way to Keystone as it is now."""
        try:
            await self._face.world.cloud.line.read("token")
            fails = False
        except CloudUnavailable:
            fails = True
        self._adapter.fails = fails
        return fetch()


class _Adapter(BaseAdapter):
    """Answers requests' requests at once."""

    def __init__(self, face: Face) -> None:
        super().__init__()
        self._face = face
        self.fails = False

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 requests' own signature
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002 requests' own signature
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer a request; nothing is ever sent."""
        del stream, timeout, verify, cert, proxies
        url = urlsplit(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else (request.body or b"")
        headers = {key.lower(): str(value) for key, value in request.headers.items()}
        answer = requests.Response()
        answer.request, answer.url = request, request.url or ""
        if self.fails:
            answer.status_code, answer.raw = INTERNAL, io.BytesIO()
            return answer
        reply = self._face.keystone.answer(
            request.method or "GET",
            url.path.removeprefix(IDENTITY),
            headers,
            cast("bytes", body),
            f"{url.scheme}://{url.netloc}",
        )
        answer.status_code = reply.status
        answer.headers.update(reply.headers)
        answer.headers["Content-Type"] = "application/json"
        answer.raw = io.BytesIO(reply.body)
        return answer

    def close(self) -> None:
        """Close nothing."""
