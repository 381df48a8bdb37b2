"""How values are written for people."""

from datetime import UTC, datetime, timedelta

import pytest

from koboshi.cli.words import clean, moment, offset, since, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (163, "2 min 43 s"),
        (7_500, "2 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_length_of_time(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "+0.0 s"), (-2, "-2.0 s"), (59.94, "+59.9 s"), (78, "+1 min 18 s")]
)
def test_a_place_in_a_story(seconds: float, text: str) -> None:
    assert offset(seconds) == text


def test_a_moment() -> None:
    at = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    assert moment(at) == "2026-03-01 12:00:05Z"
    assert since(at, at + timedelta(seconds=65)) == "2026-03-01 12:00:05Z (1 min 5 s ago)"
    assert since(at, at - timedelta(seconds=65)).endswith("(0 s ago)")


def test_what_could_steer_a_terminal_is_shown_instead() -> None:
    assert clean("a\x1b[2Jb\nc\u202e") == "a\ufffd[2Jb\ufffdc\ufffd"
    assert clean("Zürich 東京") == "Zürich 東京"
