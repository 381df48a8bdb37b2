"""Every key has a type, a reason, and a suggestion for whoever mistypes it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from koboshi.settings import InvalidSettings, load_settings
from koboshi.settings.keys import Key, keys, tables
from koboshi.settings.places import lines_of_keys

LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.dotted)
def test_every_key_is_described(key: Key) -> None:
    assert key.type
    assert key.reason.endswith(".")


def test_no_two_keys_are_one() -> None:
    assert len({key.dotted for key in keys()}) == len(keys())
    assert len({key.variable for key in keys()}) == len(keys())


@st.composite
def mistyped(draw: st.DrawFn) -> tuple[Key, str]:
    """Return a key, and its name with one slip of the finger."""
    key = draw(st.sampled_from(keys()))
    name = key.name
    at = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from(LETTERS))
    slips = [
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at:],
        name[:at] + letter + name[at + 1 :],
        name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    ]
    wrong = draw(st.sampled_from(slips))
    known = {beside.name for beside in keys()} | {table.path[0] for table in tables()[1:]}
    assume(wrong and wrong not in known)
    return key, wrong


@given(mistyped())
def test_a_mistyped_key_is_reported_with_a_suggestion(slip: tuple[Key, str]) -> None:
    key, wrong = slip
    table = ".".join(key.section)
    text = (f"[{table}]\n" if table else "") + f"{wrong} = 1\n"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "koboshi.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidSettings) as caught:
            load_settings(path, {})
    line = 2 if table else 1
    dotted = ".".join((*key.section, wrong))
    told = [str(p) for p in caught.value.problems if p.what == f'unknown key "{dotted}"']
    assert len(told) == 1
    assert told[0].startswith(f'{path}:{line}: unknown key "{dotted}"; did you mean ')


@given(mistyped())
def test_a_mistyped_variable_is_reported_with_a_suggestion(slip: tuple[Key, str]) -> None:
    key, wrong = slip
    variable = "KOBOSHI_" + "__".join((*key.section, wrong)).upper()
    with pytest.raises(InvalidSettings) as caught:
        load_settings(None, {variable: "1"})
    problem = caught.value.problems[0]
    assert problem.place == f"environment variable {variable}"
    assert problem.cure.startswith("did you mean KOBOSHI_")


def test_lines_are_found_in_all_that_toml_allows() -> None:
    lines = lines_of_keys(
        '''# [not.a.table]
a = """
b = 1
"""
"quoted.name" = 2 # c = 3
  [ table . "with.dots" ]   # d = 4
e.f = 5
g = { h = 6 }
''',
    )
    assert lines == {
        ("a",): 2,
        ("quoted.name",): 5,
        ("table",): 6,
        ("table", "with.dots"): 6,
        ("table", "with.dots", "e"): 7,
        ("table", "with.dots", "e", "f"): 7,
        ("table", "with.dots", "g"): 8,
    }
