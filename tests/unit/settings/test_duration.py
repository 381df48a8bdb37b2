"""Durations as operators write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koboshi.settings.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10s", 10),
        ("15m", 900),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1d", 86400),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("90", 90),
        (" 2M ", 120),
        (7, 7),
        (0.5, 0.5),
    ],
)
def test_reads_what_people_write(written: object, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    ["", "s", "10 bananas", "-5s", "5s5s", "PT10S", "1e3", "1h30", True, None, [], float("inf")],
)
def test_refuses_the_rest_and_says_what_it_understands(written: object) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(written)


@given(st.integers(min_value=0, max_value=10**10))
def test_writes_what_it_reads(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


def test_writes_the_short_form() -> None:
    assert format_duration(timedelta(seconds=90)) == "1m30s"
    assert format_duration(timedelta()) == "0s"
    assert format_duration(timedelta(hours=-1)) == "-1h"
