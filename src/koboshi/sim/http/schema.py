"""What nova's JSON schemas refuse, in their words (api/validation/validators.py of nova 34).

An error below the top of a body names the field and its value; one at the top, or in a query, is
jsonschema's own sentence alone.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from koboshi.sim.http.errors import Refused

TRUE = (True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes")
FALSE = (False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no")
BOOLEAN = (*TRUE, *FALSE)
"""nova api/validation/parameter_types.py, boolean: no 0 and 1, but True equals 1."""


def invalid(name: str, value: object, why: str) -> Refused:
    """Return the refusal of one field."""
    return Refused(400, f"Invalid input for field/attribute {name}. Value: {value}. {why}")


def known_only(told: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse what the top of a body, or a query, may not have. Raises Refused."""
    strangers = [name for name in told if name not in known]
    if strangers:
        raise Refused(400, _unexpected(strangers))


def action(name: str, told: object, known: Collection[str], needed: Collection[str] = ()) -> None:
    """Hold what an action is told to its fields. Raises Refused."""
    if not isinstance(told, dict):
        raise invalid(name, told, f"{told!r} is not of type 'object'")
    body = cast("dict[str, Any]", told)
    for field in needed:
        if field not in body:
            raise invalid(name, body, f"'{field}' is a required property")
    strangers = [field for field in body if field not in known]
    if strangers:
        raise invalid(name, body, _unexpected(strangers))


def boolean(name: str, value: object) -> bool:
    """Return what a field that says yes or no says. Raises Refused."""
    if value not in BOOLEAN:
        raise invalid(name, value, f"{value!r} is not one of {list(BOOLEAN)}")
    return value in TRUE


def one_of(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is none of these. Raises Refused."""
    if value not in choices:
        raise invalid(name, value, f"{value!r} is not one of {list(choices)}")


def text(name: str, value: object, *, longest: int) -> str:
    """Return a field that is a text of some length. Raises Refused."""
    if not isinstance(value, str):
        raise invalid(name, value, f"{value!r} is not of type 'string'")
    if not value:
        raise invalid(name, value, "'' should be non-empty")
    if len(value) > longest:
        raise invalid(name, value, f"{value!r} is too long")
    return value


def _unexpected(names: list[str]) -> str:
    verb = "was" if len(names) == 1 else "were"
    listed = ", ".join(repr(name) for name in sorted(names))
    return f"Additional properties are not allowed ({listed} {verb} unexpected)"
