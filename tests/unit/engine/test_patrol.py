"""Many things, each read once in a long while: spread evenly, a few at once, nobody left out."""

from collections import Counter
from datetime import timedelta

from koboshi.engine.patrol import Patrol
from tests.fakes.scene import at

EVERY = timedelta(seconds=600)


def walk(patrol: Patrol[str], from_s: int, to_s: int) -> Counter[str]:
    """Ask once a second and read at once; return how often each was read."""
    reads: Counter[str] = Counter()
    for second in range(from_s, to_s):
        for key in list(patrol.due(at(second))):
            reads[key] += 1
            patrol.rest(key, at(second))
    return reads


def test_each_is_due_at_once_and_then_once_in_every_interval() -> None:
    beat = [f"h{n}" for n in range(100)]
    patrol = Patrol(beat, EVERY, at_once=10)
    assert walk(patrol, 0, 10) == Counter(beat)
    assert walk(patrol, 10, 611) == Counter(beat)
    assert walk(patrol, 611, 1212) == Counter(beat)


def test_they_are_spread_over_the_interval() -> None:
    patrol = Patrol([f"h{n}" for n in range(100)], EVERY, at_once=10)
    walk(patrol, 0, 10)
    busiest = max(len(walk(patrol, second, second + 1)) for second in range(10, 700))
    assert busiest <= 2


def test_no_more_than_some_are_out_at_once() -> None:
    patrol = Patrol([f"h{n}" for n in range(100)], EVERY, at_once=10)
    first = list(patrol.due(at(0)))
    assert len(first) == 10
    assert list(patrol.due(at(1))) == []
    patrol.rest(first[0], at(2))
    assert len(list(patrol.due(at(2)))) == 1


def test_one_that_was_read_for_another_reason_rests_as_long() -> None:
    patrol = Patrol(["h1"], EVERY, at_once=1)
    assert walk(patrol, 0, 1)["h1"] == 1
    patrol.rest("h1", at(300))
    assert walk(patrol, 1, 900)["h1"] == 0
    assert walk(patrol, 900, 901)["h1"] == 1
