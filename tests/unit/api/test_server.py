"""The socket: who may speak, what is replaced, how it ends."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio import to_thread
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from koboshi.api.server import listen_unix, serve
from koboshi.client import ApiClient
from koboshi.domain.errors import ConfigurationError, DaemonUnreachable
from koboshi.settings import HttpSettings, Settings

from .story import INCIDENT, StorySource

pytestmark = pytest.mark.anyio

NOBODY = 65534
ASK_AS_NOBODY = """
import socket, sys
caller = socket.socket(socket.AF_UNIX)
caller.settimeout(10)
caller.connect(sys.argv[1])
try:
    caller.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print("answer:", caller.recv(100))
except OSError as error:
    print("answer: b''", error)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path: a socket's may have 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="koboshi-"))
    yield made
    shutil.rmtree(made)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as group:
        await group.start(partial(serve, settings, StorySource(), CollectorRegistry()))
        yield
        group.cancel_scope.cancel()


async def ask(path: Path) -> str:
    """Ask from another thread, as the command line does from another process."""

    def call() -> str:
        with ApiClient(path) as client:
            return client.status().incidents[0].id

    return await to_thread.run_sync(call)


async def test_it_serves_its_own_user_and_cleans_up(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    async with running(settings):
        assert stat.S_IMODE(settings.socket_path.stat().st_mode) == 0o600
        assert await ask(settings.socket_path) == INCIDENT
        assert await ask(settings.socket_path) == INCIDENT
    assert not settings.socket_path.exists()


async def test_it_ends_while_somebody_is_connected(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    with anyio.fail_after(10):
        async with running(settings):
            idle = socket.socket(socket.AF_UNIX)
            idle.connect(str(settings.socket_path))
    idle.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user: run it as root")
async def test_another_user_is_disconnected_and_logged(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    folder.chmod(0o755)  # ... even where the file modes would let him in
    with capture_logs() as logs:
        async with running(settings):
            settings.socket_path.chmod(0o777)
            asked = await anyio.run_process(
                [sys.executable, "-c", ASK_AS_NOBODY, str(settings.socket_path)],
                user=NOBODY,
                stderr=subprocess.STDOUT,
            )
            assert await ask(settings.socket_path) == INCIDENT
    assert asked.stdout.startswith(b"answer: b''")
    assert [(line["event"], line["uid"]) for line in logs if "uid" in line] == [
        ("api.peer_refused", NOBODY)
    ]


async def test_a_dead_daemons_socket_is_replaced(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(settings.socket_path))
    async with running(settings):
        assert await ask(settings.socket_path) == INCIDENT


async def test_a_living_daemons_socket_is_not(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    async with running(settings):
        with pytest.raises(ConfigurationError, match="another daemon listens"):
            listen_unix(settings.socket_path)
        assert await ask(settings.socket_path) == INCIDENT


async def test_a_file_in_its_place_is_left_alone(folder: Path) -> None:
    settings = Settings(state_dir=folder)
    settings.socket_path.write_text("precious", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is no socket"):
        listen_unix(settings.socket_path)
    assert settings.socket_path.read_text(encoding="utf-8") == "precious"


def test_a_missing_folder_is_told(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="state_dir must exist"):
        listen_unix(folder / "no" / "koboshi.sock")


async def test_the_port_serves_health_only(folder: Path) -> None:
    port = free_port()
    settings = Settings(state_dir=folder, http=HttpSettings(listen=f"127.0.0.1:{port}"))
    async with (
        running(settings),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert (await client.get("/livez")).text == "ok\n"
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/v1/status")).status_code == 404


async def test_a_taken_port_is_told_and_leaves_no_socket_behind(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(state_dir=folder, http=HttpSettings(listen=f"127.0.0.1:{port}"))
        with pytest.raises(ConfigurationError, match=r"http\.listen.*choose another port"):
            await serve(settings, StorySource(), CollectorRegistry())
    assert not settings.socket_path.exists()


def test_without_a_daemon_the_client_says_so(folder: Path) -> None:
    with ApiClient(folder / "koboshi.sock") as client:
        with pytest.raises(DaemonUnreachable, match="No such file"):
            client.status()
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(folder / "koboshi.sock"))
        with pytest.raises(DaemonUnreachable, match="refused"):
            client.incidents()
