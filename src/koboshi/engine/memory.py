"""The memory at work: every event goes through here, journal first, then state, then the telling."""

from collections.abc import Callable, Sequence
from enum import Enum

import anyio
import structlog

from koboshi.domain.errors import IllegalTransition, JournalError, SubjectBusy
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.events import CommandIntended, Event
from koboshi.domain.memory.state import State, apply, fold
from koboshi.ports.clock import Clock
from koboshi.ports.journal import Journal, Recorded

log = structlog.get_logger(__name__)

READ_AT_ONCE = 5_000

Listener = Callable[[Recorded, State], None]
"""Told of each event that was journalled, with the state after it; must neither block nor raise."""
Ended = Callable[[], None]
"""Told when all events of one transaction were told; must neither block nor raise."""


class Written(Enum):
    """What became of an attempt to journal."""

    YES = "yes"
    REFUSED = "refused"
    """The events make no sense in this state, or their subject is busy: they are dropped."""
    FAILED = "failed"
    """The journal cannot be written now."""


class Memory:
    """The one writer: whoever decides or has an outcome to tell holds `lock` meanwhile."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        listeners: Sequence[Listener] = (),
        ended: Sequence[Ended] = (),
    ) -> None:
        self.state = State()
        self.lock = anyio.Lock()
        self.failure: str | None = None
        """Why the journal cannot be written; None while it can. Nothing is done meanwhile."""
        self._journal = journal
        self._clock = clock
        self._listeners = tuple(listeners)
        self._ended = tuple(ended)
        self._owed: list[tuple[Instant, tuple[Event, ...]]] = []

    @property
    def journal(self) -> Journal:
        """Return the journal, for timelines."""
        return self._journal

    async def recall(self) -> None:
        """Fold the whole journal."""
        after = 0
        while recorded := await self._journal.read(after=after, limit=READ_AT_ONCE):
            self.state = fold(((r.at, r.event) for r in recorded), self.state)
            after = recorded[-1].seq

    async def remember(self, events: Sequence[Event], commands: Sequence[Command] = ()) -> bool:
        """Journal `events` and the intents of `commands` in one transaction; `lock` must be held.

        Returns False, and nothing happened, when they make no sense or cannot be written: then
        nothing may be done either.
        """
        if not await self._pay():
            return False
        intents = (CommandIntended(command=c) for c in commands)
        return await self._write(self._clock.now(), (*events, *intents)) is Written.YES

    async def tell(self, events: Sequence[Event]) -> None:
        """Journal the outcome of something that has happened; kept until it can be written."""
        async with self.lock:
            self._owed.append((self._clock.now(), tuple(events)))
            await self._pay()

    async def pay(self) -> None:
        """Write the outcomes that are owed, if any: nothing may follow before they are remembered."""
        if self._owed:
            async with self.lock:
                await self._pay()

    async def _pay(self) -> bool:
        """Write the outcomes that could not be written before; return whether none is left."""
        while self._owed:
            at, events = self._owed[0]
            if await self._write(at, events) is Written.FAILED:
                return False
            self._owed.pop(0)
        return True

    async def _write(self, at: Instant, events: tuple[Event, ...]) -> Written:
        if not events:
            return Written.YES
        before = state = self.state
        try:
            for event in events:
                state = apply(state, at, event)
        except (IllegalTransition, KeyError):
            log.exception("illegal_events", events=[e.kind for e in events])
            return Written.REFUSED
        try:
            recorded = await self._journal.append(at, events)
        except SubjectBusy as error:  # a bug of the planner's, not the journal's failure
            log.error("subject_busy", error=str(error))  # noqa: TRY400 - its text is enough
            return Written.REFUSED
        except JournalError as error:
            if self.failure is None:
                log.error("journal_failed", error=str(error))  # noqa: TRY400 - its text is enough
            self.failure = str(error)
            return Written.FAILED
        if self.failure is not None:
            log.info("journal_recovered")
            self.failure = None
        self.state = state
        # Applied once more instead of kept: ten thousand hosts' states in between are a gigabyte.
        for record in recorded:
            before = apply(before, at, record.event)
            for listener in self._listeners:
                _told(listener, record, before)
        for end in self._ended:
            try:
                end()
            except Exception:
                log.exception("listener_crashed", kind="end of a transaction")
        return Written.YES


def _told(listener: Listener, record: Recorded, state: State) -> None:
    """Tell one listener; whatever it does, what was journalled was journalled."""
    try:
        listener(record, state)
    except Exception:
        log.exception("listener_crashed", kind=record.event.kind)
