"""Serving the API: on a Unix socket for whoever may, and on a loopback port if that is asked for.

The socket's file mode keeps others out; the peer's uid, told by the kernel, is checked as well,
because a mode is easily changed by hand.
"""

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import structlog
import uvicorn
from anyio.abc import TaskStatus
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from uvicorn.protocols.http.h11_impl import H11Protocol

from koboshi.api.app import create_app, create_open_app
from koboshi.api.caller import caller_of
from koboshi.api.source import StatusSource
from koboshi.domain.errors import ConfigurationError, KoboshiError
from koboshi.settings import Settings

ROOT_UID = 0
BACKLOG = 64
MAX_CONNECTIONS = 64
"""More are answered 503: nobody with a browser or a scraper needs them, and a leak stays small."""
KEEP_ALIVE_S = 5
STOP_S = 2
"""How long running requests may still take when the daemon stops."""
MAX_REQUEST_HEAD = 16 * 1024
LIVE_CHECK_S = 1.0

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings,
    source: StatusSource,
    registry: CollectorRegistry,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `task_status` is told when the sockets listen.

    Raises ConfigurationError when another daemon listens there, or the port is taken.
    """
    path = settings.socket_path
    local = listen_unix(path)
    servers = [_server(create_app(source, registry), _Checked, local)]
    try:
        if settings.http.address is not None:
            port = listen_tcp(*settings.http.address)
            servers.append(_server(create_open_app(source, registry), H11Protocol, port))
        async with anyio.create_task_group() as group:
            for server in servers:
                group.start_soon(server.run_until_cancelled)
            task_status.started()
    finally:
        for server in servers:
            server.listener.close()
        path.unlink(missing_ok=True)


def listen_unix(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, for its owner only.

    What a killed daemon left there is replaced; a living daemon's socket is not.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            listener.bind(str(path))
            path.chmod(0o600)  # before listen: until then nobody can connect
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be made ({error.strerror}); state_dir must exist and belong to "
                "the daemon's user",
            ) from error
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def listen_tcp(address: str, port: int) -> socket.socket:
    """Return a socket that listens on the loopback."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"http.listen: {address} port {port} cannot be used ({error.strerror}); "
            "choose another port, or stop who has it",
        ) from error
    listener.setblocking(False)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{path} is there and is no socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(LIVE_CHECK_S)
        try:
            client.connect(str(path))
        except OSError as error:
            if error.errno in {errno.ECONNREFUSED, errno.ENOENT}:
                path.unlink(missing_ok=True)
                return
            # Full, slow or not ours: somebody is there, or nobody knows.
    raise ConfigurationError(
        f"{path}: another daemon listens there; stop it first (koboshi status shows it), or give "
        "this one its own state_dir",
    )


def _server(app: FastAPI, protocol: type[asyncio.Protocol], listener: socket.socket) -> "_Server":
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
        h11_max_incomplete_event_size=MAX_REQUEST_HEAD,
    )
    return _Server(config, listener)


class _Server(uvicorn.Server):
    """A server that lives in somebody else's task group."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self.listener = listener

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the daemon."""
        yield

    async def run_until_cancelled(self) -> None:
        """Serve; when cancelled, answer what was asked, then stop."""

        async def shielded() -> None:
            with anyio.CancelScope(shield=True):
                await self.serve(sockets=[self.listener])
            if not self.should_exit:
                raise KoboshiError("the API's server stopped by itself")

        async with anyio.create_task_group() as group:
            group.start_soon(shielded)
            try:
                await anyio.sleep_forever()
            finally:
                self.should_exit = True


class _Checked(H11Protocol):
    """HTTP for root and the daemon's own user; nobody else."""

    def connection_made(self, transport: Any) -> None:
        """Disconnect whoever has no business here, before a byte is read."""
        super().connection_made(transport)
        caller = caller_of(transport.get_extra_info("socket"))
        if caller.uid not in {ROOT_UID, os.geteuid()}:
            _log.warning(
                "api.peer_refused", uid=caller.uid, cure="use sudo, or the daemon's own user"
            )
            transport.abort()
        self.app_state = {**self.app_state, "caller": caller}  # each request's `state` is its copy
