"""A real OpenStack for these tests: one lab for all of them, calm before each, judged after each.

Where a lab cannot run, its tests are skipped with the reason and the cure; in CI they fail.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, LabError, Settings, install
from lab.rig.home import bring_home
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

HERE = Path(__file__).parent
TEST_TIMEOUT_S = 900
MakeKoboshi = Callable[..., Koboshi]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that none is forgotten."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


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
    return any(os.environ.get(name) in {"1", "true"} for name in ("CI", "KOBOSHI_REQUIRE_LAB"))


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


@pytest.fixture(scope="session")
def nova(lab: Lab) -> Nova:
    """Return Nova's own account."""
    return Nova(lab)


@pytest.fixture(autouse=True)
def calm(lab: Lab, nova: Nova) -> Iterator[None]:
    """Bring everything home first; no server may ever have run twice, whatever the test is about."""
    bring_home(lab, nova)
    yield
    assert lab.violations() == []


@pytest.fixture
def make_koboshi(lab: Lab, calm: None) -> Iterator[MakeKoboshi]:
    """Return what makes a Koboshi with changes to the lab's configuration; it is ended here."""
    made: list[Koboshi] = []

    def make(**changes: Any) -> Koboshi:
        made.append(Koboshi(lab, changes))
        return made[-1]

    yield make
    for koboshi in made:
        koboshi.stop()
        print(koboshi.story())  # noqa: T201 pytest shows it where a test failed
        koboshi.close()


@pytest.fixture
def koboshi(make_koboshi: MakeKoboshi) -> Koboshi:
    """Return a running daemon with the lab's configuration; it warms up while servers are booted."""
    koboshi = make_koboshi()
    koboshi.start()
    return koboshi
