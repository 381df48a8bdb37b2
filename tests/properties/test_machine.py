"""Hypothesis drives the cloud step by step: whatever it lets happen, no rule may break.

The same vocabulary and the same judge as in `koboshi sim campaign`; what Hypothesis adds is that it
looks for the story itself, and makes it short.
"""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from random import Random

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from structlog.testing import capture_logs
from structlog.typing import EventDict

from koboshi.domain.facts.cloud import PROTECTED_HYPERVISORS
from koboshi.domain.memory.state import fold
from koboshi.domain.rules import Mode
from koboshi.rehearsal.campaign.clouds import draw_cloud, draw_settings
from koboshi.rehearsal.campaign.scripts import BLOWS, KINDS, OF_RACKS, draw, draw_fault
from koboshi.rehearsal.campaign.subjects import VICTIM, Subjects
from koboshi.rehearsal.campaign.trial import awaits_release
from koboshi.rehearsal.script import Befalling
from koboshi.rehearsal.stage import Stage, on_ports
from koboshi.rehearsal.story import BUGS
from koboshi.sim.accounts import Closing, close, is_quiet
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.virtual_time import VirtualLoop

pytestmark = pytest.mark.timeout(600)
"""Hypothesis may take five minutes to make a failure short; a time-out before would hide what failed."""

DICE = st.randoms(use_true_random=False)
QUARTERS = st.integers(0, 80).map(lambda n: n / 4)
AFTERWARDS_S = 60.0
AT_MOST_S = 1_200.0


class Cloud(RuleBasedStateMachine):
    """One cloud, its daemon, and everything that may befall them."""

    mode: Mode | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.logs: list[EventDict] = []
        self.contexts = ExitStack()
        self.stage: Stage | None = None

    @initialize(dice=DICE, blow=st.sampled_from(BLOWS))
    def begin(self, dice: Random, blow: FaultKind) -> None:
        """Let a cloud run under a daemon until it is warm, and then strike its first host."""
        self.logs = self.contexts.enter_context(capture_logs())
        spec = draw_cloud(dice)
        chosen = draw_settings(dice, spec)
        if self.mode is not None:
            chosen = chosen.model_copy(update={"mode": self.mode})
        self.of = Subjects.of(spec)
        self.ended = asyncio.Event()

        async def live() -> None:
            async with anyio.create_task_group() as tasks:
                self.stage = Stage(tasks, spec, chosen, on_ports)
                self.stage.begin()
                self.stage.start_daemon()
                await self.ended.wait()
                tasks.cancel_scope.cancel()

        self.life = self.loop.create_task(live())
        self.advance(15.0 + 3 * spec.heartbeat.total_seconds())
        self.befall(draw_fault(dice, blow, self.of, VICTIM))

    @property
    def cloud(self) -> Stage:
        """Return the stage, which is set."""
        assert self.stage is not None
        return self.stage

    def advance(self, by_s: float) -> None:
        """Let time pass; raises what the daemon raised."""

        async def wait() -> None:
            done, _ = await asyncio.wait({self.life}, timeout=by_s)
            for task in done:
                task.result()

        self.loop.run_until_complete(wait())

    def befall(self, what: Befalling) -> None:
        """Let something happen on the loop of the play."""

        async def now() -> None:
            self.cloud.befall(what)

        self.loop.run_until_complete(now())

    @rule(kind=st.sampled_from(KINDS), dice=DICE, then_s=QUARTERS)
    def something_befalls(self, kind: FaultKind, dice: Random, then_s: float) -> None:
        """Let anything happen that can happen here."""
        if self.of.racks or kind not in OF_RACKS:
            self.befall(draw(dice, kind, self.of))
        self.advance(then_s)

    @rule(by_s=QUARTERS)
    def time_passes(self, by_s: float) -> None:
        """Let nothing happen for a while."""
        self.advance(by_s)

    @invariant()
    def no_rule_is_broken(self) -> None:
        """Ask the judge, who has watched every event."""
        if self.stage is not None:
            assert self.cloud.judge.breaches == []

    def teardown(self) -> None:
        """Let the troubles end, wait until all is quiet, and account for everything."""
        try:
            if self.stage is not None:
                self.end_well()
        finally:
            if self.stage is not None:
                self.ended.set()
                self.loop.run_until_complete(asyncio.wait({self.life}))
            self.loop.close()
            self.contexts.close()

    def end_well(self) -> None:
        """Hold what all came to, to the rules."""
        stage = self.cloud
        self.befall(Fault(kind=FaultKind.CALM))
        self.advance(AFTERWARDS_S)
        for _ in range(int(AT_MOST_S / AFTERWARDS_S)):
            if stage.judge.breaches or self.loop.run_until_complete(_quiet(stage)):
                break
            self.advance(AFTERWARDS_S)
        hosts = stage.spec.host_names
        closing = Closing(
            now_s=self.loop.time(),
            fenced=frozenset(h for h in hosts if stage.spec.of_host(h).fenced),
            protected=frozenset(
                h for h in hosts if stage.spec.of_host(h).hypervisor in PROTECTED_HYPERVISORS
            ),
        )
        if not stage.judge.breaches:
            self.loop.run_until_complete(_closed(stage, closing))
        assert stage.judge.breaches == [], stage.judge.breaches
        assert [e for e in self.logs if e["event"] in BUGS] == []
        recorded = [(r.at, r.event) for r in stage.disk.recorded]
        half = len(recorded) // 2
        assert fold(recorded[half:], fold(recorded[:half])) == fold(recorded)


async def _quiet(stage: Stage) -> bool:
    """Ask on the loop of the play, whose time the answer depends on: a held host waits for the brake."""
    return is_quiet(stage.judge) and not awaits_release(stage.judge)


async def _closed(stage: Stage, closing: Closing) -> None:
    close(stage.judge, closing)


class Observed(Cloud):
    """The same, and the daemon only watches: the judge forbids every command."""

    mode = Mode.OBSERVE


LITTLE = settings(max_examples=12, stateful_step_count=10, deadline=timedelta(seconds=30))
TestCloud = Cloud.TestCase
TestCloud.settings = LITTLE
TestObserved = Observed.TestCase
TestObserved.settings = settings(LITTLE, max_examples=4)
