"""Each state that is not final has a deadline and an exit to a person: taken out, the judge must notice."""

from datetime import timedelta

import pytest

from koboshi.domain.decision import NOTHING, Decision
from koboshi.domain.incidents import advance
from koboshi.domain.names import HostName
from koboshi.domain.restraint.brownout import Brownouts
from koboshi.domain.rules import Mode
from koboshi.rehearsal.campaign.cases import Case
from koboshi.rehearsal.campaign.trial import try_case
from koboshi.rehearsal.script import Happening, Script
from koboshi.rehearsal.settings import StorySettings, act
from koboshi.rehearsal.spec import CloudSpec, ServerSpec
from koboshi.rehearsal.troubles import Trouble, TroubleKind
from koboshi.rehearsal.words import Spoken, WordKind
from koboshi.settings.deciding import PaceSettings
from koboshi.sim.breach import Rule
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.line import Fails

LOSS = Happening(what=Fault(kind=FaultKind.POWER_LOSS, host="h1"), at_s=45.0)
GONE = Happening(what=Fault(kind=FaultKind.BMC, host="h1"), when="evacuation s0 begun")
ARMS = Happening(what=Spoken(kind=WordKind.ARMS), at_s=60.0)
KILLED = Happening(
    what=Trouble(kind=TroubleKind.KILLED, for_s=3.0), when="evacuation s0 begun", at_s=0.5
)


def story(mode: Mode, *happens: Happening) -> Case:
    return Case(
        seed=0,
        cloud=CloudSpec(server={f"s{n}": ServerSpec(host="h1") for n in range(3)}),
        script=Script(happens=happens, lasts_s=3_600.0),
        settings=StorySettings(mode=mode, pace=PaceSettings(window=1, window_most=1)),
    )


REFUSED = Happening(
    what=Fault(kind=FaultKind.API_FAILS, call="isolate", how=Fails.REFUSED, status=403), at_s=40.0
)

STORIES = [
    ("give_over", story(Mode.ACT, LOSS, GONE)),
    ("give_over", story(Mode.ACT, REFUSED, LOSS)),
    ("lay_down", story(Mode.OBSERVE, LOSS, ARMS, KILLED)),
]


@pytest.mark.parametrize(("rule", "case"), STORIES)
def test_it_ends_with_a_person(rule: str, case: Case) -> None:
    assert rule
    assert try_case(case).breaches == ()


@pytest.mark.parametrize(("rule", "case"), STORIES)
def test_without_it_nobody_is_ever_asked(
    rule: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object) -> Decision:
        return NOTHING

    monkeypatch.setattr(advance, rule, never)
    assert {b.rule for b in try_case(case).breaches} == {Rule.UNFINISHED}


TWO_COMPUTES_DIE = Case(
    seed=0,
    cloud=CloudSpec(hosts=6, server={"s1": ServerSpec(host="h1")}),
    script=Script(
        happens=tuple(
            Happening(what=Fault(kind=FaultKind.COMPUTE_DIES, host=h), at_s=45.0)
            for h in ("h2", "h3")
        ),
        lasts_s=3_600.0,
    ),
    settings=act(incident_memory=timedelta(minutes=1)),
)


def test_a_brake_that_is_held_in_vain_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert try_case(TWO_COMPUTES_DIE).breaches == ()

    def nobody(*_args: object) -> frozenset[HostName]:
        return frozenset()

    monkeypatch.setattr(Brownouts, "_down_alone", nobody)
    (breach,) = try_case(TWO_COMPUTES_DIE).breaches
    assert breach.rule is Rule.UNFINISHED
    assert "nothing speaks for it" in breach.facts
