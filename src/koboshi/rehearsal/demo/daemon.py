"""Koboshi as a process of its own: `koboshi run`, as an operator starts it, asked over its socket."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import anyio
import httpx2
from anyio.abc import Process
from pydantic import ValidationError

from koboshi.api.views import IncidentDetail, StatusView, View
from koboshi.domain.errors import KoboshiError
from koboshi.rehearsal.demo.directory import Directory

T = TypeVar("T", bound=View)

STOP_S = 10.0
"""How long it may take to end by itself; it needs less than one."""
ASK_S = 5.0
LOG_LINES = 15
NOT_INHERITED = ("KOBOSHI_", "OS_", "PYTHON", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""What would make it another program than the one that its configuration describes."""
END_WITH_ME = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
)
"""PR_SET_PDEATHSIG: should the demo be killed, Koboshi is told to end as well."""


class Daemon:
    """One running `koboshi run`."""

    def __init__(self, process: Process, directory: Directory) -> None:
        self._process = process
        self._directory = directory

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return whether it runs no more."""
        return self._process.returncode is not None

    async def status(self) -> StatusView | None:
        """Return its overview; None while it does not answer."""
        return await self._ask("/v1/status", StatusView)

    async def incident(self, wanted: str) -> IncidentDetail | None:
        """Return one incident with everything about it; None while it does not answer."""
        return await self._ask(f"/v1/incidents/{wanted}", IncidentDetail)

    def assert_alive(self) -> None:
        """Raise KoboshiError, with the end of its log, if it runs no more."""
        if self.has_ended:
            raise KoboshiError(
                f"koboshi run ended by itself with code {self._process.returncode}:\n{self.tail()}"
            )

    def tail(self) -> str:
        """Return the end of its log."""
        with suppress(OSError):
            lines = self._directory.log.read_text(errors="replace").splitlines()
            return "\n".join(lines[-LOG_LINES:])
        return "(no log)"

    async def stop(self) -> None:
        """End it as a service manager does; kill it if that takes too long."""
        if self.has_ended:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        with anyio.move_on_after(STOP_S):
            await self._process.wait()
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _ask(self, path: str, model: type[T]) -> T | None:
        if not self._directory.api.is_socket():
            return None
        transport = httpx2.AsyncHTTPTransport(uds=str(self._directory.api))
        try:
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://koboshi", timeout=ASK_S, trust_env=False
            ) as client:
                answer = await client.get(path)
                return model.model_validate_json(answer.content) if answer.is_success else None
        except (httpx2.HTTPError, ValidationError):
            return None


@asynccontextmanager
async def running(directory: Directory, environ: Mapping[str, str]) -> AsyncGenerator[Daemon]:
    """Run Koboshi on the demo's configuration until the block ends; nothing of it is left then."""
    program = [sys.executable, "-m", "koboshi.cli", "run", "--config", str(directory.koboshi_toml)]
    if sys.platform == "linux":
        program = [sys.executable, "-c", END_WITH_ME, *program]
    with directory.log.open("ab") as log:
        process = await anyio.open_process(
            program,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path("/"),
            env=_environment(environ),
            start_new_session=True,  # a Ctrl-C is ours to pass on
        )
    daemon = Daemon(process, directory)
    try:
        yield daemon
    finally:
        with anyio.CancelScope(shield=True):
            await daemon.stop()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in environ.items() if not k.upper().startswith(NOT_INHERITED)}
    return kept | {"NO_PROXY": "*", "no_proxy": "*"}
