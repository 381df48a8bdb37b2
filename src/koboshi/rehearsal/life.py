"""The real engine, composed as the daemon does it, on the ports of a rehearsal."""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.decision import Decision, Refused
from koboshi.domain.errors import JournalError, NotLeader
from koboshi.domain.facts.places import Places
from koboshi.domain.rules import Rules
from koboshi.domain.word import Word
from koboshi.engine.execute import Executor
from koboshi.engine.loop import Engine
from koboshi.engine.memory import Memory
from koboshi.engine.observe import Observers
from koboshi.engine.pace import Pace
from koboshi.engine.tell import Teller
from koboshi.engine.whiteboard import Whiteboard
from koboshi.rehearsal.ports import Opens, Ports
from koboshi.sim.asking import ASKER
from koboshi.sim.journal import Disk, KilledHere, MemoryJournal
from koboshi.sim.notifier import SimNotifier
from koboshi.sim.virtual_time import VirtualClock

RESTART_S = 2.0
"""The RestartSec of koboshi.service."""


class Daemon:
    """One life of the daemon: from its start until it is killed."""

    def __init__(
        self,
        *,
        ports: Opens,
        disk: Disk,
        rules: Rules,
        notifier: SimNotifier,
        clock: VirtualClock,
        is_protected: Callable[[str], bool] = lambda _host: True,
        pace: Pace | None = None,
        places: Places | None = None,
    ) -> None:
        self.clock = clock
        self._is_protected = is_protected
        self._pace = pace or Pace()
        self._places = places or Places()
        self.journal = MemoryJournal(disk)
        teller = Teller(notifier, "test")
        self.memory = Memory(self.journal, self.clock, listeners=(teller,), ended=(teller.flush,))
        self.killed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._ports = ports
        self._engine: Engine | None = None
        self._rules = rules

    def begin(self, tasks: TaskGroup) -> None:
        """Start it."""
        tasks.start_soon(self._live)

    async def hear(self, word: Word, by: str) -> Decision | Refused | None:
        """Let a person speak to it; None when nobody is there to hear, or nothing came of it."""
        if self._engine is None or self.killed.is_set():
            return None
        try:
            return await self._engine.hear(word, by)
        except JournalError:
            return None
        except KilledHere:  # in the middle of the answer
            self.kill()
            return None

    def kill(self) -> None:
        """End it at once, as kill -9 does: whatever it waits for, it never learns."""
        self.journal.dead = True
        self._scope.cancel()

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._scope.cancel()

    async def _live(self) -> None:
        ASKER.set(self)
        try:
            with self._scope:
                # The real one exits, and its supervisor starts it again and again.
                while self.journal.failing is not None:  # noqa: ASYNC110 a test's switch has no event
                    await anyio.sleep(RESTART_S)
                async with self._ports(self.clock) as ports:
                    engine = self._engine = self._new_engine(ports)
                    await engine.start()
                    await engine.run()
        except* (KilledHere, NotLeader):
            pass  # a daemon that finds another in the lead when it starts ends, as the real one does
        finally:
            self.killed.set()

    def _new_engine(self, ports: Ports) -> Engine:
        board = Whiteboard(self.clock.now(), fenced=frozenset(ports.fences))
        if ports.kdump is not None:
            ports.kdump.listen(
                lambda host, signed: board.see_kdump(host, self.clock.now(), authenticated=signed)
            )
        return Engine(
            version="0",
            rules=self._rules,
            clock=self.clock,
            memory=self.memory,
            board=board,
            observers=Observers(
                board=board,
                clock=self.clock,
                cloud=ports.cloud,
                probe=ports.probe,
                fences=ports.fences,
                pace=self._pace,
                is_protected=self._is_protected,
                witnesses=ports.witnesses,
                places=self._places,
                reads_aggregates=bool(self._rules.shared_aggregates),
                api_health=ports.api_health,
            ),
            executor=Executor(
                memory=self.memory,
                board=board,
                clock=self.clock,
                cloud=ports.cloud,
                fences=ports.fences,
                rules=self._rules,
            ),
        )
