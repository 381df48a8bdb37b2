"""The house rules of CONTRIBUTING.md that no linter holds."""

import ast
import dataclasses
import re
import statistics
import tokenize
import typing
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from koboshi.domain.incidents.incident import INCIDENT_MEANING, INCIDENT_STEPS, IncidentState
from koboshi.domain.memory import events
from koboshi.domain.memory.commands import Command
from koboshi.domain.recoveries.recovery import RECOVERY_MEANING, RECOVERY_STEPS, RecoveryState

from .repository import FOLDERS, ROOT, functions, name, python_files, text_files, tree

MAX_FILE_LINES = 500
MAX_MEDIAN_LINES = 150
MAX_FUNCTION_LINES = 70
MIN_REASON_WORDS = 3
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)")
EXCEPTION = re.compile(
    r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w-]+(?:,\s*[\w-]+)*\])\s+(?P<why>.+)"
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
# Spelled in pieces, so that this file does not mention what it forbids.
OUTSIDE = re.compile("|".join(("/wo" + "rk/", r"\.\./sha" + "red", "lab-rec" + "ipe")))


def test_the_repository_is_looked_at() -> None:
    """Hold the other tests to something: an empty list would pass them all."""
    assert len(python_files("src")) > 10
    assert {"src", "tests", "tools"} <= set(FOLDERS)


def test_no_file_is_long() -> None:
    """Hold every Python file under 500 lines, and half of the source files under 150."""
    lengths = {path: len(path.read_text().splitlines()) for path in python_files()}
    assert {name(path): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}
    of_source = [n for path, n in lengths.items() if path in python_files("src")]
    assert statistics.median(of_source) < MAX_MEDIAN_LINES


def test_no_function_is_long() -> None:
    """Hold every function under 70 lines, its docstring included."""
    long = {
        f"{name(path)}:{node.lineno} {node.name}": length
        for path in python_files()
        for node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_every_module_says_why_it_exists() -> None:
    """Ask for a module docstring everywhere, empty `__init__.py` of test folders excepted."""
    silent = [
        name(path)
        for path in python_files()
        if not ast.get_docstring(tree(path)) and path.stat().st_size > 0
    ]
    assert silent == []


def test_nothing_points_outside_the_repository() -> None:
    """Refuse paths that exist only on the machine where something was written."""
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OUTSIDE.search(line)
    ]
    assert found == []


def exceptions(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each comment of a file that silences a checker, with its line."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT and (match := SILENCED.search(token.string)):
                yield token.start[0], match["rest"]


def test_every_exception_names_its_rule_and_its_reason() -> None:
    """Ask of `# noqa: S310 - the URL is ours`: a rule and, behind it, a reason."""
    bare = [
        f"{name(path)}:{line}: {comment}"
        for path in python_files()
        for line, comment in exceptions(path)
        if not (match := EXCEPTION.match(comment)) or len(match["why"].split()) < MIN_REASON_WORDS
    ]
    assert bare == []


def test_every_rule_that_is_off_has_its_reason() -> None:
    """Ask for a comment behind each ignored rule of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text()
    section = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    rule = re.compile(r'^\s*"[A-Z]+\d*",|^"\S+" = \["')
    lines = [line for line in section.splitlines() if rule.search(line)]
    assert len(lines) > 5
    assert [line for line in lines if not re.search(r"#\s*\S+ \S+", line)] == []


def test_koboshi_knows_nothing_of_the_lab() -> None:
    """Refuse imports of the lab, the tests and the bench, and any word of the lab's paths."""
    foreign = frozenset({"lab", "tests", "bench", "tools"})
    found: list[str] = []
    for path in python_files("src"):
        for node in ast.walk(tree(path)):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                modules = ["lab"] if re.search(r"\blab/run\b", node.value) else []
            found.extend(
                f"{name(path)}: {module}"
                for module in modules
                if module.partition(".")[0] in foreign
            )
    assert found == []


def members(union: object) -> tuple[type[object], ...]:
    """Return the classes of a union type."""
    return typing.get_args(union)


@pytest.mark.parametrize("union", [events.Event, Command], ids=["events", "commands"])
def test_every_event_and_command_has_its_meaning(union: object) -> None:
    """Ask for one written sentence (dataclass makes up a signature where there is none)."""
    assert len(members(union)) >= 4
    for cls in members(union):
        meaning = (cls.__doc__ or "").strip()
        assert meaning.endswith("."), cls.__name__
        assert not meaning.startswith(f"{cls.__name__}("), cls.__name__
        assert dataclasses.is_dataclass(cls), cls.__name__


def test_every_event_kind_is_its_class_name() -> None:
    """Hold the stable names in the journal to the names in the code."""
    for cls in members(events.Event):
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        assert typing.get_args(typing.get_type_hints(cls)["kind"]) == (snake,)


@pytest.mark.parametrize(
    ("states", "meanings", "steps"),
    [
        (IncidentState, INCIDENT_MEANING, INCIDENT_STEPS),
        (RecoveryState, RECOVERY_MEANING, RECOVERY_STEPS),
    ],
    ids=["incident", "recovery"],
)
def test_every_state_has_its_meaning_and_its_steps(
    states: type[StrEnum], meanings: dict[StrEnum, str], steps: dict[StrEnum, frozenset[StrEnum]]
) -> None:
    """Hold the two tables of each lifecycle to its states: none missing, none too many."""
    assert set(states) == set(meanings) == set(steps)
    assert all(text.strip() for text in meanings.values())


def test_links_in_documents_resolve() -> None:
    """Follow every relative link of every document to a file or folder of the repository."""
    broken = [
        f"{name(path)}: {match['target']}"
        for path in text_files()
        if path.suffix == ".md"
        for match in LINK.finditer(path.read_text())
        if not re.match(r"https?://|#|mailto:", match["target"])
        and not (path.parent / match["target"].partition("#")[0]).exists()
    ]
    assert broken == []


def test_every_decision_is_listed() -> None:
    """Hold the list of decisions to the pages that exist, numbered without a gap."""
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [page[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    assert re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text()) == pages


def test_every_make_target_is_explained() -> None:
    """Hold the table of `make help` to the targets that exist."""
    text = (ROOT / "Makefile").read_text()
    declared = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)).split())
    explained = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert declared == explained
