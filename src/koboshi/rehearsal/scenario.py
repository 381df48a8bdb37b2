"""A story's folder: reading it with errors that name file, line and cure, and writing one."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from koboshi.rehearsal.script import (
    Happening,
    Script,
    ScriptInvalid,
    happening_entry,
    happening_from,
    script_from,
)
from koboshi.rehearsal.settings import StorySettings
from koboshi.rehearsal.spec import CloudSpec
from koboshi.rehearsal.words import Spoken
from koboshi.settings.duration import format_duration
from koboshi.settings.load import InvalidSettings, Problem
from koboshi.settings.places import lines_of_keys
from koboshi.sim.faults import Fault

CLOUD, SCRIPT, SETTINGS, EXPECTED, README = (
    "cloud.toml",
    "script.toml",
    "settings.toml",
    "expected.log",
    "README.md",
)
_ENTRY = re.compile(r"^\s*\[\[\s*happens\s*\]\]")
_SCRIPT_KEYS = ("starts", "lasts", "happens")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story as it stands in its folder."""

    name: str
    folder: Path
    cloud: CloudSpec
    script: Script
    settings: StorySettings

    @property
    def expected_path(self) -> Path:
        """Return where the expected log stands."""
        return self.folder / EXPECTED

    @property
    def sentence(self) -> str:
        """Return the story's one sentence; empty where there is none."""
        path = self.folder / README
        parts = path.read_text(encoding="utf-8").split("\n\n") if path.exists() else []
        return " ".join(parts[1].split()) if len(parts) > 1 else ""

    def expected(self) -> str | None:
        """Return the expected log; None when there is none."""
        path = self.expected_path
        return path.read_text(encoding="utf-8") if path.exists() else None


def find_scenarios(folder: Path) -> tuple[Path, ...]:
    """Return the folder itself if it is a story's, or else those of the stories in it, by name."""
    if (folder / SCRIPT).exists() or not folder.is_dir():
        return (folder,)
    return tuple(sorted(path.parent for path in folder.glob(f"*/{SCRIPT}"))) or (folder,)


def load_scenario(folder: Path) -> Scenario:
    """Read a story; raises InvalidSettings with everything that is wrong with it."""
    if not folder.is_dir():
        raise InvalidSettings(
            Problem(place=str(folder), what="there is no such folder", cure=_meant(folder)),
        )
    problems: list[Problem] = []
    cloud = _model(folder / CLOUD, CloudSpec, problems)
    settings = _model(folder / SETTINGS, StorySettings, problems)
    script = _script(folder / SCRIPT, problems)
    if cloud is None or settings is None or script is None or problems:
        raise InvalidSettings(*problems)
    if strangers := _strangers(folder / SCRIPT, script, cloud):
        raise InvalidSettings(*strangers)
    return Scenario(name=folder.name, folder=folder, cloud=cloud, script=script, settings=settings)


