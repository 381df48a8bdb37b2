"""The brake, brownouts and a kernel's last words: each rule taken out in turn, played on the story that needs it.

Where the other mutations tell a story of their own, these take one of `scenarios/`: it has racks, or kdump.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant
from koboshi.domain.judging import proof
from koboshi.domain.judging.hearing import Crash
from koboshi.domain.names import HostName
from koboshi.domain.restraint import brake, brownout, domains
from koboshi.domain.restraint.brownout import Brownouts
from koboshi.engine.whiteboard import Whiteboard
from koboshi.rehearsal.play import play
from koboshi.rehearsal.scenario import load_scenario
from koboshi.sim.breach import Rule

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A sentence, how it is taken out, the story that needs it, and the rule that breaks."""

    sentence: str
    module: object
    name: str
    instead: Callable[..., Any]
    scenario: str
    breaks: Rule


def _believes_anybody(
    crash_of: Callable[[HostName, World, Instant], Crash | None],
) -> Callable[[HostName, World, Instant], Crash | None]:
    def believing(host: HostName, world: World, now: Instant) -> Crash | None:
        crash = crash_of(host, world, now)
        return replace(crash, authenticated=True) if crash else None

    return believing


def _with_none_of_ours(see: Callable[..., None]) -> Callable[..., None]:
    def seeing(board: Whiteboard, rows: Any, protected: Any, _ours: Any = None) -> None:
        see(board, rows, protected)

    return seeing


MUTATIONS = (
    Mutation(
        sentence="an unsigned kdump message is no proof: anybody can send it",
        module=proof,
        name="crash_of",
        instead=_believes_anybody(proof.crash_of),
        scenario="kdump-forged",
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="a rack is acted upon only where more than one switch tells that each host is gone",
        module=domains,
        name="is_surely_gone",
        instead=lambda *_: True,
        scenario="rack-s-switch-dies",
        breaks=Rule.BRAKED,
    ),
    Mutation(
        sentence="hold while more than the bound are in trouble",
        module=brake,
        name="bound",
        instead=lambda *_: 99,
        scenario="rack-s-switch-dies",
        breaks=Rule.BRAKED,
    ),
    Mutation(
        sentence="the host that carries Koboshi or its database is never switched off",
        module=Whiteboard,
        name="see_hypervisors",
        instead=_with_none_of_ours(Whiteboard.see_hypervisors),
        scenario="never-fenced-host",
        breaks=Rule.NOT_OURS,
    ),
    Mutation(
        sentence="brownout: no fence on control-plane evidence alone",
        module=Brownouts,
        name="of",
        instead=lambda *_: None,
        scenario="cut-while-the-scheduler-is-dead",
        breaks=Rule.BROWNOUT,
    ),
    Mutation(
        sentence="brownout: posts pause while a row of the cell is missing",
        module=Brownouts,
        name="of",
        instead=lambda *_: None,
        scenario="row-gone-at-the-restart",
        breaks=Rule.BROWNOUT,
    ),
    Mutation(
        sentence="brownout: posts pause while the API fails",
        module=brownout,
        name="why_api_unwell",
        instead=lambda *_: None,
        scenario="services-unreadable",
        breaks=Rule.BROWNOUT,
    ),
    Mutation(
        sentence="brownout: a row that vanished freezes its cell",
        module=Brownouts,
        name="_of_rows",
        instead=lambda *_: None,
        scenario="row-gone-at-the-restart",
        breaks=Rule.BROWNOUT,
    ),
    Mutation(
        sentence="brownout: a scheduler that does not report speaks for its cell",
        module=Brownouts,
        name="_of_control",
        instead=lambda *_: None,
        scenario="cut-while-the-scheduler-is-dead",
        breaks=Rule.BROWNOUT,
    ),
)


def broken(scenario: str) -> set[Rule]:
    """Play a story on the code as it is now; return the rules that it broke."""
    told = load_scenario(SCENARIOS / scenario)
    return {b.rule for b in play(told.cloud, told.script, told.settings).breaches}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broken(mutation.scenario) == set()
    monkeypatch.setattr(mutation.module, mutation.name, mutation.instead)
    assert mutation.breaks in broken(mutation.scenario)
