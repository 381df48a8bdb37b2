"""A disk that is full, a file that is damaged, a folder that is closed: the place and the cure."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import ArgumentError

from koboshi.adapters.journal.failure import explained
from koboshi.adapters.journal.sql import SqlJournal
from koboshi.domain.errors import JournalError
from koboshi.domain.memory.commands import Outcome

from .samples import NOW, down, ended, fence

pytestmark = pytest.mark.anyio
NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Yield a folder of root's that this test, no longer root, may read and not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        else:
            folder.chmod(0o555)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


async def test_a_full_disk(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [fence("c-1")])
        with journal.writer.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(JournalError, match=rf"{path} cannot be written .*full.*make room"):
            await journal.append(
                NOW, [ended("c-1", Outcome.DONE), *[down("x" * 900) for _ in range(20)]]
            )
        assert [one.event for one in await journal.read()] == [fence("c-1")]
        with journal.writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        await journal.append(NOW, [ended("c-1", Outcome.DONE)])
        assert [one.seq for one in await journal.read()] == [1, 2]


async def test_a_database_that_somebody_else_keeps_locked(path: Path) -> None:
    brief = timedelta(milliseconds=20)
    async with await SqlJournal.open_to_lead(path, "first", busy_timeout=brief) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"cannot be written .*locked.*fuser"):
            await journal.append(NOW, [down("host-1")])
        other.execute("ROLLBACK")
        other.close()
        await journal.append(NOW, [down("host-1")])
        assert len(await journal.read()) == 1


async def test_a_folder_that_may_not_be_written(unprivileged: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot be opened \(Permission denied\).*0700"):
        await SqlJournal.open_to_lead(unprivileged / "journal.sqlite", "first")
    with pytest.raises(JournalError, match=r"cannot be opened \(Permission denied\).*0700"):
        await SqlJournal.open_to_lead(unprivileged / "state" / "journal.sqlite", "first")


async def test_a_file_that_may_not_be_written(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        with journal.writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(JournalError, match=r"cannot be written .*readonly.*mode 0700"):
            await journal.append(NOW, [down("host-1")])


async def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(JournalError, match=r"cannot be opened"):
        await SqlJournal.open_to_lead(tmp_path / "state" / "deep" / "journal.sqlite", "first")


async def test_a_folder_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match=r"it is a folder: move that away"):
        await SqlJournal.open_to_lead(path, "first")
    await _free(path)


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 400)
    with pytest.raises(JournalError, match=rf"{path} cannot be opened.*put back a backup"):
        await SqlJournal.open_to_lead(path, "first")
    assert path.read_bytes().startswith(b"no database")
    path.unlink()
    await _free(path)


async def test_a_damaged_file_is_found_when_it_is_opened(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("x" * 2_000) for _ in range(40)])
    whole = path.read_bytes()
    page = 4096
    for start in (page * 4, len(whole) // 2 // page * page):
        path.write_bytes(whole[:start] + os.urandom(page) + whole[start + page :])
        with pytest.raises(JournalError, match=r"(?s)damaged.*backup"):
            await SqlJournal.open_to_lead(path, "second")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalError, match=r"(?s)damaged.*backup"):
        await SqlJournal.open_to_lead(path, "second")


async def test_a_journal_without_a_leaders_row_is_damaged(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM leader")
        connection.close()
        with pytest.raises(JournalError, match=r"led by another daemon now \(nobody"):
            await journal.append(NOW, [down("host-1")])
    with pytest.raises(JournalError, match=r"leader's row is gone"):
        await SqlJournal.open_to_lead(path, "second")


async def test_a_file_that_was_removed_or_replaced_takes_no_more(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("host-1")])
        kept = path.with_name("kept")
        path.rename(kept)
        with pytest.raises(JournalError, match=r"cannot be written .*No such file.*backup"):
            await journal.append(NOW, [down("host-2")])
        shutil.copy(kept, path)
        with pytest.raises(JournalError, match=r"was replaced by another file.*restart"):
            await journal.append(NOW, [down("host-2")])
        path.unlink()
        kept.rename(path)
        await journal.append(NOW, [down("host-2")])


def test_an_error_that_no_table_names_is_still_explained(path: Path) -> None:
    with pytest.raises(JournalError, match=r"ArgumentError: odd"), explained(path, "read"):
        raise ArgumentError("odd")
    with pytest.raises(JournalError, match=r"strange"), explained(path, "read"):
        raise OSError("strange")
    with pytest.raises(JournalError, match=r"damaged"), explained(path, "read"):
        raise sqlite3.ProgrammingError("closed")


async def _free(path: Path) -> None:
    """Show that the failed opening let go of the lock."""
    if path.is_dir():
        path.rmdir()
    async with await SqlJournal.open_to_lead(path, "next") as journal:
        await journal.append(NOW, [down("host-1")])
