"""A script's entries: read strictly, written as they are read."""

from typing import Any

import pytest

from koboshi.rehearsal.script import ScriptInvalid, happening_entry, happening_from
from koboshi.rehearsal.troubles import TROUBLE_MEANING, TroubleKind
from koboshi.rehearsal.words import WORD_MEANING, WORD_SHAPES, WordKind
from koboshi.sim.faults import FaultKind

ENTRIES: tuple[dict[str, Any], ...] = (
    {"at": "45s", "what": "power_loss", "host": "h1"},
    {"at": "1m30s", "what": "cut", "host": "h1", "for": "20s", "way": "in"},
    {"when": "incident h1 recovering", "after": "2s", "what": "start", "host": "h1"},
    {"when": "server a done", "what": "koboshi_killed_at_step", "step": 3, "for": "3s"},
    {"at": "3s", "what": "koboshi_clock_jumps", "by": "-1h"},
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: str(e["what"]))
def test_an_entry_is_written_as_it_is_read(entry: dict[str, Any]) -> None:
    assert happening_entry(happening_from(entry)) == entry


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"at": "1s"}, "what happens is missing"),
        ({"what": "calm"}, "write either at"),
        ({"what": "calm", "at": "1s", "when": "x"}, "write either at"),
        ({"what": "calm", "at": "1s", "after": "2s"}, "after belongs to when"),
        ({"what": "calm", "at": "soon"}, 'at: "soon" is no duration'),
        ({"what": "power_los", "at": "1s"}, "did you mean power_loss?"),
        ({"what": "power_loss", "at": "1s"}, "power_loss needs host"),
        ({"what": "blind", "at": "1s", "host": "h1"}, "blind knows no host"),
        ({"what": "blind", "at": "1s", "for_s": 3}, 'for_s is written for = "20s" here'),
        ({"what": "blind", "at": "1s", "colour": 3}, "colour"),
        ({"what": "koboshi_second", "at": "1s", "for": "3s"}, "koboshi_second knows no for"),
        ({"what": "koboshi_killed", "at": "1s", "steps": 3}, "steps"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ScriptInvalid) as refused:
        happening_from(entry)
    assert words in str(refused.value)


def test_every_trouble_has_its_meaning_and_no_fault_has_its_name() -> None:
    assert set(TROUBLE_MEANING) == set(TroubleKind)
    assert set(TroubleKind).isdisjoint(FaultKind)
    assert set(WORD_MEANING) == set(WORD_SHAPES) == set(WordKind)
    assert set(WordKind).isdisjoint({*FaultKind, *TroubleKind})


@pytest.mark.parametrize(
    "entry",
    [
        {"at": "45s", "what": "operator_confirms_dead", "host": "h1", "text": "it burns"},
        {"at": "45s", "what": "operator_confirms_domain", "domain": "r1"},
        {"when": "incident h1 recovering", "what": "operator_disarms", "for": "1m"},
        {"at": "45s", "what": "operator_arms", "keep": True},
        {"at": "45s", "what": "operator_tests_fence", "host": "h1"},
    ],
    ids=lambda e: e["what"],
)
def test_a_word_reads_back_as_it_was_written(entry: dict[str, object]) -> None:
    assert happening_entry(happening_from(entry)) == entry


@pytest.mark.parametrize(
    "entry",
    [
        {"at": "45s", "what": "operator_confirms_dead"},
        {"at": "45s", "what": "operator_arms", "host": "h1"},
    ],
    ids=lambda e: e["what"],
)
def test_a_word_that_says_too_little_or_too_much_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(ScriptInvalid):
        happening_from(entry)
