"""Rehearsals live in virtual time."""

import pytest

from koboshi.sim.virtual_time import ANYIO_BACKEND


@pytest.fixture(scope="module")
def anyio_backend() -> object:
    """Run async tests on a loop whose time jumps."""
    return ANYIO_BACKEND
