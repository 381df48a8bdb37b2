"""Make the development environment from nothing but Debian's python3 and make.

It stands outside the environment that it makes, so it uses the standard library only. Everything
lands below the checkout (`.cache/uv`, `.venv`); only Debian packages are installed on the machine.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_HOME = ROOT / ".cache" / "uv"
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
PYTHON = os.environ.get("UV_PYTHON", "/usr/bin/python3")
OLDEST_PYTHON = (3, 11)
APT_TIMEOUT_S = 900
PIP_TIMEOUT_S = 600
APT = [
    "apt-get",
    "-qq",
    "--yes",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Acquire::Retries=3",
    "-o",
    "Dpkg::Use-Pty=0",
]


def main() -> int:
    """Bring the environment up to date; do nothing that is done already."""
    try:
        require_python()
        install_debian_packages(missing_debian_packages())
        install_uv(os.environ["UV_VERSION"])
        sync = [str(UV_HOME / "bin" / "uv"), "sync", "--locked", "--quiet", "--compile-bytecode"]
        run(sync, PIP_TIMEOUT_S)
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


class BootstrapError(Exception):
    """Something is missing that we may not or cannot install; the text says the cure."""


def require_python() -> None:
    """Refuse a Python that is too old before anything fails on it half-way."""
    found = run(
        [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], timeout_s=60, capture=True
    )
    version = tuple(int(part) for part in found.split())
    if version < OLDEST_PYTHON:
        raise BootstrapError(
            f"{PYTHON} is Python {'.'.join(map(str, version))}; Koboshi needs 3.11 or later:"
            " name another with `make UV_PYTHON=/path/to/python3 …`"
        )


def missing_debian_packages() -> list[str]:
    """Name the packages without which the next steps would fail."""
    missing: list[str] = []
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        missing.append("python3-venv")
    if not TRUSTED.exists():
        missing.append("ca-certificates")
    return missing


def install_debian_packages(packages: list[str]) -> None:
    """Install them, or say which command would."""
    if not packages:
        return
    command = f"apt-get update && apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BootstrapError(
            f"missing: {', '.join(packages)}. On Debian or Ubuntu, as root: {command}"
        )
    print(f"bootstrap: installing {', '.join(packages)}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        run([*APT, "update"], APT_TIMEOUT_S, environment)
    try:
        run([*APT, "install", *packages], APT_TIMEOUT_S, environment)
    except BootstrapError:
        # Lists that are older than the archive name packages that are gone.
        run([*APT, "update"], APT_TIMEOUT_S, environment)
        run([*APT, "install", *packages], APT_TIMEOUT_S, environment)


def install_uv(version: str) -> None:
    """Install uv of exactly this version into a virtual environment of its own."""
    uv = UV_HOME / "bin" / "uv"
    if uv.exists() and run([str(uv), "--version"], 60, capture=True).split()[1:2] == [version]:
        return
    print(f"bootstrap: installing uv {version}", file=sys.stderr)
    run([PYTHON, "-m", "venv", str(UV_HOME)], PIP_TIMEOUT_S)
    pip = [str(UV_HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    # pip brings certificates of its own; the machine's may know a proxy that pip's do not.
    environment = {"PIP_CERT": str(TRUSTED), **os.environ} if TRUSTED.exists() else None
    run([*pip, "install", "--quiet", f"uv=={version}"], PIP_TIMEOUT_S, environment)


def run(
    argv: list[str],
    timeout_s: float,
    environment: dict[str, str] | None = None,
    *,
    capture: bool = False,
) -> str:
    """Run a command to its end, or raise BootstrapError that names it."""
    try:
        done = subprocess.run(
            argv,
            check=True,
            timeout=timeout_s,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            text=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BootstrapError(f"{' '.join(argv)}: {error}") from error
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
