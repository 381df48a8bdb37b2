"""Everything that the lab needs on a Debian 12: packages, and OpenStack in an environment.

Idempotent: a stamp keyed by the lock's hash says what is there. uv is used if the checkout has
it, plain pip otherwise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from lab.layout import Layout

# package -> a file that it brings
PACKAGES = {
    "mariadb-server": "/usr/sbin/mariadbd",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "iproute2": "/usr/bin/ip",
    "python3-venv": "/usr/lib/python3.11/ensurepip/__init__.py",
    "fence-agents": "/usr/sbin/fence_ipmilan",
    "ipmitool": "/usr/bin/ipmitool",
    "libfaketime": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
}
DEBIAN_PYTHON = "/usr/bin/python3"
_POLICY = Path("/usr/sbin/policy-rc.d")


def require_machine() -> None:
    """Say what this machine lacks for a lab, if anything."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and needs root: sudo make lab")
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        raise LabError(
            "the lab installs packages of Debian 12; use a Debian 12 machine or container"
        )


def install(lab: Layout) -> bool:
    """Install what is missing; say whether anything was."""
    require_machine()
    lab.cache.mkdir(parents=True, exist_ok=True)
    return any([_packages(lab), _environment(lab)])


def _packages(lab: Layout) -> bool:
    missing = [name for name, file in PACKAGES.items() if not Path(file).exists()]
    if not missing:
        return False
    print(f"installing {', '.join(missing)} by apt-get", flush=True)
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    with _nothing_started():
        _run(lab, [*apt, "update"])
        _run(lab, [*apt, "install", "-y", "--no-install-recommends", *missing])
    return True


@contextmanager
def _nothing_started() -> Generator[None]:
    """Keep the packages from starting services; the lab starts its own, in its namespaces."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _environment(lab: Layout) -> bool:
    lock = lab.source / "openstack.lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = lab.venv / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    print(f"installing OpenStack from {lock.name} (2 to 4 minutes with pip)", flush=True)
    shutil.rmtree(lab.venv, ignore_errors=True)
    _run(lab, [DEBIAN_PYTHON, "-m", "venv", lab.venv])
    uv = lab.root / ".cache" / "uv" / "bin" / "uv"
    if uv.exists():
        command = [uv, "pip", "install", "--python", lab.python, "--compile-bytecode"]
        _run(lab, [*command, "-r", lock], env={"UV_CACHE_DIR": str(lab.root / ".cache/uv/cache")})
    else:
        _run(lab, [lab.python, "-m", "pip", "install", "-q", "-r", lock])
    stamp.write_text(wanted)
    return True


def _run(lab: Layout, command: Sequence[object], env: dict[str, str] | None = None) -> None:
    log = lab.cache / "install.log"
    with log.open("ab") as out:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(env or {})},
            check=False,
            timeout=1800,
        )
    if done.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{command[0]} failed ({done.returncode}); the end of {log}:\n{end}")
