"""A lab for the tests that need a real OpenStack: one for each of pytest's workers.

Where a lab cannot run, its tests are skipped with the reason and the cure; in CI they fail.
"""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from lab import Lab, LabError, Settings, install, layout

TEST_TIMEOUT_S = 900
HOSTS = 4


class TestsLab(Lab):
    """A lab that knows whether it has to be taken down after the tests."""

    __test__ = False
    ours = False

    def have(self, hosts: int) -> None:
        """Have so many hosts; a lab of another size is made anew."""
        before, self.ours = self.ours, True  # what comes up half-way is ours, too
        made = self.up(Settings(hosts=hosts, intervals="fast"))
        self.ours = made or before


def number() -> int:
    """Return which of this checkout's labs is this worker's."""
    return 1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


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
def lab() -> Iterator[TestsLab]:
    """Return the lab of all this worker's tests, not up yet; taken down whatever happens, unless it was up."""
    if obstacle := why_no_lab():
        if is_required():
            pytest.fail(f"the lab cannot run here, and CI asks for it: {obstacle}")
        pytest.skip(obstacle)
    before = {sign: signal.signal(sign, _interrupt) for sign in (signal.SIGTERM, signal.SIGHUP)}
    lab = TestsLab(layout.here(number()))
    try:
        yield lab
    finally:
        if lab.ours:
            lab.down()
        for sign, handler in before.items():
            signal.signal(sign, handler)
