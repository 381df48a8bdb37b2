"""The brake: each rule taken out in turn, played on the stories that need it.

Where the other mutations tell a story of their own, these take one of `scenarios/`: it has racks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from koboshi.domain import brake, domains
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


MUTATIONS = (
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
