"""Every story goes as it is written, breaks no rule, and is told by nobody else."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from koboshi.rehearsal.golden import difference, log_text, tell
from koboshi.rehearsal.play import Played, play
from koboshi.rehearsal.scenario import (
    CLOUD,
    EXPECTED,
    README,
    SCRIPT,
    SETTINGS,
    Scenario,
    find_scenarios,
    load_scenario,
)

ROOT = Path(__file__).resolve().parents[2] / "scenarios"
FOLDERS = find_scenarios(ROOT)
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RULE = re.compile(r"^Guards: .*\.$", re.MULTILINE)
LEAST = 40
SENTENCE_WORDS = range(6, 60)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_the_story_goes_as_it_is_written(folder: Path) -> None:
    told = tell(load_scenario(folder))
    assert told.is_well, "\n".join((told.outcome, *told.problems, *told.difference))


def test_there_are_enough_of_them() -> None:
    assert len(FOLDERS) >= LEAST


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_folder_holds_a_story_and_nothing_else(folder: Path) -> None:
    assert NAME.fullmatch(folder.name)
    assert {p.name for p in folder.iterdir()} == {README, CLOUD, SCRIPT, SETTINGS, EXPECTED}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_story_says_what_it_is_about_and_which_rule_it_guards(folder: Path) -> None:
    text = (folder / README).read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert RULE.search(text)
    sentence = load_scenario(folder).sentence
    assert sentence.endswith(".")
    assert len(sentence.split()) in SENTENCE_WORDS


def test_no_two_stories_have_the_same_course_of_events() -> None:
    by_course: dict[tuple[str, ...], list[str]] = {}
    for folder in FOLDERS:
        by_course.setdefault(course(load_scenario(folder)), []).append(folder.name)
    assert [names for names in by_course.values() if len(names) > 1] == []


def course(scenario: Scenario) -> tuple[str, ...]:
    """Return a story as a sequence of kinds and states: without times, names and parameters."""
    names = {*scenario.cloud.host_names, *scenario.cloud.server}
    text = scenario.expected() or ""
    lines = [line.split()[1:] for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        " ".join(w for w in words if w.strip(",") not in names and "=" not in w) for words in lines
    )


@cache
def played(name: str) -> Played:
    scenario = load_scenario(ROOT / name)
    return play(scenario.cloud, scenario.script, scenario.settings)


def test_a_story_is_the_same_each_time() -> None:
    scenario = load_scenario(ROOT / "every-layout-rebuilt")
    again = play(scenario.cloud, scenario.script, scenario.settings)
    assert difference(log_text(played(scenario.name).lines), log_text(again.lines)) == ()


@pytest.mark.parametrize("name", ["power-loss", "killed-after-the-intent", "rack-dark"])
def test_a_log_holds_neither_ids_nor_sentences(name: str) -> None:
    text = log_text(played(name).lines)
    assert words_of(text).isdisjoint(ids_of(played(name)))
    assert "because" not in text


def words_of(text: str) -> set[str]:
    return set(text.split())


def ids_of(of: Played) -> Iterable[str]:
    yield from of.state.incidents
    for record in of.recorded:
        if record.event.kind == "command_intended":
            yield record.event.command.id
