"""The one writer: nothing is done that is not written, and no outcome is forgotten."""

import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import FenceOff, Outcome
from koboshi.domain.memory.events import (
    CommandEnded,
    DaemonStarted,
    HostFoundDown,
    HostSeenUp,
    IncidentMoved,
    IncidentOpened,
)
from koboshi.domain.memory.state import State
from koboshi.domain.names import CommandId, HostName, IncidentId
from koboshi.engine.memory import Memory
from koboshi.ports.journal import Recorded
from koboshi.sim.journal import Disk, MemoryJournal
from koboshi.sim.virtual_time import VirtualClock

pytestmark = pytest.mark.anyio

H1 = HostName("h1")
I1 = IncidentId("i1")
STARTED = DaemonStarted(version="0", mode="act", install="test")
OPENED = IncidentOpened(incident=I1, host=H1, evidence=())
FENCE = FenceOff(id=CommandId("f"), incident=I1, host=H1)
ENDED = CommandEnded(command=FENCE.id, outcome=Outcome.DONE)


class Heard:
    """A listener."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def __call__(self, record: Recorded, state: State) -> None:
        self.heard.append((record.seq, len(state.incidents)))


def memory_of(disk: Disk, *listeners: Heard) -> tuple[Memory, MemoryJournal]:
    journal = MemoryJournal(disk)
    return Memory(journal, VirtualClock(), listeners=listeners), journal


async def test_events_and_intents_are_written_together_and_listeners_see_each_state() -> None:
    heard = Heard()
    memory, _ = memory_of(Disk(), heard)
    async with memory.lock:
        assert await memory.remember((STARTED, OPENED), (FENCE,))
    assert heard.heard == [(1, 0), (2, 1), (3, 1)]
    assert FENCE.id in memory.state.commands


async def test_what_cannot_be_written_has_not_happened() -> None:
    memory, journal = memory_of(Disk())
    journal.failing = "the disk is full"
    async with memory.lock:
        assert not await memory.remember((OPENED,))
    assert memory.state == State()
    assert memory.failure == "the disk is full"
    journal.failing = None
    async with memory.lock:
        assert await memory.remember((OPENED,))
    assert memory.failure is None


async def test_what_makes_no_sense_changes_nothing() -> None:
    disk = Disk()
    memory, _ = memory_of(disk)
    nonsense = IncidentMoved(incident=I1, to=IncidentState.RECOVERING, reason="")
    async with memory.lock:
        assert not await memory.remember((OPENED, nonsense))
    assert disk.recorded == []
    assert memory.state == State()


async def test_an_outcome_that_could_not_be_written_is_written_before_anything_else() -> None:
    disk = Disk()
    memory, journal = memory_of(disk)
    async with memory.lock:
        assert await memory.remember((OPENED,), (FENCE,))
    journal.failing = "the disk is full"
    await memory.tell((ENDED,))
    async with memory.lock:
        assert not await memory.remember((HostFoundDown(host=H1),))
    journal.failing = None
    async with memory.lock:
        assert await memory.remember((HostSeenUp(host=H1),))
    kinds = [r.event.kind for r in disk.recorded]
    assert kinds == ["incident_opened", "command_intended", "command_ended", "host_seen_up"]
    assert not memory.state.commands


async def test_one_open_command_a_host() -> None:
    memory, _ = memory_of(Disk())
    second = FenceOff(id=CommandId("g"), incident=I1, host=H1)
    async with memory.lock:
        assert await memory.remember((OPENED,), (FENCE,))
        assert not await memory.remember((), (second,))
    assert set(memory.state.commands) == {FENCE.id}


async def test_who_lost_the_lead_writes_nothing_more() -> None:
    disk = Disk()
    memory, _ = memory_of(disk)
    successor, _ = memory_of(disk)
    async with memory.lock:
        assert not await memory.remember((OPENED,))
    assert memory.failure is not None
    async with successor.lock:
        assert await successor.remember((OPENED,))


async def test_a_journal_is_recalled_whole() -> None:
    disk = Disk()
    memory, _ = memory_of(disk)
    async with memory.lock:
        assert await memory.remember((STARTED, OPENED), (FENCE,))
    later, _ = memory_of(disk)
    await later.recall()
    assert later.state == memory.state
