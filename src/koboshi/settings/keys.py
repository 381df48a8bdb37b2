"""What keys there are: read off the schema, for suggestions, `koboshi init` and the reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from koboshi.settings.duration import format_duration
from koboshi.settings.schema import Settings

ANY_HOST = "HOST"
"""Stands for a host's name in the keys of a table that has one entry for each host."""


ANY_NAME = "NAME"
"""... and for the name of one of several of that host's."""
ANY_PROJECT = "ID"
"""... and for the id of a project."""
FOR_HOSTS = ("fencing", "hosts")
"""That table."""
FOR_OUTLETS = ("fencing", "outlets")
"""The one with several entries for each host."""
FOR_NETWORKS = ("networks",)
"""The one that has one entry for each further network."""
PLACEHOLDERS: dict[tuple[str, ...], tuple[str, ...]] = {
    FOR_HOSTS: (ANY_HOST,),
    FOR_OUTLETS: (ANY_HOST, ANY_NAME),
    ("policy", "project"): (ANY_PROJECT,),
    ("policy", "aggregate"): (ANY_NAME,),
}


def generic(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return `path` with placeholders where it has names that an operator chose."""
    if path[:1] == FOR_NETWORKS and len(path) > 1:
        return (*FOR_NETWORKS, ANY_NAME, *path[2:])
    stand_ins = PLACEHOLDERS.get(path[:2], ())
    replaced = stand_ins[: max(0, len(path) - 2)]
    return (*path[:2], *replaced, *path[2 + len(replaced) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the configuration, in words."""

    section: tuple[str, ...]
    name: str
    type: str
    default: str | None
    """As TOML; None when there is no default."""
    bounds: str
    reason: str
    is_required: bool
    is_secret: bool

    @property
    def dotted(self) -> str:
        """Return the key with its tables: `windows.latch`."""
        return ".".join((*self.section, self.name))

    @property
    def variable(self) -> str:
        """Return the environment variable that overrides it."""
        return "KOBOSHI_" + "__".join((*self.section, self.name)).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the configuration, with the sentence that says what it is about."""

    path: tuple[str, ...]
    purpose: str
    keys: tuple[Key, ...]


@cache
def tables() -> tuple[Table, ...]:
    """Return every table and its keys, in the order of the schema."""
    return tuple(_tables(Settings, ()))


@cache
def keys() -> tuple[Key, ...]:
    """Return every key, in the order of the schema."""
    return tuple(key for table in tables() for key in table.keys)


def nearest(path: tuple[str, ...], allowed: tuple[str, ...]) -> str | None:
    """Return the known key that was probably meant by the unknown `path`.

    `allowed` are the names that may stand in the same table; they come first, then any key of
    any table (one that was written into the wrong table).
    """
    written = path[-1]
    beside = get_close_matches(written.lower(), allowed, n=1, cutoff=0.6)
    if beside:
        return ".".join((*path[:-1], beside[0]))
    by_name = {key.name: key.dotted for key in reversed(keys())}
    by_name |= {table.path[-1]: ".".join(table.path) for table in tables() if table.path}
    anywhere = get_close_matches(written.lower(), by_name, n=1, cutoff=0.75)
    return by_name[anywhere[0]] if anywhere else None


def _tables(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Table]:
    below: list[tuple[type[BaseModel], tuple[str, ...]]] = []
    found: list[Key] = []
    for name, field in model.model_fields.items():
        inner, names = _model_of(field.annotation)
        if inner is None:
            found.append(_key(path, name, field))
        else:
            if (*path, name) == FOR_NETWORKS:
                names = (ANY_NAME,)
            names = PLACEHOLDERS.get((*path, name), names)
            below.append((inner, (*path, name, *names)))
    if found:
        yield Table(path=path, purpose=(model.__doc__ or "").strip(), keys=tuple(found))
    for inner, inner_path in below:
        yield from _tables(inner, inner_path)


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, tuple[str, ...]]:
    """Return the model behind an annotation, and the names below which it stands."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ()
    if get_origin(annotation) is dict:
        model, names = _model_of(get_args(annotation)[1])
        if model is not None:
            return model, (*names, ANY_NAME) if names else (ANY_HOST,)
    return None, ()


def _key(path: tuple[str, ...], name: str, field: FieldInfo) -> Key:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    annotation: Any = field.annotation
    return Key(
        section=path,
        name=name,
        type=_type_name(annotation),
        default=None if default is None else as_toml(default),
        bounds=_bounds(field),
        reason=field.description or "",
        is_required=field.is_required(),
        is_secret=SecretStr in {annotation, *get_args(annotation)},
    )


_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret text",
    timedelta: "duration",
}


def _type_name(annotation: Any) -> str:
    if annotation in _TYPE_NAMES:
        return _TYPE_NAMES[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        return _type_name(next(arg for arg in args if arg is not NoneType))
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in args)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f'"{choice.value}"' for choice in annotation)
    if origin is tuple:
        return "list of texts"
    if origin is dict:
        return "table of HOST = text"
    if args:  # Annotated
        return _type_name(args[0])
    raise TypeError(f"settings have no name yet for values of type {annotation}")


def _bounds(field: FieldInfo) -> str:
    low = next((item.ge for item in field.metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, Le)), None)
    if low is None or high is None:
        return ""
    return f"{value_text(low)} to {value_text(high)}"


def value_text(value: object) -> str:
    """Return a bound as an operator writes it."""
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def as_toml(value: object) -> str:
    """Return a setting's value as it stands in a TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, timedelta):
        return f'"{format_duration(value)}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(as_toml(item) for item in cast("tuple[object, ...]", value)) + "]"
    if isinstance(value, dict):
        return "{}"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
