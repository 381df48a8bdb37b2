"""A real OpenStack for these tests: one lab for all of a worker's, calm before each, judged after each."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab
from lab.rig.home import bring_home, delete_servers
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova
from lab.rig.things import Things
from tests.real_cloud import HOSTS, TEST_TIMEOUT_S, TestsLab
from tests.real_cloud import lab as lab  # noqa: PLC0414 pytest finds fixtures by their names here

HERE = Path(__file__).parent
MakeKoboshi = Callable[..., Koboshi]
DELETED_WITHIN_S = 60.0
WIDE_HOSTS = 20 if os.environ.get("LAB_LONG") else 12


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that none is forgotten; those with a wide lab come first: they are long."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
    items.sort(key=lambda item: not is_wide(item))


def is_wide(item: pytest.Item) -> bool:
    """Return whether a test wants more hosts."""
    return "wide" in getattr(item, "fixturenames", ())


@pytest.fixture
def wide(lab: Lab, calm: None) -> Lab:
    """Return the lab, which has three racks of four hosts for this test."""
    return lab


@pytest.fixture
def nova(lab: Lab, calm: None) -> Nova:
    """Return Nova's own account."""
    return Nova(lab)


@pytest.fixture(autouse=True)
def calm(lab: TestsLab, request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring everything home first; no server may ever have run twice, whatever the test is about."""
    lab.have(WIDE_HOSTS if is_wide(request.node) else HOSTS)
    bring_home(lab, Nova(lab))
    before = lab.violations()  # the contract's tests let Nova ruin servers, to see how
    yield
    assert lab.violations() == before


@pytest.fixture
def things(lab: Lab, calm: None) -> Iterator[Things]:
    """Return what makes groups, flavors, images and aggregates; they are gone after the test."""
    things = Things(lab)
    yield things
    # Nova lets no host out of a zone that a server on it was asked into.
    delete_servers(Nova(lab), time.monotonic() + DELETED_WITHIN_S)
    things.undo()


@pytest.fixture
def make_koboshi(lab: Lab, calm: None) -> Iterator[MakeKoboshi]:
    """Return what makes a Koboshi with changes to the lab's configuration; it is ended here."""
    made: list[Koboshi] = []

    def make(*, station: bool = False, **changes: Any) -> Koboshi:
        made.append(Koboshi(lab, changes, station=station))
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
