"""Make an environment from nothing but a python3 and make.

It stands outside the environments that it makes, so it uses the standard library only. Everything
lands below the checkout: what is needed to work on Koboshi in `.venv`, by Debian packages too where
they are missing and we are root; with `--runtime`, what is needed to run it in `.cache/runtime`, by
nobody in particular and with nothing installed on the machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_HOME = ROOT / ".cache" / "uv"
UV = UV_HOME / "bin" / "uv"
RUNTIME = ROOT / ".cache" / "runtime"
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
DEFAULT_PYTHON = "/usr/bin/python3"
OLDEST_PYTHON = (3, 11)
PYTHON_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
APT_TIMEOUT_S = 900
PIP_TIMEOUT_S = 600
DOWNLOAD_TIMEOUT_S = 60
PIP_URL = (
    "https://files.pythonhosted.org/packages/44/3c/"
    "d717024885424591d5376220b5e836c2d5293ce2011523c9de23ff7bf068/pip-25.3-py3-none-any.whl"
)
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
"""For a python3 with neither venv nor pip, as Debian's is by itself."""
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


def main(arguments: list[str]) -> int:
    """Bring an environment up to date; do nothing that is done already."""
    try:
        if arguments == ["--runtime"]:
            make_runtime()
        else:
            make_development()
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


def make_development() -> None:
    """Make what is needed to work on Koboshi, with Debian's packages where some are missing."""
    python = os.environ.get("UV_PYTHON", DEFAULT_PYTHON)
    require_python(python)
    install_debian_packages(missing_debian_packages())
    install_uv(python, os.environ["UV_VERSION"])
    run([str(UV), "sync", "--locked", "--quiet", "--compile-bytecode"], PIP_TIMEOUT_S)


def make_runtime() -> None:
    """Make what is needed to run Koboshi, as whoever we are."""
    if not os.access(ROOT, os.W_OK):
        raise BootstrapError(f"{ROOT} may not be written: clone or copy it to where you may")
    python = find_python()
    install_uv(python, os.environ["UV_VERSION"])
    environment = {**os.environ, "UV_PYTHON": python, "UV_PROJECT_ENVIRONMENT": str(RUNTIME)}
    if not TRUSTED.exists():
        environment.pop("UV_SYSTEM_CERTS", None)  # uv has certificates of its own
    # Nothing is compiled ahead: most of it is never imported.
    run([str(UV), "sync", "--locked", "--quiet", "--no-dev"], PIP_TIMEOUT_S, environment)


class BootstrapError(Exception):
    """Something is missing that we may not or cannot install; the text says the cure."""


def version_of(python: str) -> tuple[int, ...]:
    """Return a Python's major and minor version; raises BootstrapError if it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    return tuple(int(part) for part in run([python, "-c", code], 60, capture=True).split())


def require_python(python: str) -> None:
    """Refuse a Python that is too old before anything fails on it half-way."""
    version = version_of(python)
    if version < OLDEST_PYTHON:
        raise BootstrapError(
            f"{python} is Python {'.'.join(map(str, version))}; Koboshi needs 3.11 or later:"
            " name another with `make UV_PYTHON=/path/to/python3 …`"
        )


def find_python() -> str:
    """Return the first Python that is new enough: the one that was named, ours, any on the PATH."""
    paths = os.pathsep.join((os.environ["PATH"], os.environ.get("CALLERS_PATH", "")))
    on_path = (shutil.which(name, path=paths) for name in PYTHON_NAMES)
    for python in (os.environ.get("UV_PYTHON", DEFAULT_PYTHON), sys.executable, *on_path):
        if python is None or not Path(python).exists():
            continue
        try:
            require_python(python)
        except BootstrapError:
            continue
        return python
    raise BootstrapError(
        "no Python 3.11 or later is on the PATH: install one, or name it with"
        " `make demo UV_PYTHON=/path/to/python3`"
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


def install_uv(python: str, version: str) -> None:
    """Install uv of exactly this version below the checkout."""
    if UV.exists() and run([str(UV), "--version"], 60, capture=True).split()[1:2] == [version]:
        return
    print(f"bootstrap: installing uv {version}", file=sys.stderr)
    pip, more = pip_of(python)
    # pip brings certificates of its own; the machine's may know a proxy that pip's do not.
    environment = {"PIP_CERT": str(TRUSTED), **os.environ} if TRUSTED.exists() else None
    quiet = ["--disable-pip-version-check", "--root-user-action=ignore", "--quiet"]
    install = [*pip, "install", *quiet, *more, f"uv=={version}"]
    run(install, PIP_TIMEOUT_S, environment)


def pip_of(python: str) -> tuple[list[str], list[str]]:
    """Return how pip is called, and the options by which it installs into UV_HOME."""
    target = ["--upgrade", "--target", str(UV_HOME)]  # programs go to UV_HOME/bin, as in a venv
    if has_modules(python, "pip"):
        return [python, "-m", "pip"], target
    if has_modules(python, "venv", "ensurepip"):  # slower: it installs a pip first
        run([python, "-m", "venv", str(UV_HOME)], PIP_TIMEOUT_S)
        return [str(UV_HOME / "bin" / "python"), "-m", "pip"], []
    return [python, f"{download_pip()}/pip"], target


def has_modules(python: str, *names: str) -> bool:
    """Return whether a Python has these modules."""
    code = "import importlib.util as u, sys; print(all(map(u.find_spec, sys.argv[1:])))"
    return run([python, "-c", code, *names], 60, capture=True).strip() == "True"


def download_pip() -> Path:
    """Return pip's own wheel, which can be run as it is."""
    wheel = UV_HOME / PIP_URL.rpartition("/")[2]
    if not wheel.exists():
        # Its hash is known, so nothing rests on the certificates, which may be missing as well.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(
                PIP_URL, timeout=DOWNLOAD_TIMEOUT_S, context=context
            ) as answer:
                content = answer.read()
        except OSError as error:
            raise BootstrapError(
                f"{PIP_URL}: {error}; this python3 has neither venv nor pip: install one of them"
                " (on Debian or Ubuntu: apt-get install python3-venv)"
            ) from error
        if hashlib.sha256(content).hexdigest() != PIP_SHA256:
            raise BootstrapError(f"{PIP_URL} is not what it was: it is not used")
        UV_HOME.mkdir(parents=True, exist_ok=True)
        wheel.write_bytes(content)
    return wheel


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
    sys.exit(main(sys.argv[1:]))
