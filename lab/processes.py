"""Processes of the lab: started detached inside a namespace, found and killed by namespace.

Every process of the lab lives in one of its namespaces. So "which processes belong to this
host" is a question to the kernel and not to our records, and a lab that was left half-up
(kill -9, crash) can still be taken down completely.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import layout, network
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.layout import Layout

# The pid is written by the process itself before it becomes the program: no moment at which the
# program runs and its pid is unknown.
_SHIM = 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"'


def pids_inside(namespace: str) -> list[int]:
    """List the processes that live in the namespace, this one left out."""
    identity = network.inode(namespace)
    if identity is None:
        return []
    wanted = f"net:[{identity}]"
    found: list[int] = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - hundreds of entries, often
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if os.readlink(f"/proc/{entry}/ns/net") == wanted:  # noqa: PTH115 a link of /proc, read for each process
                    found.append(int(entry))
            except OSError:
                continue
    return found


def signal_namespace(namespace: str, number: signal.Signals) -> int:
    """Send the signal to every process of the namespace; give how many there were."""
    pids = pids_inside(namespace)
    for pid in pids:
        _kill(pid, number)
    return len(pids)


def kill_namespace(namespace: str, *, timeout_s: float = 20.0) -> None:
    """SIGKILL every process of the namespace, also those born meanwhile, until none is left."""
    deadline = time.monotonic() + timeout_s
    while signal_namespace(namespace, signal.SIGKILL):
        if time.monotonic() > deadline:
            raise LabError(f"processes {pids_inside(namespace)} of {namespace} do not die")
        time.sleep(0.01)


def start(
    lab: Layout,
    name: str,
    argv: Sequence[str | Path],
    *,
    namespace: str,
    env: Mapping[str, str] | None = None,
) -> None:
    """Start a detached process in the namespace, unless it runs; output to log/NAME.out."""
    if running(lab, name, namespace):
        return
    pidfile = lab.pids / name
    pidfile.unlink(missing_ok=True)
    enter = ["setsid", "-f", "nsenter", f"--net=/run/netns/{namespace}"]
    with (lab.log / f"{name}.out").open("ab") as out:
        subprocess.run(
            [*enter, "sh", "-c", _SHIM, str(pidfile), *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=lab.run,
            env={**base_environment(lab), **(env or {})},
            check=True,
            timeout=30,
        )
    deadline = time.monotonic() + 10
    while not pidfile.exists():
        if time.monotonic() > deadline:
            raise LabError(f"{name} did not start; see {lab.log / (name + '.out')}")
        time.sleep(0.005)


def stop(lab: Layout, name: str, namespace: str, *, grace_s: float = 0.0) -> None:
    """Stop the process and its group: politely if given time, then by SIGKILL."""
    pid = running(lab, name, namespace)
    if pid is None:
        return
    if grace_s:
        _kill(-pid, signal.SIGTERM)
        _await_end(pid, grace_s)
    _kill(-pid, signal.SIGKILL)
    if not _await_end(pid, 10):
        raise LabError(f"{name} (pid {pid}) does not die")
    (lab.pids / name).unlink(missing_ok=True)


def running(lab: Layout, name: str, namespace: str) -> int | None:
    """Give the pid of the named process if it runs, else None."""
    try:
        pid = int((lab.pids / name).read_text())
        if Path(f"/proc/{pid}/ns/net").stat().st_ino == network.inode(namespace):
            return pid
    except (OSError, ValueError):
        return None
    return None


def process_state(pid: int) -> str:
    """Give the kernel's letter for the process (R, S, T, Z …), or an empty text if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def base_environment(lab: Layout) -> dict[str, str]:
    """Give each process of the lab the same small environment, whoever starts it."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(lab.run),
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{lab.root}:{lab.plugins}",
        "PYTHONWARNINGS": "ignore",
        layout.NUMBER: str(lab.number),
        "XDG_CACHE_HOME": str(lab.run / "cache"),
        "TMPDIR": str(lab.tmp),  # sushy-tools leaves its database there, at every start
    }


def _await_end(pid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not _ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _ended(pid: int) -> bool:
    """Say whether the whole process is gone: a dead first thread may leave others, with files."""
    try:
        return (
            process_state(pid) in ("", "Z") and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
        )
    except FileNotFoundError:
        return True


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
