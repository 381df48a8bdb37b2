"""A story's expected log: how it is written, and how what happened is held to it.

One line an event: the virtual time in whole seconds since the story's beginning, whose event it is
(world, koboshi, or how things stand at the end), and the event in words that stay: kinds, states
and outcomes as the code names them, and names from the story's own files. No ids, no sentences: a
reason may be put better, and a helper renamed, without a word of this changing. What happens to
several servers in the same instant has no order of its own: it is written by their names. An event
that comes a little sooner or later is the same event: how fast Koboshi is, the benches say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from enum import StrEnum
from itertools import groupby

from koboshi.rehearsal.chronicle import Line, Voice
from koboshi.rehearsal.play import Played, play
from koboshi.rehearsal.scenario import Scenario

HEAD = (
    "# Recorded by `koboshi sim run --record`, and read by a person; see ../README.md.\n"
    "# seconds, whose event, event\n"
)
CONTEXT = 3
TOLERANCE_S = 3
"""By how much an event may come sooner or later: less than a heartbeat's interval."""
SERVER_STANDS = {"guest": 1, "data": 1, "evacuation": 1, "arrived": 2}
"""Which word of a line about what really happens to a server is its name."""
ANSWERS = frozenset({"accepted", "unknown"})


class Outcome(StrEnum):
    """How a story compares with what is expected of it."""

    AS_EXPECTED = "as expected"
    RECORDED = "recorded"
    DIFFERS = "differs"
    NOT_RECORDED = "not recorded"
    BREAKS_A_RULE = "breaks a rule"
    IN_VAIN = "waits in vain"


IS_WELL = frozenset({Outcome.AS_EXPECTED, Outcome.RECORDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story that was played, and what is to be said of it."""

    scenario: Scenario
    played: Played
    outcome: Outcome
    problems: tuple[str, ...] = ()
    """Rules that were broken, and moments of the script that never came."""
    difference: tuple[str, ...] = ()
    """What was expected (-) and what happened (+), event by event."""

    @property
    def is_well(self) -> bool:
        """Return whether all is as it should be."""
        return self.outcome in IS_WELL


def log_text(lines: Iterable[Line]) -> str:
    """Return a log as it stands in a file."""
    return HEAD + "".join(f"{line}\n" for line in _in_order(lines))


def _in_order(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines, those of several servers in one instant by the servers' names."""
    for _, run in groupby(lines, lambda n: (round(n.at_s, 6), bool(_server(n)))):
        yield from sorted(run, key=_server)  # a stable sort: lines of no server stay as they are


def _server(line: Line) -> str:
    """Return the name of the server whose own course a line is of; empty for all other lines."""
    words = line.text.split()
    if line.voice is Voice.WORLD and words[0] in SERVER_STANDS:
        return words[SERVER_STANDS[words[0]]]
    if words[:2] == ["command", "evacuate"] and words[-1] in ANSWERS:
        return words[2]
    return ""


def difference(expected: str, happened: str) -> tuple[str, ...]:
    """Return the events that differ, with those around them."""
    before, after = (_events(text) for text in (expected, happened))
    lines = unified_diff(
        before, _timed_as(before, after), "expected", "happened", lineterm="", n=CONTEXT
    )
    return tuple(lines)[2:]


def _timed_as(expected: Sequence[str], happened: Sequence[str]) -> list[str]:
    """Return what happened, each event with its expected time where that is near enough."""
    lines = list(happened)
    texts = ([_split(line)[1] for line in of] for of in (expected, happened))
    for of_expected, of_happened, size in SequenceMatcher(
        None, *texts, autojunk=False
    ).get_matching_blocks():
        for n in range(size):
            should, did = expected[of_expected + n], happened[of_happened + n]
            if abs(_split(should)[0] - _split(did)[0]) <= TOLERANCE_S:
                lines[of_happened + n] = should
    return lines


def _split(line: str) -> tuple[int, str]:
    at_s, _, text = line.strip().partition(" ")
    return (int(at_s), text) if at_s.isdigit() else (0, line)


def _events(text: str) -> Sequence[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def tell(scenario: Scenario, *, record: bool = False) -> Told:
    """Play a story and hold it to what is expected, or record it as what is expected from now on.

    What breaks a rule, or waits for what never happens, is not recorded.
    """
    played = play(scenario.cloud, scenario.script, scenario.settings)
    if played.breaches:
        problems = tuple(str(b) for b in played.breaches)
        return Told(
            scenario=scenario, played=played, outcome=Outcome.BREAKS_A_RULE, problems=problems
        )
    if played.waiting:
        problems = tuple(
            f'{h.what.kind} waits for a line that begins with "{h.when}"' for h in played.waiting
        )
        return Told(scenario=scenario, played=played, outcome=Outcome.IN_VAIN, problems=problems)
    happened, expected = log_text(played.lines), scenario.expected()
    if record:
        scenario.expected_path.write_text(happened, encoding="utf-8")
        return Told(scenario=scenario, played=played, outcome=Outcome.RECORDED)
    if expected is None:
        return Told(scenario=scenario, played=played, outcome=Outcome.NOT_RECORDED)
    found = difference(expected, happened)
    return Told(
        scenario=scenario,
        played=played,
        outcome=Outcome.DIFFERS if found else Outcome.AS_EXPECTED,
        difference=found,
    )
