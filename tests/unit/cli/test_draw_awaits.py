"""What a host on its way home waits for, as every command shows it."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from koboshi.api.build import status_of_journal
from koboshi.api.views import AwaitsView, StatusView
from koboshi.cli.draw_status import draw_status
from koboshi.cli.words import awaited_times, clock
from tests.unit.api.story import after, state

LONG = "openstack server start " + "11111111-1111-4111-8111-111111111111" * 3
AWAITS = AwaitsView(
    what="2 heartbeats of its nova-compute: none came since it returned",
    since=after(10).wall,
    until=after(910).wall,
    you_may="Look at nova-compute on cmp1",
    commands=[LONG],
)


def view(awaits: AwaitsView | None = AWAITS) -> StatusView:
    seen = status_of_journal(state(), after(70))
    (incident,) = seen.incidents
    return seen.model_copy(
        update={"incidents": [incident.model_copy(update={"awaits": awaits})], "ways_home": []}
    )


def drawn(seen: StatusView, width: int) -> str:
    text = StringIO()
    draw_status(seen, Console(file=text, width=width))
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_it_says_what_since_when_until_when_and_what_to_type(width: int) -> None:
    shown = drawn(view(), width)
    told = " ".join(shown.split())
    assert "awaited: 2 heartbeats of its nova-compute: none came since it returned" in told
    assert "for 1 min, since 12:00:10Z; a person is asked in 14 min, at 12:15:10Z" in told
    assert "you may: Look at nova-compute on cmp1" in told
    assert f"    → {LONG}\n" in shown  # on a line of its own, whole: it is copied


def test_a_line_that_is_folded_hangs_behind_its_label() -> None:
    lines = drawn(view(), 50).splitlines()
    (first,) = (n for n, line in enumerate(lines) if line.startswith("  awaited: "))
    assert lines[first + 1].startswith(" " * len("  awaited: "))


def test_without_anything_awaited_nothing_is_said_of_it() -> None:
    assert "awaited" not in drawn(view(None), 80)


def test_times_far_away_have_their_date() -> None:
    now = after(0).wall
    assert clock(now + timedelta(days=1), now) == "2026-03-02 12:00:00Z"
    assert awaited_times(now, None, now).endswith("; nobody is asked by itself")
    assert awaited_times(now, now, now).endswith("; a person is asked now")
