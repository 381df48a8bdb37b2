"""Where the journals of these tests lie."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal's path in a state folder that does not exist yet."""
    return tmp_path / "state" / "journal.sqlite"