def save_scenario(
    folder: Path, cloud: CloudSpec, script: Script, settings: StorySettings, readme: str
) -> None:
    """Write a story without its expected log, which is recorded when it is played."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / README).write_text(readme, encoding="utf-8")
    _write(folder / CLOUD, _said(cloud))
    _write(folder / SETTINGS, _said(settings))
    entries = [happening_entry(h) for h in script.happens]
    head = {"starts": _text(script.starts_s), "lasts": _text(script.lasts_s)}
    _write(folder / SCRIPT, {**head, "happens": entries})


def _text(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(tomli_w.dumps(data), encoding="utf-8")


def _said(model: BaseModel) -> dict[str, Any]:
    """Return what differs from the defaults, as TOML holds it."""
    return cast("dict[str, Any]", _as_toml(model.model_dump(exclude_defaults=True)))


def _as_toml(value: object) -> object:
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {k: _as_toml(v) for k, v in table.items() if v is not None}
    if isinstance(value, tuple | list):
        return [_as_toml(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, timedelta):
        return format_duration(value)
    return value


def _meant(folder: Path) -> str:
    names = (
        [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
    )
    close = get_close_matches(folder.name, names, n=1)
    return f"did you mean {folder.parent / close[0]}?" if close else "name a story's folder"


def _read(path: Path, problems: list[Problem]) -> tuple[str, dict[str, Any]] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        cure = "a story has one; scenarios/README.md says what is in it"
        problems.append(Problem(place=str(path), what="there is no such file", cure=cure))
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(place=str(path), what=f"cannot be read: {error}"))
        return None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(place=str(path), what=f"is not valid TOML: {error}"))
        return None


def _model(path: Path, model: type[M], problems: list[Problem]) -> M | None:
    read = _read(path, problems)
    if read is None:
        return None
    text, data = read
    lines = lines_of_keys(text)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            keys = tuple(str(part) for part in detail["loc"])
            near = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 0)
            what, cure = _explained(detail, keys, model)
            problems.append(Problem(place=f"{path}:{near or 1}", what=what, cure=cure))
        return None


def _explained(
    detail: ErrorDetails, keys: tuple[str, ...], model: type[BaseModel]
) -> tuple[str, str]:
    dotted = ".".join(keys)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            names = _names_beside(model, keys)
            close = get_close_matches(keys[-1], names, n=1)
            cure = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
            return f'unknown key "{dotted}"', cure
        case "missing":
            return f"{dotted} is missing", f"write {keys[-1]} = …"
        case "enum" | "literal_error":
            return f'{dotted} must be {context["expected"]}, not "{detail["input"]}"', ""
        case "value_error":
            words = str(context["error"])
            return (f"{dotted}: {words}" if dotted else words), ""
        case _:
            return f"{dotted}: {detail['msg']}", ""


def _names_beside(model: type[BaseModel], keys: tuple[str, ...]) -> list[str]:
    """Return the keys that may stand in the table of the last of `keys`."""
    found: type[BaseModel] = model
    for key in keys[:-1]:
        field = found.model_fields.get(key)
        if field is None:
            continue  # the name of a host, a server, …: its table was found already
        inner = [field.annotation, *get_args(field.annotation)]
        found = next((c for c in inner if isinstance(c, type) and issubclass(c, BaseModel)), found)
    return list(found.model_fields)


def _script(path: Path, problems: list[Problem]) -> Script | None:
    read = _read(path, problems)
    if read is None:
        return None
    text, data = read
    starts = [n for n, line in enumerate(text.splitlines(), 1) if _ENTRY.match(line)]
    head = lines_of_keys(text)
    found: list[Problem] = []
    for key in data:
        if key not in _SCRIPT_KEYS:
            cure = f"there are: {', '.join(_SCRIPT_KEYS)}"
            place = f"{path}:{head.get((key,), 1)}"
            found.append(Problem(place=place, what=f'unknown key "{key}"', cure=cure))
    happens: list[Happening] = []
    for number, entry in enumerate(data.get("happens", [])):
        line = starts[number] if number < len(starts) else 1
        try:
            happens.append(happening_from(entry))
        except ScriptInvalid as error:
            what, _, cure = str(error).partition("; ")
            found.append(Problem(place=f"{path}:{line}", what=what, cure=cure))
    try:
        script = script_from(data, tuple(happens))
    except ScriptInvalid as error:
        found.append(Problem(place=str(path), what=str(error)))
        script = None
    problems.extend(found)
    return script


def _strangers(path: Path, script: Script, cloud: CloudSpec) -> list[Problem]:
    """Return a problem for each host or server of the script that the cloud does not have."""
    hosts, servers = frozenset(cloud.host_names), frozenset(cloud.server)
    found: list[Problem] = []
    for number, happening in enumerate(script.happens, 1):
        what = happening.what
        named: list[tuple[str, str | None, frozenset[str]]] = []
        if isinstance(what, Fault | Spoken):
            named = [("host", what.host, hosts)]
            named += [("server", what.server, servers)]
        if isinstance(what, Fault):
            named += [
                ("host", what.to, hosts),
                ("rack", what.rack, cloud.racks),
            ]
        for word, name, known in named:
            if name is not None and name not in known:
                text = (
                    f"entry {number} ({what.kind}) speaks of {word} {name}, which {CLOUD} has not"
                )
                cure = f"there are: {', '.join(sorted(known)[:10])}"
                found.append(Problem(place=str(path), what=text, cure=cure))
    return found
