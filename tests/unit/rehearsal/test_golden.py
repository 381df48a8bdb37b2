"""A log is stable: what has no order of its own is written by name, and a difference is events."""

from koboshi.rehearsal.chronicle import Line, Voice
from koboshi.rehearsal.golden import difference, log_text


def line(text: str, at_s: float = 5.0, voice: Voice = Voice.WORLD) -> Line:
    return Line(at_s=at_s, voice=voice, text=text, why="never written")


def texts(*lines: Line) -> list[str]:
    return [row[14:] for row in log_text(lines).splitlines() if not row.startswith("#")]


def test_what_happens_to_several_servers_at_once_is_written_by_their_names() -> None:
    told = ["arrived evacuate b h3", "evacuation b begun by koboshi", "arrived evacuate a h2"]
    assert texts(*map(line, told)) == [told[2], told[0], told[1]]
    both = (line("guest b runs on h3"), line("guest a runs on h2", at_s=5.1))
    assert texts(*both) == ["guest b runs on h3", "guest a runs on h2"]


def test_what_follows_from_one_another_stays_in_its_order() -> None:
    path = ("incident h1 proven", "incident h1 isolating", "command isolate h1 intended")
    assert texts(*(line(t, voice=Voice.KOBOSHI) for t in path)) == list(path)


def test_a_log_holds_whole_seconds_and_no_reason() -> None:
    text = log_text([line("power h1 off", at_s=45.9)])
    assert text.endswith("   45 world   power h1 off\n")
    assert "never written" not in text


def test_a_difference_is_told_event_by_event() -> None:
    before = log_text([line("power h1 off"), line("power h2 off")])
    after = log_text([line("power h1 off"), line("power h3 off")])
    assert difference(before, before) == ()
    changed = [row for row in difference(before, after) if row[0] in "+-"]
    assert changed == ["-    5 world   power h2 off", "+    5 world   power h3 off"]


def test_a_little_sooner_or_later_is_no_difference() -> None:
    before = log_text([line("power h1 off"), line("power h2 off", at_s=20)])
    near = log_text([line("power h1 off", at_s=6), line("power h2 off", at_s=17)])
    late = log_text([line("power h1 off"), line("power h2 off", at_s=24)])
    assert difference(before, near) == ()
    changed = [row for row in difference(before, late) if row[0] in "+-"]
    assert changed == ["-   20 world   power h2 off", "+   24 world   power h2 off"]
