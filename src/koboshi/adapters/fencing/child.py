"""One program that does one thing for us: bounded in time and output, and never left behind.

It runs as a process group of its own behind `guard.sh`, which ends the group when we end, in
whatever way, and when the time is up even if we stand still.
"""

import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, Process

GUARD = Path(__file__).with_name("guard.sh")
SHELL = "/bin/sh"
MAX_OUTPUT_BYTES = 128 * 1024
"""What is kept of each output; the rest is read and dropped, so that the program is not blocked."""
LOWEST_LIFELINE = 10
GRACE_S = 1.0
"""How much later than ours the guard's own limit ends: it is for when we stand still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the program ended."""

    code: int
    output: str
    errors: str


async def run_child(
    command: Sequence[str], *, told: bytes, environment: Mapping[str, str], limit_s: float
) -> Ended:
    """Run `command` with `told` on its standard input; nothing else is given to it.

    Raises TimeoutError when it does not end in time, and OSError when it cannot be started. Its
    whole process group is gone when this returns or raises.
    """
    lifeline, held = _lifeline()
    try:
        with anyio.fail_after(limit_s):
            process = await anyio.open_process(
                [SHELL, str(GUARD), str(lifeline), f"{limit_s + GRACE_S:g}", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
                pass_fds=(lifeline,),
            )
            try:
                return await _converse(process, told)
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)
    finally:
        os.close(lifeline)
        os.close(held)


def _lifeline() -> tuple[int, int]:
    """Return both ends of a pipe; the shell has the low numbers for itself."""
    end, held = os.pipe()
    try:
        return fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, LOWEST_LIFELINE), held
    except OSError:
        os.close(held)
        raise
    finally:
        os.close(end)


async def _converse(process: Process, told: bytes) -> Ended:
    heard: dict[str, bytes] = {}

    async def listen(name: str, stream: ByteReceiveStream | None) -> None:
        heard[name] = await _read(stream)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen, "output", process.stdout)
        tasks.start_soon(listen, "errors", process.stderr)
        if process.stdin is not None:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await process.stdin.send(told)  # one that does not read has its own reasons
            await process.stdin.aclose()
    code = await process.wait()
    return Ended(
        code=code,
        output=heard["output"].decode(errors="replace"),
        errors=heard["errors"].decode(errors="replace"),
    )


async def _read(stream: ByteReceiveStream | None) -> bytes:
    kept = bytearray()
    if stream is not None:
        async for chunk in stream:
            kept += chunk[: MAX_OUTPUT_BYTES - len(kept)]
    return bytes(kept)


async def _end(process: Process) -> None:
    """Kill what is left of the group, and take its end; an ended leader's number is not ours any more."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()
