"""The table of the brake, held to what is expected of each cell by the safety argument, not by the code."""

from collections.abc import Mapping

import pytest

from koboshi.domain.rules import Mode, Rules
from koboshi.rehearsal.brake_table import CLOUDS, Cell, Failure, Outcome, table

F, O_ = Failure, Outcome
B = {2: 1, 3: 1, 5: 1, 25: 2, 50: 4, 250: 20, 5_000: 20}
"""SAFETY: 3→1, 25→2, 50→4, 250→20, 5,000→20."""
RACK = {25: 6, 50: 12, 250: 40, 5_000: 40}


@pytest.fixture(scope="module")
def cells() -> Mapping[tuple[int, Failure], Cell]:
    return table()


def expected(hosts: int, failure: Failure) -> tuple[Outcome | None, int, bool]:
    """Return the outcome, how many are acted upon, and whether the brake is held."""
    match failure:
        case F.ONE if hosts == 2:
            return O_.HELD, 0, False  # of two, only found-off or a word counts
        case F.ONE:
            return O_.FENCED, 1, False
        case F.TWO:
            return (O_.FENCED, 2, False) if B[hosts] >= 2 else (O_.HELD, 0, True)
        case F.RACK_DARK | F.RACK_SWITCH if hosts not in RACK:
            return None, 0, False
        case F.RACK_DARK:
            return O_.RECOVERED, RACK[hosts], False
        case _:
            return O_.HELD, 0, True


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("hosts", CLOUDS)
def test_each_cell(cells: Mapping[tuple[int, Failure], Cell], hosts: int, failure: Failure) -> None:
    cell = cells[hosts, failure]
    assert (cell.outcome, cell.acted_upon, cell.brake_held) == expected(hosts, failure), cell.why


def test_a_confirmed_domain_is_offered_where_a_rack_is_silent(
    cells: Mapping[tuple[int, Failure], Cell],
) -> None:
    assert "koboshi domain confirm rack1" in cells[250, F.RACK_SWITCH].why


def test_the_table_is_of_the_defaults() -> None:
    assert (Rules(mode=Mode.ACT).brake_percent, Rules(mode=Mode.ACT).brake_most) == (8, 20)
