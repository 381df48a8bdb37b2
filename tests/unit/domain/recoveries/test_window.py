"""The window: one more for each window that arrived, half at the first sign of too much."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.world import ApiHealth, ApiView
from koboshi.domain.names import THE_CELL
from koboshi.domain.recoveries.window import Load, Window, adapted, windows
from koboshi.domain.rules import Mode, Rules
from koboshi.sim.samples import server
from tests.fakes.scene import Scene, ago, candidate, evacuation_record

RULES = Rules(mode=Mode.ACT)
WELL = Load(arrived=0, failed=0, is_slow=False)
NOW = ago(0)


def test_it_grows_by_one_for_each_window_that_arrived() -> None:
    window = Window(size=8)
    sizes: list[int] = []
    for arrived in range(1, 30):
        window = adapted(window, replace(WELL, arrived=arrived), RULES, NOW)
        sizes.append(window.size)
    assert [sizes.index(n) + 1 for n in (9, 10, 11)] == [8, 17, 27]


def test_it_has_an_upper_end() -> None:
    window = adapted(Window(size=40), replace(WELL, arrived=500), RULES, NOW)
    assert window.size == 40


@pytest.mark.parametrize("load", [replace(WELL, failed=1), replace(WELL, is_slow=True)])
def test_trouble_halves_it_once_in_a_while_and_never_below_its_lower_end(load: Load) -> None:
    halved = adapted(Window(size=40), load, RULES, ago(100))
    assert (halved.size, halved.halved_at) == (20, ago(100))
    again = replace(load, failed=load.failed * 2)
    assert adapted(halved, again, RULES, ago(81)).size == 20
    assert adapted(halved, again, RULES, ago(80)).size == 10
    assert adapted(replace(halved, size=10), again, RULES, NOW).size == 8


def test_failures_that_were_counted_before_are_no_new_ones() -> None:
    assert adapted(Window(size=20, failed=3), replace(WELL, failed=3), RULES, NOW).size == 20


def test_what_nova_leaves_lying_is_trouble() -> None:
    scene = Scene().recovering(candidate(server("a")), age_s=60).sent("a", age_s=21)
    scene.read_records(evacuation_record(status="accepted", destination=None))
    before = {THE_CELL: Window(size=20)}
    found = windows(before, scene.world, scene.state, scene.rules, scene.now)
    assert found[THE_CELL].size == 10
    scene.read_records(evacuation_record())
    found = windows(before, scene.world, scene.state, scene.rules, scene.now)
    assert found[THE_CELL].size == 20


def test_slow_answers_are_trouble() -> None:
    scene = Scene().recovering(candidate(server("a")))
    scene.world = replace(scene.world, api=ApiView(health=ApiHealth(asked=20, p95_s=5.1)))
    before = {THE_CELL: Window(size=20)}
    assert windows(before, scene.world, scene.state, RULES, scene.now)[THE_CELL].size == 10


def test_it_begins_anew_with_the_next_incident() -> None:
    scene = Scene()
    assert windows({THE_CELL: Window(size=20)}, scene.world, scene.state, RULES, NOW) == {}
