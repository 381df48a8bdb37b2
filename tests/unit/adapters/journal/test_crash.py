"""kill -9 at any moment: nothing half written, nothing lost that was acknowledged."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from koboshi.adapters.journal.sql import SqlJournal
from koboshi.domain.errors import NotLeader
from koboshi.domain.memory.events import CommandEnded, CommandIntended

from .samples import NOW, down

pytestmark = pytest.mark.anyio
VICTIM = Path(__file__).with_name("victim.py")
BATCH = 3


class Graveyard:
    """Orders lives and hears their last words."""

    def __init__(self, process: "subprocess.Popen[str]", path: Path) -> None:
        self.process = process
        self.path = path
        self.acknowledged = 0

    def order(self, **what: int) -> None:
        life = {
            "path": str(self.path),
            "appends": 0,
            "die_opening_at": 0,
            "die_appending_at": 0,
            "with_child": 0,
            "linger_s": 0,
            **what,
        }
        assert self.process.stdin
        self.process.stdin.write(json.dumps(life) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        word: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.acknowledged += word.get("acknowledged", 0)
        return word

    def hear_until(self, key: str) -> Any:
        while key not in (word := self.hear()):
            assert "dead" not in word, f"it died before it said {key}"
        return word[key]


@pytest.fixture(scope="module")
def forker() -> "Iterator[subprocess.Popen[str]]":
    """Yield the process that forks the victims, and end it."""
    with subprocess.Popen(
        [sys.executable, str(VICTIM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        process.wait(timeout=10)


@pytest.fixture
def graveyard(forker: "subprocess.Popen[str]", path: Path) -> Graveyard:
    """Return where the lives of one test end."""
    return Graveyard(forker, path)


async def judge(yard: Graveyard) -> int:
    """Check the journal as its next leader finds it; return how many events it has."""
    async with await SqlJournal.open_to_lead(yard.path, "judge") as journal:
        events = [one.event for one in await journal.read()]
    open_now = dict[str, str]()
    subject_of = dict[str, str]()
    for one in events:
        if isinstance(one, CommandIntended):
            open_now[one.command.subject] = one.command.id
            subject_of[one.command.id] = one.command.subject
        elif isinstance(one, CommandEnded):
            del open_now[subject_of[one.command]]
    with sqlite3.connect(yard.path) as connection:
        rows = connection.execute("SELECT subject, command FROM open_command").fetchall()
    connection.close()
    assert dict(rows) == open_now
    assert len(events) % BATCH == 0
    assert len(events) >= yard.acknowledged
    # At most the one append that was under way may be there without having been acknowledged.
    assert len(events) <= yard.acknowledged + BATCH
    yard.acknowledged = len(events)
    return len(events)


async def test_killed_at_every_step_of_an_append(graveyard: Graveyard) -> None:
    survivors = statement = 0
    for statement in range(1, 40):
        graveyard.order(appends=1, die_appending_at=statement)
        while "dead" not in (word := graveyard.hear()):
            survivors += "survived" in word
        await judge(graveyard)
        if survivors:
            break
    assert statement > 8, "it died at fewer steps than an append has"
    assert survivors == 1, "it never got through: the steps were not all tried"


async def test_killed_at_every_third_step_of_the_first_opening(graveyard: Graveyard) -> None:
    led = statement = 0
    home = graveyard.path.parent
    # The third from 1 on: among them the last insert and the commit.
    for statement in range(1, 80, 3):
        # Each death in a state folder of its own: the next leader begins with what it left.
        graveyard.path = home / str(statement) / "journal.sqlite"
        graveyard.acknowledged = 0
        graveyard.order(die_opening_at=statement)
        while "dead" not in (word := graveyard.hear()):
            led += "leads" in word
        assert await judge(graveyard) in (0, 3)
        if led:
            break
    assert statement > 10
    assert led == 1


async def test_killed_at_any_moment(graveyard: Graveyard) -> None:
    chance = random.Random(20260504)  # noqa: S311 - chooses moments, guards nothing
    for _ in range(25):
        graveyard.order(appends=100_000)
        pid = graveyard.hear_until("pid")
        for _ in range(chance.randrange(4)):
            graveyard.hear_until("acknowledged")
        time.sleep(chance.uniform(0, 0.015))  # noqa: ASYNC251 - nothing else runs here
        os.kill(pid, signal.SIGKILL)
        while "dead" not in graveyard.hear():
            pass
        await judge(graveyard)


async def test_the_lock_dies_with_its_holder_and_no_child_keeps_it(graveyard: Graveyard) -> None:
    graveyard.order(with_child=1, linger_s=60)
    pid = graveyard.hear_until("pid")
    child = graveyard.hear_until("child")
    graveyard.hear_until("survived")
    try:
        with pytest.raises(NotLeader, match=rf"victim, pid {pid} on "):
            await SqlJournal.open_to_lead(graveyard.path, "second")
        os.kill(pid, signal.SIGKILL)
        while "dead" not in graveyard.hear():
            pass
        os.kill(child, 0)  # it still runs, and holds nothing
        async with await SqlJournal.open_to_lead(graveyard.path, "second") as journal:
            assert journal.epoch == 2
            await journal.append(NOW, [down("host-1")])
    finally:
        for one in (pid, child):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
