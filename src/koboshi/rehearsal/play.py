"""The core that stories and fault campaigns share: a cloud, a script and settings in, what happened out.

The real engine runs on the simulated cloud in virtual time. The same input gives the same story.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from koboshi.domain.memory.state import State, fold
from koboshi.ports.journal import Recorded
from koboshi.ports.notify import Notice
from koboshi.rehearsal.chronicle import Line
from koboshi.rehearsal.script import Happening, Script
from koboshi.rehearsal.settings import StorySettings
from koboshi.rehearsal.spec import CloudSpec
from koboshi.rehearsal.stage import Compose, Stage, on_ports
from koboshi.rehearsal.story import BUGS
from koboshi.sim.breach import Breach, Rule
from koboshi.sim.happening import Happened
from koboshi.sim.invariants import Judge
from koboshi.sim.virtual_time import run_virtual
from koboshi.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What happened in a story."""

    lines: tuple[Line, ...]
    """Everything, in order: the world's truth, Koboshi's journal, and how things stood at the end."""
    recorded: tuple[Recorded, ...]
    """The journal."""
    state: State
    """The journal, folded."""
    notices: tuple[Notice, ...]
    happened: tuple[Happened, ...]
    """The faults that befell the world."""
    waiting: tuple[Happening, ...]
    """What was to happen when something is so, and it never was."""
    world: World
    """As it was at the end."""
    logs: tuple[EventDict, ...]
    judge: Judge
    """Who watched the world and the journal, with what came close and what was assumed."""
    breaches: tuple[Breach, ...]
    """Each rule that was broken, by the world's truth."""


def play(
    cloud: CloudSpec,
    script: Script,
    settings: StorySettings,
    *,
    compose: Compose = on_ports,
    prepare: Callable[[Stage], None] | None = None,
) -> Played:
    """Play one story to its end.

    `compose` builds the daemon on the face of the cloud that is wanted; `prepare` is given the stage
    before the daemon starts, to watch what happens or to change what a spec cannot say.
    """
    return run_virtual(perform, cloud, script, settings, compose, prepare)


async def perform(
    cloud: CloudSpec,
    script: Script,
    settings: StorySettings,
    compose: Compose = on_ports,
    prepare: Callable[[Stage], None] | None = None,
) -> Played:
    """Play one story on the running loop, which must be a virtual one."""
    with capture_logs() as logs:
        return await _perform(cloud, script, settings, (compose, prepare), logs)


async def _perform(
    cloud: CloudSpec,
    script: Script,
    settings: StorySettings,
    how: tuple[Compose, Callable[[Stage], None] | None],
    logs: list[EventDict],
) -> Played:
    compose, prepare = how
    tasks = anyio.create_task_group()
    stage = Stage(tasks, cloud, settings, compose)
    cues = _Cues(stage, script)
    async with tasks:
        stage.begin()
        if prepare is not None:
            prepare(stage)
        cues.begin()
        tasks.start_soon(_start, stage, script.starts_s)
        await anyio.sleep(script.lasts_s)
        stage.close()
        tasks.cancel_scope.cancel()
    return _told(stage, cues.waiting, logs, script.lasts_s)


def _told(
    stage: Stage, waiting: Sequence[Happening], logs: list[EventDict], lasted_s: float
) -> Played:
    recorded = tuple(stage.disk.recorded)
    return Played(
        lines=tuple(stage.chronicle.lines),
        recorded=recorded,
        state=fold((r.at, r.event) for r in recorded),
        notices=tuple(stage.notifier.notices),
        happened=tuple(stage.happenings.happened),
        waiting=tuple(waiting),
        world=stage.world,
        logs=tuple(logs),
        judge=stage.judge,
        breaches=(*stage.judge.breaches, *_bugs(logs, lasted_s)),
    )


def _bugs(logs: list[EventDict], lasted_s: float) -> tuple[Breach, ...]:
    return tuple(
        Breach(at_s=lasted_s, rule=Rule.BUG, facts=str(e)) for e in logs if e["event"] in BUGS
    )


async def _start(stage: Stage, after_s: float) -> None:
    await anyio.sleep(after_s)
    stage.start_daemon()


class _Cues:
    """Lets each thing happen in its moment."""

    def __init__(self, stage: Stage, script: Script) -> None:
        self._stage = stage
        self._timed = [h for h in script.happens if not h.when]
        self.waiting = [h for h in script.happens if h.when]

    def begin(self) -> None:
        """Start waiting."""
        for happening in self._timed:
            self._stage.tasks.start_soon(self._later, happening)
        if self.waiting:
            self._stage.chronicle.listen(self._hear)

    def _hear(self, line: Line) -> None:
        for happening in [h for h in self.waiting if is_cue(h.when, line)]:
            self.waiting.remove(happening)
            # Later, not now: whoever wrote the line is in the middle of it.
            self._stage.tasks.start_soon(self._later, happening)

    async def _later(self, happening: Happening) -> None:
        await anyio.sleep(happening.at_s)
        self._stage.befall(happening.what)


def is_cue(when: str, line: Line) -> bool:
    """Return whether a line begins with these words."""
    words = when.split()
    return line.text.split()[: len(words)] == words
