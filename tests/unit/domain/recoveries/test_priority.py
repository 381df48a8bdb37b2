"""The classes' weights are a promise of the documentation."""

from koboshi.domain.recoveries.priority import Priority


def test_the_weights_are_8_4_2_1() -> None:
    assert [p.weight for p in Priority] == [8, 4, 2, 1]
