"""What every test shares: asyncio as the event loop, and hypothesis without surprises in CI."""

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, database=None)
settings.register_profile("dev", deadline=None, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio only: the one loop that the daemon runs on."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the lab's tests last: what fails fast should be seen fast."""
    items.sort(key=lambda item: item.get_closest_marker("lab") is not None)
