"""The simulated cloud on a TCP port of the loopback, in real time: for clients in other processes.

The world lives by the loop's clock (anyio's time), so nothing else is different here. What a
transport in memory would be told by an exception (the connection breaks) is made true on the
socket instead.
"""

import socket
from collections.abc import AsyncGenerator, Generator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import uvicorn
import yaml

from koboshi.sim.database import NOVA_IS_AHEAD
from koboshi.sim.http.app import Face
from koboshi.sim.http.errors import Cut
from koboshi.sim.http.users import ADMIN, REGION, User

STOP_S = 1
"""How long running requests may still take when the serving ends."""
BACKLOG = 128
PROMISED_BYTES = b"1048576"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a cloud is served."""

    url: str
    """Of everything: http://127.0.0.1:PORT; it is also every BMC's address."""

    @property
    def auth_url(self) -> str:
        """Return Keystone's address."""
        return f"{self.url}/identity/v3"

    def clouds_yaml(self, name: str, user: User = ADMIN) -> str:
        """Return a clouds.yaml with one cloud of this name, for `openstack` and Koboshi alike."""
        auth = {
            "auth_url": self.auth_url,
            "username": user.name,
            "password": user.password,
            "project_name": user.project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        cloud = {"auth": auth, "region_name": REGION, "identity_api_version": 3}
        return yaml.safe_dump({"clouds": {name: cloud}}, sort_keys=False)


@asynccontextmanager
async def serving(face: Face, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[Served]:
    """Serve until the block ends; port 0 takes a free one. Raises OSError when it is taken.

    Nova's clock is set right: clients compare a token's end with their own.
    """
    elapsed = timedelta(seconds=anyio.current_time()) + NOVA_IS_AHEAD
    face.world.cloud.beginning = datetime.now(UTC) - elapsed
    listener = _listen(host, port)
    server = _Server(_config(_Breaking(face)))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_serve, server, listener)
            try:
                yield Served(url=f"http://{host}:{listener.getsockname()[1]}")
            finally:
                server.should_exit = True
    finally:
        listener.close()


async def _serve(server: "_Server", listener: socket.socket) -> None:
    # Cancelled from outside it would leave its connections open.
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_S,
    )


class _Server(uvicorn.Server):
    """A server that lives in somebody else's task group."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the program."""
        yield


class _Breaking:
    """Breaks the connection where the app says that no answer gets through."""

    def __init__(self, app: Face) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or break its connection off."""
        try:
            await self._app(scope, receive, send)
        except Cut:
            # Nothing but an answer that ends too soon makes uvicorn close the connection.
            headers = [(b"content-length", PROMISED_BYTES)]
            start: MutableMapping[str, Any] = {"type": "http.response.start", "status": 200}
            await send(start | {"headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
