"""Reading the configuration: a file, the environment over it, options over both.

All that is wrong is reported together, each with its place and its cure, before anything is
touched. No error text holds a value that could be a secret.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from koboshi.domain.errors import ConfigurationError
from koboshi.settings.environment import from_environment
from koboshi.settings.explain import explain
from koboshi.settings.places import lines_of_keys
from koboshi.settings.schema import Settings
from koboshi.settings.secrets import (
    SECRET_NAMES,
    resolve_secrets,
    secret_parameters,
    secret_tables,
)

DEFAULT_PATH = Path("/etc/koboshi/koboshi.toml")
CONFIG_VARIABLE = "KOBOSHI_CONFIG"
MAX_BYTES = 4 * 1024 * 1024
"""Thousands of hosts fit; a wrong path to something huge does not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the configuration."""

    place: str
    """The file with its line, the environment variable, or the option."""
    what: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f"; {self.cure}" if self.cure else "")


class InvalidSettings(ConfigurationError):
    """The configuration cannot be used; holds every problem that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    options: Mapping[tuple[str, ...], tuple[str, object]] | None = None,
) -> Settings:
    """Return the settings from `path`, or from where KOBOSHI_CONFIG or the default point.

    `environ` overrides the file (`KOBOSHI_WINDOWS__LATCH`), `options` override both: for each key
    the option's name and its value. Raises InvalidSettings with everything that is wrong.
    """
    source = _find(path, environ)
    text = "" if source is None else _read(source)
    data = _parse(text, source)
    lines = lines_of_keys(text)
    problems = [] if source is None else _too_open(source, data)

    overrides, strangers = from_environment(environ, data)
    places = {key: f"environment variable {variable}" for key, (variable, _) in overrides.items()}
    problems += [Problem(place=p, what=what, cure=cure) for p, what, cure in strangers]
    for key, (option, value) in (options or {}).items():
        overrides[key] = (option, value)
        places[key] = f"option {option}"

    def place(key: tuple[str, ...]) -> str:
        for length in range(len(key), 0, -1):
            if key[:length] in places:
                return places[key[:length]]
            if key[:length] in lines:
                return f"{source}:{lines[key[:length]]}"
        return str(source) if source is not None else "configuration"

    for key, (_, value) in overrides.items():
        _put(data, key, value)
    base = source.parent if source is not None else Path.cwd()
    for key, what, cure in resolve_secrets(data, environ, base):
        problems.append(Problem(place=place(key), what=what, cure=cure))
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key, what, cure = explain(detail, data)
            problems.append(Problem(place=place(key), what=what, cure=cure))
    else:
        if not problems:
            return settings.read_from(source)
    raise InvalidSettings(*sorted(problems, key=_by_line))


def _by_line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.place, 0)


def _find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read; None when nobody named one and there is none."""
    if path is not None:
        named, place = path, f"option --config {path}"
    elif environ.get(CONFIG_VARIABLE):
        named = Path(environ[CONFIG_VARIABLE])
        place = f"environment variable {CONFIG_VARIABLE}={named}"
    else:
        return DEFAULT_PATH if os.path.lexists(DEFAULT_PATH) else None
    named = named.expanduser()
    if not named.exists():
        cure = f"write one with: koboshi init --output {named}"
        raise InvalidSettings(Problem(place=place, what="there is no such file", cure=cure))
    return named


def _read(source: Path) -> str:
    try:
        with source.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except PermissionError:
        cure = "run as its owner, or name another with --config"
        raise InvalidSettings(
            Problem(place=str(source), what="you may not read it", cure=cure),
        ) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise InvalidSettings(
            Problem(place=str(source), what=what, cure="name a file with --config"),
        ) from None
    if len(raw) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES // 1024 // 1024} MiB: this is no configuration"
        raise InvalidSettings(Problem(place=str(source), what=what, cure="name another file"))
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidSettings(
            Problem(place=f"{source}:{line}", what="is not UTF-8", cure="save it as UTF-8"),
        ) from None


def _parse(text: str, source: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _syntax(str(error), text)
        cure = 'TOML wants texts in quotes: key = "value"' if "value" in what.lower() else ""
        raise InvalidSettings(
            Problem(
                place=f"{source}:{line}", what=f"line {line} is not valid TOML: {what}", cure=cure
            ),
        ) from None


def _syntax(message: str, text: str) -> tuple[str, int]:
    """Split tomllib's message (its only form of telling a place) into text and line."""
    what, _, where = message.rpartition(" (at ")
    if where.startswith("line "):
        return what, int(where.removeprefix("line ").partition(",")[0])
    return what or message, max(1, len(text.splitlines()))


def _too_open(source: Path, data: dict[str, Any]) -> list[Problem]:
    """Return a problem if others may read a file that holds a secret."""
    mode = stat.S_IMODE(source.stat().st_mode)
    if not mode & 0o077:
        return []
    for path, table in secret_tables(data):
        for name in (*SECRET_NAMES, *secret_parameters(table)):
            if name in table or name.startswith("parameters."):
                key = ".".join((*path, name))
                what = f"holds a secret ({key}) and may be read by others (mode {mode:04o})"
                return [Problem(place=str(source), what=what, cure=f"type: chmod 0600 {source}")]
    return []


def _put(data: dict[str, Any], key: tuple[str, ...], value: object) -> None:
    for name in key[:-1]:
        below = data.setdefault(name, {})
        if not isinstance(below, dict):
            return  # the file has something else there, which is reported
        data = cast("dict[str, Any]", below)
    data[key[-1]] = value
