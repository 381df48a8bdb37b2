"""One case played under the eyes of the judge, until all is quiet after the troubles."""

import traceback
from dataclasses import dataclass
from datetime import timedelta

import anyio

from koboshi.domain.facts.cloud import PROTECTED_HYPERVISORS
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName
from koboshi.rehearsal.campaign.cases import Case
from koboshi.rehearsal.campaign.counting import Counts, count
from koboshi.rehearsal.chronicle import Line
from koboshi.rehearsal.play import play
from koboshi.rehearsal.stage import Compose, Stage, on_ports
from koboshi.sim.accounts import Closing, close, is_quiet
from koboshi.sim.breach import Breach, Rule
from koboshi.sim.held_in_vain import HeldInVain, is_held
from koboshi.sim.invariants import Judge

LOOK_EVERY_S = 1.0
AT_LEAST_S = 40.0
"""A host that dies at the last moment is found out by then."""
QUIET_FOR_S = 15.0
AT_MOST = timedelta(seconds=300)
"""Beyond the longest wait of Koboshi's own, nothing may still be on its way."""
SHORT_MEMORY = timedelta(minutes=2)
"""Where incidents are remembered for so long at most, what ends with that is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one case."""

    case: Case
    breaches: tuple[Breach, ...]
    counts: Counts
    ended_s: float
    lines: tuple[Line, ...] = ()


class Overseer:
    """Watches one play from its beginning, ends it when all is quiet, and judges it."""

    def __init__(self, case: Case) -> None:
        self._calm_s = max(h.at_s for h in case.script.happens if not h.when)
        self._quiet_s = 0.0
        self.ended_s = 0.0

    def prepare(self, stage: Stage) -> None:
        """Begin to watch."""
        stage.chronicle.listen(self._hear)
        stage.tasks.start_soon(self._watch, stage)

    def _hear(self, line: Line) -> None:
        """Note how long what befalls lasts: calm begins after the last of it."""
        words = line.text.split()
        if words[0] not in {"fault", "trouble", "word"}:
            return
        lasts = [w.removeprefix("for=") for w in words if w.startswith("for=")]
        self._calm_s = max(self._calm_s, line.at_s + float(lasts[0] if lasts else 0))

    async def _watch(self, stage: Stage) -> None:
        judge, brake = stage.judge, HeldInVain()
        while True:
            brake.look(judge, anyio.current_time())
            if self._is_over(judge):
                break
            await anyio.sleep(LOOK_EVERY_S)
        self.ended_s = anyio.current_time()
        hosts = stage.spec.host_names
        closing = Closing(
            now_s=self.ended_s,
            fenced=frozenset(h for h in hosts if stage.spec.of_host(h).fenced),
            protected=frozenset(
                h for h in hosts if stage.spec.of_host(h).hypervisor in PROTECTED_HYPERVISORS
            ),
        )
        if not judge.breaches:
            close(judge, closing)
        stage.close()
        stage.tasks.cancel_scope.cancel()

    def _is_over(self, judge: Judge) -> bool:
        now_s, memory = anyio.current_time(), judge.rules.incident_memory
        if judge.breaches:
            return True
        if now_s > self._calm_s + (judge.rules.stuck_after + memory + AT_MOST).total_seconds():
            return True
        if memory <= SHORT_MEMORY and is_held(judge):
            return False  # it is released in the end, or told to be held in vain
        if now_s < self._calm_s + AT_LEAST_S or not is_quiet(judge) or awaits_release(judge):
            self._quiet_s = now_s
            return False
        return now_s - self._quiet_s >= QUIET_FOR_S


def awaits_release(judge: Judge) -> bool:
    """Return whether somebody waits for the brake, and not for too long."""
    memory = judge.rules.incident_memory
    waits = any(i.state is IncidentState.HELD for i in judge.state.open_incidents())
    if waits and judge.state.holds.brakes:
        return True  # it is released by itself, a minute after the picture is plausible
    return memory <= SHORT_MEMORY and any(
        i.state is IncidentState.HELD
        and i.host not in {HostName(h) for h in judge.edited_by_others}
        and anyio.current_time() - judge.opened_s[i.id] < 4 * memory.total_seconds()
        for i in judge.state.open_incidents()
    )


def try_case(case: Case, *, keep_lines: bool = False, compose: Compose = on_ports) -> Tried:
    """Play a case and judge it. Never raises: a crash is a breach, too.

    `compose` chooses the face of the cloud that the daemon lives on.
    """
    overseer = Overseer(case)
    try:
        played = play(
            case.cloud, case.script, case.settings, compose=compose, prepare=overseer.prepare
        )
    except Exception as error:  # noqa: BLE001 whatever it is, the campaign goes on and tells of it
        told = "".join(traceback.format_exception(error))[-3_000:]
        crash = Breach(at_s=0.0, rule=Rule.BUG, facts=f"the play crashed: {told}")
        return Tried(case=case, breaches=(crash,), counts=Counts(), ended_s=0.0)
    return Tried(
        case=case,
        breaches=played.breaches,
        counts=count(played),
        ended_s=overseer.ended_s,
        lines=played.lines if keep_lines else (),
    )
