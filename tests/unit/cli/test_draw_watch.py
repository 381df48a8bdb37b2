"""The overview on a screen: what is most urgent first, and nothing of it is cut off in silence."""

from io import StringIO

import pytest
from rich.console import Console

from koboshi.api.build import snapshot_of, status_of
from koboshi.api.views import StatusView, TimeBombView
from koboshi.cli.draw_status import draw_status
from koboshi.cli.draw_watch import watch_page
from koboshi.domain.incidents.incident import IncidentState
from tests.unit.api.story import StorySource

CURE = "in Nova's database: UPDATE migrations SET status='error' WHERE instance_uuid='" + "9" * 80
BOMB = TimeBombView(
    host="cmp4",
    server="a",
    name="",
    server_is_on=None,
    record="7",
    status="accepted",
    since=None,
    destroys_a_server_now=True,
    what="the next start of nova-compute on cmp4 destroys its guest",
    cure=CURE,
)


def view(bombs: int = 0) -> StatusView:
    return status_of(snapshot_of(StorySource())).model_copy(update={"time_bombs": [BOMB] * bombs})


def screen(seen: StatusView, width: int, height: int) -> list[str]:
    text = StringIO()
    console = Console(file=text, width=width, height=height)
    console.print(watch_page(seen, console))
    return text.getvalue().removesuffix("\n").splitlines()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("height", [1, 2, 24, 50, 400])
def test_it_fits_the_screen_and_its_last_line_says_what_is_below(width: int, height: int) -> None:
    whole = screen(view(3), width, 1000)
    shown = screen(view(3), width, height)
    assert max(len(line) for line in shown) <= width
    if len(whole) <= height:
        assert shown == whole
    else:
        assert len(shown) == height
        left = len(whole) - height + 1
        assert shown[-1].startswith(f"… {left} more line")
        assert "koboshi status" in shown[-1]
        assert shown[:-1] == whole[: height - 1]


def test_nothing_of_a_long_command_is_missing_on_a_screen_and_on_paper_it_is_one_line() -> None:
    assert CURE.replace(" ", "") in "".join(screen(view(1), 80, 400)).replace(" ", "")
    text = StringIO()
    draw_status(view(1), Console(file=text, width=80))
    assert f"→ {CURE}\n" in text.getvalue()


def test_what_is_most_urgent_stands_first() -> None:
    shown = "\n".join(screen(view(1), 100, 400))
    titles = (
        "mode act",
        "Open incidents",
        "Time bombs",
        "Notices",
        "Next",
        "Held servers",
        "Hosts",
    )
    found = [shown.index(title) for title in titles]
    assert found == sorted(found)


def test_an_incident_that_waits_for_a_person_stands_before_others() -> None:
    (one,) = view().incidents
    asks = {"id": "asks", "state": IncidentState.NEEDS_HUMAN}
    seen = view().model_copy(update={"incidents": [one, one.model_copy(update=asks)]})
    for lines in (screen(seen, 100, 400), on_paper(seen, 100)):
        shown = "\n".join(lines)
        assert shown.index("asks  host") < shown.index(f"{one.id}  host")


def on_paper(seen: StatusView, width: int) -> list[str]:
    text = StringIO()
    draw_status(seen, Console(file=text, width=width))
    return text.getvalue().splitlines()


LONG = "compute-0017.rack12.region-one.cloud.example.org"


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_long_host_s_name_is_folded_and_takes_no_column_s_place(width: int) -> None:
    text = view().model_dump_json().replace('"host":"cmp4"', f'"host":"{LONG}"')
    lines = on_paper(StatusView.model_validate_json(text), width)
    table = lines[lines.index("Hosts") + 1 : lines.index("Evidence")]
    for column in ("host", "verdict", "power", "heartbeat", "servers", "why"):
        assert column in table[0].split()
    told = " ".join(" ".join(table).split())
    assert "▲ suspect" in told
    assert "no power device" in told
    folded = "".join(line.split()[0] for line in table if line.strip())
    assert LONG in folded


def test_what_to_type_next_is_one_line_however_narrow() -> None:
    seen = view().model_copy(update={"next": [f"koboshi incident show {LONG}-{LONG}"]})
    assert f"  koboshi incident show {LONG}-{LONG}" in on_paper(seen, 80)
