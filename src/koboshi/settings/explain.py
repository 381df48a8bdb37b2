"""What pydantic found, as an operator needs it: key, what is wrong, cure; never a secret's value."""

from typing import Any, cast

from pydantic import SecretStr
from pydantic_core import ErrorDetails

from koboshi.settings.keys import FOR_HOSTS, Key, generic, keys, nearest, tables, value_text

Path = tuple[str, ...]

_PATTERNS = {
    "install": "letters, digits, dots, dashes and underscores, 32 at most",
    "type": "redfish, or the name of a fence agent (fence_ipmilan)",
    "password_credential": "a name: letters, digits, dots, dashes and underscores",
    "fingerprint": "a SHA-256 in hexadecimal (openssl x509 -noout -fingerprint -sha256)",
}
"""What the schema's patterns mean, in words."""


def explain(detail: ErrorDetails, data: dict[str, Any]) -> tuple[Path, str, str]:
    """Return the key, what is wrong with it, and the cure."""
    path = tuple(str(part) for part in detail["loc"])
    dotted = ".".join(path)
    context = detail.get("ctx", {})
    known = _known(path)
    shown = _shown(detail["input"], known)
    match detail["type"]:
        case "extra_forbidden":
            return path, f'unknown key "{dotted}"', _suggestion(path, data)
        case "missing":
            return path, f"{dotted} is missing", _form(known)
        case "enum" | "literal_error":
            return path, f"{dotted} must be {context['expected']}{shown}", ""
        case "greater_than_equal" | "less_than_equal":
            bounds = known.bounds if known else value_text(context.get("ge", context.get("le")))
            return path, f"{dotted} must lie in {bounds}{shown}", ""
        case "value_error":
            return path, f"{dotted}: {context['error']}", ""
        case "model_type" | "dict_type" | "model_attributes_type":
            return path, f"{dotted} must be a table", f"write [{dotted}] and its keys below it"
        case "string_pattern_mismatch":
            return path, f"{dotted} must be {_PATTERNS[path[-1]]}{shown}", ""
        case _:
            wanted = known.type if known else detail["msg"]
            return path, f"{dotted} must be a {wanted}{shown}", _form(known)


def _known(path: Path) -> Key | None:
    """Return the key that `path` names, or whose item it names."""
    known = generic(path)
    by_path = {tuple(key.dotted.split(".")): key for key in keys()}
    for length in range(len(known), 0, -1):
        if known[:length] in by_path:
            return by_path[known[:length]]
    return None


def _shown(value: object, known: Key | None) -> str:
    """Return the value that was written, unless it is or may be a secret."""
    if known is None or known.is_secret or isinstance(value, SecretStr | dict | list):
        return ""
    text = value_text(value)
    return f', not "{text[:60]}"' if known.type != "whole number" else f", not {text[:60]}"


def _form(known: Key | None) -> str:
    if known is None:
        return ""
    example = {
        "whole number": "22",
        "true or false": "true",
        "duration": '"10s"',
        "list of texts": '["compute*"]',
        "table of HOST = text": '{ compute1 = "192.0.2.1" }',
    }.get(known.type, '"…"')
    return f"write {known.name} = {example}"


def _suggestion(path: Path, data: dict[str, Any]) -> str:
    if path[:2] == FOR_HOSTS and _is_table(path, data):
        name = ".".join((*path[2:], *_single_tables(path, data)))
        return f'a host name with dots needs quotes: [fencing.hosts."{name}"]'
    meant = nearest(path, _beside(path))
    if meant is not None:
        return f"did you mean {meant}?"
    names = ", ".join(_beside(path))
    return f"keys of this table: {names}" if names else "remove it"


def _beside(path: Path) -> tuple[str, ...]:
    """Return the names that may stand in the table of `path`."""
    table = generic(path[:-1])
    depth = len(table)
    names = [key.name for known in tables() if known.path == table for key in known.keys]
    names += [
        known.path[depth]
        for known in tables()
        if known.path[:depth] == table and len(known.path) > depth
    ]
    return tuple(dict.fromkeys(names))


def _is_table(path: Path, data: dict[str, Any]) -> bool:
    return isinstance(_at(path, data), dict)


def _at(path: Path, data: dict[str, Any]) -> Any:
    found: Any = data
    for name in path:
        found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    return found


def _single_tables(path: Path, data: dict[str, Any]) -> Path:
    """Return the names of the tables below `path`, as long as each holds only another table."""
    table = cast("dict[str, Any]", _at(path, data))
    if len(table) != 1:
        return ()
    ((name, below),) = table.items()
    return (name, *_single_tables((*path, name), data)) if isinstance(below, dict) else ()
