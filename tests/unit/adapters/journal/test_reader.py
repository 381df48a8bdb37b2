"""Looking into a journal that somebody else writes, or nobody."""

import sqlite3
from pathlib import Path

import anyio
import pytest

from koboshi.adapters.journal.reader import SqlJournalReader
from koboshi.adapters.journal.sql import SqlJournal
from koboshi.domain.errors import JournalError
from koboshi.ports.journal import JournalReader

from .samples import NOW, down

pytestmark = pytest.mark.anyio


async def test_a_missing_journal_is_not_made(path: Path) -> None:
    with pytest.raises(JournalError, match=r"no journal at .*koboshi run"):
        await SqlJournalReader.open_to_read(path)
    assert not path.parent.exists()


async def test_an_empty_file_is_no_journal_yet_and_stays_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(JournalError, match=r"schema version none.*start its daemon"):
        await SqlJournalReader.open_to_read(path)
    assert path.stat().st_size == 0
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("host-1")])


async def test_a_path_with_odd_characters_is_that_path(tmp_path: Path) -> None:
    path = tmp_path / "state? 100%&mode=rwc#x" / "journal.sqlite"
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("host-1")])
    async with await SqlJournal.open_to_read(path) as reader:
        assert len(await reader.read()) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.parent.name]


async def test_it_reads_while_the_daemon_writes(path: Path) -> None:
    async with (
        await SqlJournal.open_to_lead(path, "first") as journal,
        await SqlJournal.open_to_read(path) as reader,
        anyio.create_task_group() as tasks,
    ):
        port: JournalReader = reader
        seen = 0

        async def write() -> None:
            for n in range(30):
                await journal.append(NOW, [down(f"a-{n}"), down(f"b-{n}")])

        tasks.start_soon(write)
        while seen < 60:
            found = await port.read()
            assert len(found) % 2 == 0
            assert len(found) >= seen
            seen = len(found)


async def test_it_reads_after_the_daemon_is_gone(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("host-1")])
    before = path.read_bytes()
    async with await SqlJournal.open_to_read(path) as reader:
        assert [one.event for one in await reader.read()] == [down("host-1")]
    assert path.read_bytes() == before


async def test_it_cannot_write(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first"):
        pass
    async with await SqlJournal.open_to_read(path) as reader:
        connection = reader.engine.raw_connection()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.cursor().execute("DELETE FROM event")
        connection.close()


@pytest.mark.parametrize(
    ("version", "text"), [("0000", "start its daemon"), ("9999", "a newer one wrote it")]
)
async def test_another_schema_is_refused(path: Path, version: str, text: str) -> None:
    async with await SqlJournal.open_to_lead(path, "first"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.close()
    with pytest.raises(JournalError, match=text):
        await SqlJournalReader.open_to_read(path)


async def test_a_file_that_is_no_journal_is_named_with_the_cure(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no journal, " * 500)
    with pytest.raises(JournalError, match=rf"{path} cannot be opened.*put back a backup"):
        await SqlJournalReader.open_to_read(path)
