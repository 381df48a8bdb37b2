"""The journal of the daemon that leads."""

import sqlite3
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import anyio
import pytest

from koboshi.adapters.journal.reader import MAX_READ
from koboshi.adapters.journal.sql import SqlJournal
from koboshi.domain.errors import JournalError, NotLeader, SubjectBusy
from koboshi.domain.memory.commands import Outcome
from koboshi.ports.journal import Journal, Recorded

from .samples import NOW, down, ended, evacuate, fence

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqlJournal]:
    """Yield a journal that this test leads."""
    async with await SqlJournal.open_to_lead(path, "koboshi test") as journal:
        yield journal


def open_commands(path: Path) -> dict[str, str]:
    """Return the open commands by subject, as the file has them."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT subject, command FROM open_command").fetchall()
    connection.close()
    return dict(rows)


async def test_events_come_back_in_order_with_their_time(journal: SqlJournal) -> None:
    port: Journal = journal
    later = NOW.later(timedelta(microseconds=1))
    written = await port.append(NOW, [down("host-1"), down("host-2")])
    written += await port.append(later, [down("host-3")])
    assert written == (
        Recorded(seq=1, at=NOW, event=down("host-1")),
        Recorded(seq=2, at=NOW, event=down("host-2")),
        Recorded(seq=3, at=later, event=down("host-3")),
    )
    assert await port.read() == written
    assert await port.read(after=1) == written[1:]
    assert await port.read(after=1, limit=1) == written[1:2]
    assert await port.read(after=3) == ()


async def test_nothing_to_append_is_nothing_done(journal: SqlJournal) -> None:
    assert await journal.append(NOW, []) == ()
    assert await journal.read() == ()


async def test_a_moment_in_another_zone_is_kept_as_utc(journal: SqlJournal) -> None:
    tokyo = replace(NOW, wall=NOW.wall.astimezone(timezone(timedelta(hours=9))))
    await journal.append(tokyo, [down("host-1")])
    (back,) = await journal.read()
    assert back.at == NOW
    assert back.at.wall.utcoffset() == timedelta()


async def test_a_moment_without_a_zone_is_refused(journal: SqlJournal) -> None:
    naive = replace(NOW, wall=datetime(2026, 1, 1))  # noqa: DTZ001 - the bug that is meant
    with pytest.raises(JournalError, match=r"no time zone, a bug"):
        await journal.append(naive, [down("host-1")])
    assert await journal.read() == ()


@pytest.mark.parametrize("limit", [0, -1, MAX_READ + 1])
async def test_reads_are_bounded(journal: SqlJournal, limit: int) -> None:
    with pytest.raises(ValueError, match=r"page by page"):
        await journal.read(limit=limit)


async def test_a_subject_has_one_open_command(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [fence("c-1"), evacuate("c-2")])
    assert open_commands(path) == {"host:host-1": "c-1", "server:s-1": "c-2"}
    with pytest.raises(SubjectBusy, match=r"host:host-1 .*command c-1 .* is open"):
        await journal.append(NOW, [down("host-9"), fence("c-3")])
    assert len(await journal.read()) == 2
    await journal.append(NOW, [ended("c-1", Outcome.FAILED), fence("c-3")])
    assert open_commands(path) == {"host:host-1": "c-3", "server:s-1": "c-2"}
    assert [one.seq for one in await journal.read()] == [1, 2, 3, 4]


async def test_two_intents_for_one_subject_in_one_append_are_refused(
    journal: SqlJournal, path: Path
) -> None:
    with pytest.raises(SubjectBusy, match=r"command c-1 .* is open"):
        await journal.append(NOW, [fence("c-1"), fence("c-2")])
    assert open_commands(path) == {}
    assert await journal.read() == ()


async def test_one_command_cannot_be_about_two_subjects(journal: SqlJournal) -> None:
    await journal.append(NOW, [fence("c-1", "host-1")])
    with pytest.raises(SubjectBusy, match=r"command c-1 .*host:host-1.* is open"):
        await journal.append(NOW, [fence("c-1", "host-2")])


async def test_a_command_that_is_not_open_cannot_end(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [fence("c-1")])
    with pytest.raises(JournalError, match=r"c-7 cannot end: it is not open .*a bug"):
        await journal.append(NOW, [ended("c-1", Outcome.DONE), ended("c-7", Outcome.DONE)])
    assert open_commands(path) == {"host:host-1": "c-1"}
    await journal.append(NOW, [ended("c-1", Outcome.DONE)])
    with pytest.raises(JournalError, match=r"c-1 cannot end"):
        await journal.append(NOW, [ended("c-1", Outcome.DONE)])


async def test_names_are_told_apart_by_case(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [fence("c-1", "host-a"), fence("c-2", "HOST-A")])
    assert len(open_commands(path)) == 2


async def test_concurrent_appends_keep_the_order_of_asking(journal: SqlJournal) -> None:
    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(journal.append, NOW, [down(f"host-{n}")])
    hosts = [one.event for one in await journal.read()]
    assert hosts == [down(f"host-{n}") for n in range(20)]


async def test_a_cancelled_append_is_all_there_or_not_at_all(journal: SqlJournal) -> None:
    for n in range(10):
        with anyio.move_on_after(0.0005 * n):
            await journal.append(NOW, [down(f"a{n}"), down(f"b{n}")])
    hosts = [getattr(one.event, "host", "") for one in await journal.read()]
    whole = [f"{half}{n}" for n in sorted({int(name[1:]) for name in hosts}) for half in "ab"]
    assert hosts == whole


async def test_a_long_read_keeps_no_intent_waiting(journal: SqlJournal) -> None:
    await journal.append(NOW, [down("host-1")])
    with journal.engine.begin() as reading:  # a transaction that reads, and does not end
        assert reading.exec_driver_sql("SELECT count(*) FROM event").scalar() == 1
        with anyio.fail_after(2):
            await journal.append(NOW, [fence("c-1")])
        assert reading.exec_driver_sql("SELECT count(*) FROM event").scalar() == 1
    assert len(await journal.read()) == 2


async def test_what_was_open_is_open_after_a_restart(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        assert journal.epoch == 1
        await journal.append(NOW, [fence("c-1")])
    async with await SqlJournal.open_to_lead(path, "second") as journal:
        assert journal.epoch == 2
        assert [one.event for one in await journal.read()] == [fence("c-1")]
        with pytest.raises(SubjectBusy):
            await journal.append(NOW, [fence("c-2")])
        await journal.append(NOW, [ended("c-1", Outcome.DONE)])


async def test_a_second_daemon_is_told_who_leads(journal: SqlJournal, path: Path) -> None:
    with pytest.raises(NotLeader, match=r"koboshi test, pid \d+ on .*Stop that one first"):
        await SqlJournal.open_to_lead(path, "second")
    await journal.append(NOW, [down("host-1")])


async def test_who_was_overtaken_writes_no_more(journal: SqlJournal, path: Path) -> None:
    # Somebody removes the lock file: then only the epoch stands between two daemons.
    await journal.append(NOW, [down("host-1")])
    path.with_suffix(".lock").unlink()
    async with await SqlJournal.open_to_lead(path, "usurper") as other:
        with pytest.raises(NotLeader, match=r"epoch 2, usurper.*we had epoch 1"):
            await journal.append(NOW, [fence("c-1")])
        await other.append(NOW, [fence("c-2")])
        assert len(await journal.read()) == 2


async def test_files_are_private(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [down("host-1")])
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(files.values()) == {0o600}
    assert {"journal.sqlite", "journal.lock"} <= set(files)


async def test_a_commit_is_on_the_disk(journal: SqlJournal) -> None:
    with journal.writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


async def test_a_missing_event_is_damage(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [down("host-1"), down("host-2"), down("host-3")])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM event WHERE seq = 2")
    connection.close()
    with pytest.raises(JournalError, match=r"event 2 of .* is missing.*put back a backup"):
        await journal.read()


async def test_an_unreadable_time_is_damage(journal: SqlJournal, path: Path) -> None:
    await journal.append(NOW, [down("host-1")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE event SET wall = 'noon'")
    connection.close()
    with pytest.raises(JournalError, match=r"event 1 of .* no readable time.*damaged"):
        await journal.read()
