"""Where in a TOML file a key stands.

tomllib gives values without their lines; an error that names the line saves a search. This reads
only as much TOML as is needed for that, and a key that it does not find simply has no line.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import cast

_HEADER = re.compile(r"^\s*\[{1,2}\s*(?P<path>[^\]#]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<path>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')
    (?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""",
    re.VERBOSE,
)

Path = tuple[str, ...]


def lines_of_keys(text: str) -> Mapping[Path, int]:
    """Return the line (from 1) of each table and key that can be found in `text`."""
    found: dict[Path, int] = {}
    table: Path = ()
    closing: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if closing is not None:  # within a text of several lines
            if closing in line:
                closing = None
            continue
        if header := _HEADER.match(line):
            table = _split(header["path"])
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            path = _split(key["path"])
            for length in range(1, len(path) + 1):
                found.setdefault((*table, *path[:length]), number)
            closing = _left_open(line[key.end() :])
    return found


def _split(written: str) -> Path:
    """Return the parts of a dotted key, quotes removed, by asking tomllib itself."""
    try:
        tree: object = tomllib.loads(f"{written} = 0")
    except tomllib.TOMLDecodeError:
        return (written,)
    path: list[str] = []
    while isinstance(tree, dict):
        ((name, tree),) = cast("dict[str, object]", tree).items()
        path.append(name)
    return tuple(path)


def _left_open(value: str) -> str | None:
    """Return the quotes that close a text which `value` opens and does not close."""
    for quotes in ('"""', "'''"):
        if value.count(quotes) % 2:
            return quotes
    return None
