"""One lab for every test that needs a real OpenStack.

Where a lab cannot run, its tests are skipped with the reason and the cure; in CI they fail.
"""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from lab import Lab, LabError, Settings, install

TEST_TIMEOUT_S = 900


def why_no_lab() -> str | None:
    """Return why this machine cannot run a lab, with the cure; None if it can."""
    try:
        install.require_machine()
    except LabError as error:
        return str(error)
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if tried.returncode:
        return (
            f"no network namespaces here ({tried.stderr.strip()}): run on the machine itself, or in"
            " a container with CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)"
        )
    return None


def is_required() -> bool:
    """Return whether tests that cannot run count as failed."""
    return any(os.environ.get(name) in {"1", "true"} for name in ("CI", "REQUIRE_LAB"))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Bring one lab up for all tests, and take it down whatever happens (unless it was up)."""
    if obstacle := why_no_lab():
        if is_required():
            pytest.fail(f"the lab cannot run here, and CI asks for it: {obstacle}")
        pytest.skip(obstacle)
    before = {sign: signal.signal(sign, _interrupt) for sign in (signal.SIGTERM, signal.SIGHUP)}
    lab = Lab()
    ours = True
    try:
        ours = lab.up(Settings(hosts=4, intervals="fast"))
        yield lab
    finally:
        if ours:
            lab.down()
        for sign, handler in before.items():
            signal.signal(sign, handler)
