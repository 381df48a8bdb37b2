"""The list of claims is the one that is tested, and the comparison sees what differs."""

import pytest

from tests.contract.claims import CLAIMS, README, page
from tests.contract.facts import Course, Seen, difference, plain, shape


def test_the_readme_lists_what_is_tested() -> None:
    assert README.read_text() == page(), "run: python -m tests.contract.claims"
    assert len({claim for _, claim in CLAIMS}) == len(CLAIMS) > 50


def test_identifiers_addresses_and_times_are_no_part_of_a_fact() -> None:
    uuid = "3c6e5a0e-6d0a-4c4e-9a57-2f3a5b6e2f10"
    said = f"Instance {uuid} of http://127.0.0.1:8774/compute/v2.1/servers at 2026-01-01T00:00:00Z"
    assert plain([said]) == ["Instance <id> of <url>/v2.1/servers at <time>"]
    assert shape({"a": [1, 2, None], "b": {"c": "x"}}) == {
        "a": ["int", "NoneType"],
        "b": {"c": "str"},
    }


def course(*states: tuple[str, float]) -> Course:
    return Course(tuple(Seen(state=state, lasted_s=s) for state, s in states))


REAL = course(("accepted", 1.0), ("running", 3.0), ("done", 1.0))


@pytest.mark.parametrize(
    "sim",
    [
        REAL,
        course(("accepted", 0.1), ("queued", 0.2), ("running", 9.0), ("done", 0.0)),
    ],
)
def test_a_course_may_have_what_is_too_short_to_be_sampled(sim: Course) -> None:
    assert difference(sim, REAL) is None


@pytest.mark.parametrize(
    "sim",
    [
        course(("accepted", 1.0), ("done", 1.0)),
        course(("running", 3.0), ("accepted", 1.0), ("done", 1.0)),
        course(("accepted", 1.0), ("running", 3.0), ("done", 1.0), ("error", 1.0)),
        course(("queued", 1.0), ("accepted", 1.0), ("running", 3.0), ("done", 1.0)),
    ],
)
def test_a_course_that_lacks_a_state_or_turns_two_round_differs(sim: Course) -> None:
    assert difference(sim, REAL)


def test_what_differs_is_told_by_its_place() -> None:
    told = difference({"a": [{"b": 1}], "x": 1}, {"a": [{"b": 2}], "y": 2})
    assert told is not None
    assert "/a[0]/b: lab 2" in told
    assert "/y: only the lab has it" in told
    assert "/x: only the simulation" in told
