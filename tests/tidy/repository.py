"""Which files are the repository's own: what the house rules are held against."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "scenarios", "lab", "bench", "tools", "docs", "demo", ".ci")
NOT_OURS = frozenset({"__pycache__", "run", "results", "node_modules"})
"""Folders of products: caches, the lab's run folder, the bench's results."""
TEXT_SUFFIXES = frozenset(
    {"", ".cfg", ".conf", ".ini", ".md", ".mk", ".py", ".sh", ".toml", ".yaml"}
)


@functools.cache
def text_files() -> tuple[Path, ...]:
    """Return every text file of the repository except lock files, sorted."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found.extend(path for path in (ROOT / folder).rglob("*") if path.is_file())
    return tuple(
        sorted(
            path
            for path in found
            if path.suffix in TEXT_SUFFIXES
            and not NOT_OURS & set(path.relative_to(ROOT).parts[:-1])
        )
    )


def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the Python files below these folders (all of the repository's by default)."""
    return tuple(
        path
        for path in text_files()
        if path.suffix == ".py" and (not folders or path.relative_to(ROOT).parts[0] in folders)
    )


def name(path: Path) -> str:
    """Return the path as a reader of a failure wants it."""
    return str(path.relative_to(ROOT))


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return the module's syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a module, methods and inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
