"""The loop: each tick looks at everything anew, journals what follows, and starts it."""

from datetime import timedelta

import anyio
import structlog
from anyio.abc import TaskGroup

from koboshi.domain.decide import decide
from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.errors import JournalError, NotLeader
from koboshi.domain.instant import Instant
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import DaemonStarted
from koboshi.domain.picture import take_picture
from koboshi.domain.rules import LOOP_GAP, Rules
from koboshi.domain.word import Word, answer
from koboshi.engine.execute import Executor
from koboshi.engine.memory import Memory
from koboshi.engine.observe import Observers
from koboshi.engine.resume import resume
from koboshi.engine.schedule import Schedule
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock

log = structlog.get_logger(__name__)

TICK = timedelta(milliseconds=200)
DECISIONS_A_TICK = 50
"""A decision leads to the next at once; this many in one tick would be a bug, and wait a tick."""


class Engine:
    """Observe, decide, journal, execute, until cancelled."""

    def __init__(
        self,
        *,
        version: str,
        rules: Rules,
        clock: Clock,
        memory: Memory,
        board: Whiteboard,
        observers: Observers,
        executor: Executor,
    ) -> None:
        self._version = version
        self._rules = rules
        self._clock = clock
        self._memory = memory
        self._board = board
        self._observers = observers
        self._executor = executor
        self._tasks: TaskGroup | None = None
        """Where commands run; None before `run`."""
        self.ticked_at: Instant | None = None
        self.seen: Picture | None = None
        """The newest picture, judged."""

    async def start(self) -> None:
        """Recall the journal and resume; afterwards the state is that of a daemon at work."""
        await self._memory.recall()
        async with self._memory.lock:
            started = DaemonStarted(
                version=self._version, mode=self._rules.mode, install=self._rules.install
            )
            events = (started, *resume(self._memory.state))
            if not await self._memory.remember(events):
                raise NotLeader(self._memory.failure or "the journal refused the first events")

    async def run(self) -> None:
        """Run for ever."""
        async with anyio.create_task_group() as tasks:
            self._tasks, schedule = tasks, Schedule(self._clock, tasks)
            while True:
                await self.tick(tasks, schedule)
                await self._clock.sleep(TICK)

    async def tick(self, tasks: TaskGroup, schedule: Schedule) -> None:
        """Look once: decide until nothing more follows, then read what is due."""
        self._notice_gap()
        await self._memory.pay()
        picture = await self._decide_all(tasks)
        interest = interest_of(picture)
        self._board.forget_all_but(interest)
        schedule.start_due(self._observers.orders(interest))

    def _notice_gap(self) -> None:
        now = self._clock.now()
        if self.ticked_at is not None and now.since(self.ticked_at) > LOOP_GAP:
            gap_s = now.since(self.ticked_at).total_seconds()
            log.warning("loop_gap", seconds=round(gap_s, 1), meaning="all silence starts anew")
            self._board.begin_anew(now)
        self.ticked_at = now

    async def hear(self, word: Word, by: str) -> Decision | Refused:
        """Answer what a person says, in the place of a decision: between two looks, on one picture.

        `by` is who says it, as the operating system told. Raises JournalError when it could not be
        remembered: then nothing came of it.
        """
        if self._tasks is None:
            raise JournalError("the daemon has not begun its work yet; try again in a second")
        async with self._memory.lock:
            answered = answer(self._picture(), word, by)
            if isinstance(answered, Refused):
                log.warning("word_refused", word=repr(word), by=by, reason=answered.reason)
                return answered
            if not await self._memory.remember(answered.events, answered.commands):
                raise JournalError(
                    f"it could not be written to the journal, so nothing came of it: "
                    f"{self._memory.failure or 'the journal refused it'}",
                )
        log.warning("word_taken", word=repr(word), by=by)
        for command in answered.commands:
            self._tasks.start_soon(self._executor.execute, command)
        return answered

    async def _decide_all(self, tasks: TaskGroup) -> Picture:
        kinds: list[str] = []
        for _ in range(DECISIONS_A_TICK):
            async with self._memory.lock:
                picture = self._picture()
                decision = decide(picture)
                if not decision:
                    return picture
                if not await self._memory.remember(decision.events, decision.commands):
                    return picture
            kinds = [e.kind for e in decision.events]
            for command in decision.commands:
                tasks.start_soon(self._executor.execute, command)
        log.error("decisions_do_not_end", kinds=kinds)
        return self._picture()

    def _picture(self) -> Picture:
        state, now = self._memory.state, self._clock.now()
        self._board.recall(state.devices)
        world = self._board.world
        self.seen = take_picture(world, state, self._rules, now, before=self.seen)
        return self.seen
