"""A daemon that tells the story, and a journal that holds it."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from prometheus_client import CollectorRegistry

from koboshi.adapters.journal.sql import SqlJournal
from koboshi.api.server import serve
from koboshi.settings import Settings
from tests.unit.api.story import EVENTS, StorySource, after


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """Return a folder with a short path: a socket's may have 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="koboshi-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def environ(state_dir: Path) -> dict[str, str]:
    """Return an environment in which Koboshi's state is the test's."""
    return {"KOBOSHI_STATE_DIR": str(state_dir)}


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    """Return an event loop in another thread."""
    with start_blocking_portal() as made:
        yield made


@pytest.fixture
def daemon(state_dir: Path, portal: BlockingPortal) -> Iterator[None]:
    """Let a daemon answer in `state_dir`."""
    settings = Settings(state_dir=state_dir)
    future, _ = portal.start_task(partial(serve, settings, StorySource(), CollectorRegistry()))
    yield
    future.cancel()


async def _write_journal(path: Path) -> None:
    journal = await SqlJournal.open_to_lead(path, "test")
    for seconds, event in EVENTS:
        await journal.append(after(seconds), [event])
    await journal.close()


@pytest.fixture
def journal(state_dir: Path) -> None:
    """Leave a journal with the story in `state_dir`."""
    anyio.run(_write_journal, state_dir / "journal.db")
