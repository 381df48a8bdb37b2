"""Settings from the environment: KOBOSHI_WINDOWS__LATCH overrides [windows] latch.

Unknown variables are refused as unknown keys are: a mistyped one would silently not count. The
variables that Kubernetes invents for a service named koboshi are left alone.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

from koboshi.settings.keys import PLACEHOLDERS, generic, keys, nearest
from koboshi.settings.secrets import named_variables

PREFIX = "KOBOSHI_"
OURS = frozenset({"KOBOSHI_CONFIG"})
"""Variables that are no settings."""

_OF_KUBERNETES = re.compile(r"KOBOSHI_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_\w+)?)")

Overrides = dict[tuple[str, ...], tuple[str, object]]


def from_environment(
    environ: Mapping[str, str],
    data: dict[str, Any],
) -> tuple[Overrides, list[tuple[str, str, str]]]:
    """Return the overrides (key → variable, value), and what is wrong (place, what, cure).

    `data` is the file's content: it tells how the hosts spell their names, which a variable's
    name cannot.
    """
    overrides: Overrides = {}
    strangers: list[tuple[str, str, str]] = []
    known = {key.dotted for key in keys()}
    ours = OURS | named_variables(data)
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in ours:
            continue
        if _OF_KUBERNETES.fullmatch(variable):
            continue
        path = _spelled(tuple(variable.removeprefix(PREFIX).lower().split("__")), data)
        if ".".join(generic(path)) in known:
            overrides[path] = (variable, value)
        else:
            place = f"environment variable {variable}"
            strangers.append((place, "is no setting", _suggestion(path)))
    return overrides, strangers


def _spelled(path: tuple[str, ...], data: dict[str, Any]) -> tuple[str, ...]:
    """Return `path` with the names that an operator chose as the file spells them."""
    found: Any = data
    for depth in range(len(path)):
        table: dict[str, Any] = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        is_chosen = 0 <= depth - 2 < len(PLACEHOLDERS.get(path[:2], ()))
        if is_chosen:
            same = (n for n in table if re.sub(r"\W", "_", str(n)).lower() == path[depth])
            path = (*path[:depth], next(same, path[depth]), *path[depth + 1 :])
        found = table.get(path[depth])
    return path


def _suggestion(path: tuple[str, ...]) -> str:
    variables = {key.dotted: key.variable for key in keys()}
    by_path = {tuple(key.dotted.split(".")): key for key in keys()}
    beside = tuple(key.name for key in by_path.values() if key.section == path[:-1])
    meant = nearest(path, beside)
    if meant in variables:
        return f"did you mean {variables[meant]}? Otherwise unset it"
    close = _closest(path)
    return f"did you mean {close}? Otherwise unset it" if close else "unset it"


def _closest(path: tuple[str, ...]) -> str | None:
    written = PREFIX + "__".join(path).upper()
    found = get_close_matches(written, [key.variable for key in keys()], n=1, cutoff=0.6)
    return found[0] if found else None
