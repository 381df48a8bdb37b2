"""The tables of steps: no dead ends, nothing unreachable, and no step that is not in them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from koboshi.domain.errors import IllegalTransition
from koboshi.domain.incidents.incident import (
    ACTING,
    INCIDENT_MEANING,
    INCIDENT_STEPS,
    IncidentState,
)
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import CommandEnded, IncidentMoved, RecoveryMoved
from koboshi.domain.memory.lifecycle import step
from koboshi.domain.memory.state import apply
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.recovery import (
    HOLDS_A_SLOT,
    NEEDS_A_PERSON,
    ON_ITS_WAY,
    RECOVERY_MEANING,
    RECOVERY_STEPS,
    WAITING,
    RecoveryState,
)
from koboshi.sim.samples import server
from tests.fakes.scene import INCIDENT, Scene, ago, candidate

R, INC = RecoveryState, IncidentState
STARTS: dict[type[StrEnum], frozenset[Any]] = {
    RecoveryState: frozenset({R.QUEUED, R.HELD, R.IGNORED}),
    IncidentState: frozenset({INC.CONFIRMED}),
}
ENDS: dict[type[StrEnum], frozenset[Any]] = {
    RecoveryState: frozenset({R.DONE, R.GONE}),
    IncidentState: frozenset({INC.CLOSED}),
}
TABLES: list[tuple[type[StrEnum], Mapping[Any, frozenset[Any]]]] = [
    (RecoveryState, RECOVERY_STEPS),
    (IncidentState, INCIDENT_STEPS),
]


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_every_state_has_its_row_and_its_meaning(
    states: type[StrEnum], table: Mapping[Any, frozenset[Any]]
) -> None:
    meanings = INCIDENT_MEANING if states is IncidentState else RECOVERY_MEANING
    assert set(table) == set(states) == set(meanings)


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_every_state_that_is_no_end_has_an_exit(
    states: type[StrEnum], table: Mapping[Any, frozenset[Any]]
) -> None:
    assert {s for s in states if not table[s]} == ENDS[states]


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_every_state_can_be_reached_and_can_end(
    states: type[StrEnum], table: Mapping[Any, frozenset[Any]]
) -> None:
    reached = set(STARTS[states])
    while new := {to for s in reached for to in table[s]} - reached:
        reached |= new
    assert reached == set(states)
    ending = set(ENDS[states])
    while new := {s for s in states if table[s] & ending} - ending:
        ending |= new
    assert ending == set(states)


def test_every_incident_that_acts_can_be_given_to_a_person() -> None:
    for state in ACTING:
        assert INC.NEEDS_HUMAN in INCIDENT_STEPS[state]


def test_a_server_that_needs_a_person_or_waits_holds_no_slot_but_when_it_is_stuck() -> None:
    assert {R.STUCK} == HOLDS_A_SLOT & (NEEDS_A_PERSON | WAITING)
    assert not ON_ITS_WAY & (WAITING | NEEDS_A_PERSON)


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_a_step_is_in_the_table_or_raises(
    states: type[StrEnum], table: Mapping[Any, frozenset[Any]]
) -> None:
    for current in states:
        for to in states:
            if to in table[current]:
                assert step(table, current, to) is to
            else:
                with pytest.raises(IllegalTransition, match=f"no step from {current} to {to}"):
                    step(table, current, to)


def test_an_illegal_step_changes_nothing() -> None:
    scene = Scene().recovering(candidate(server("a")))
    before = scene.state
    for event in (
        IncidentMoved(incident=INCIDENT, to=INC.HELD, reason="nonsense"),
        RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=R.DONE, reason="nonsense"),
    ):
        with pytest.raises(IllegalTransition):
            apply(scene.state, ago(0), event)
        assert scene.state == before
    with pytest.raises(KeyError):
        apply(scene.state, ago(0), CommandEnded(command=CommandId("?"), outcome=Outcome.DONE))
    assert scene.state == before
