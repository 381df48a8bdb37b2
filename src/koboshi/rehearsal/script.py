"""A script as data: what happens in a story, and when.

When is a time since the story's beginning, or the moment at which its log first says something:
`when = "incident h1 recovering"` holds whatever becomes of the timings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from koboshi.domain.errors import ConfigurationError
from koboshi.rehearsal.troubles import Trouble, TroubleKind
from koboshi.rehearsal.words import Spoken, WordKind
from koboshi.settings.duration import format_duration, parse_duration
from koboshi.sim.faults import Fault, FaultInvalid, FaultKind, entry_of, fault_from, read_entry

Befalling = Fault | Trouble | Spoken
DURATIONS = {"for": "for_s", "by": "by_s"}
"""As a person writes them, and the fields that they are."""
DEFAULT_LASTS_S = 180.0


class ScriptInvalid(ConfigurationError):
    """An entry of a script says nothing that could happen; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happens, and when."""

    what: Befalling
    at_s: float = 0.0
    """Seconds since the story's beginning; with `when`, since that moment."""
    when: str = ""
    """The beginning of a line of the log (without its time); empty: at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All that happens in a story."""

    happens: tuple[Happening, ...] = ()
    starts_s: float = 0.0
    """When the daemon is started."""
    lasts_s: float = DEFAULT_LASTS_S
    """When the story ends."""


def script_from(data: Mapping[str, Any], happens: tuple[Happening, ...]) -> Script:
    """Return a script with the head that `data` says; raises ScriptInvalid."""
    return Script(
        happens=happens,
        starts_s=_seconds("starts", data.get("starts", 0)),
        lasts_s=_seconds("lasts", data.get("lasts", DEFAULT_LASTS_S)),
    )


def happening_from(entry: Mapping[str, Any]) -> Happening:
    """Read one entry of a script; raises ScriptInvalid."""
    rest = dict(entry)
    what = rest.pop("what", None)
    if not isinstance(what, str):
        raise ScriptInvalid('what happens is missing: write what = "power_loss"')
    if ("at" in rest) == ("when" in rest):
        raise ScriptInvalid('write either at = "45s" or when = "incident h1 recovering"')
    if "after" in rest and "at" in rest:
        raise ScriptInvalid("after belongs to when: write the whole time as at")
    when = rest.pop("when", "")
    if not isinstance(when, str):
        raise ScriptInvalid("when must be the beginning of a line of the log")
    at_s = _seconds("after" if when else "at", rest.pop("after" if when else "at", 0))
    for name, field in DURATIONS.items():
        if field in rest:
            raise ScriptInvalid(f'{field} is written {name} = "20s" here')
        if name in rest:
            rest[field] = _signed_seconds(name, rest.pop(name))
    try:
        return Happening(what=_what(what, rest), at_s=at_s, when=when)
    except FaultInvalid as error:
        raise ScriptInvalid(_for_people(str(error))) from None


def happening_entry(happening: Happening) -> dict[str, Any]:
    """Write one entry of a script, as `happening_from` reads it."""
    what = happening.what
    entry = entry_of(what)
    kind = entry.pop("kind")
    for name, field in DURATIONS.items():
        if field in entry:
            seconds: float = entry.pop(field)
            entry[name] = format_duration(timedelta(seconds=seconds))
    at = format_duration(timedelta(seconds=happening.at_s))
    if not happening.when:
        return {"at": at, "what": kind, **entry}
    after = {"after": at} if happening.at_s else {}
    return {"when": happening.when, **after, "what": kind, **entry}


def _what(what: str, fields: dict[str, Any]) -> Befalling:
    if what in frozenset(FaultKind):
        return fault_from({"kind": what, **fields})
    if what in frozenset(TroubleKind):
        return read_entry(Trouble, "trouble", {"kind": what, **fields})
    if what in frozenset(WordKind):
        return read_entry(Spoken, "word", {"kind": what, **fields})
    close = get_close_matches(what, [*FaultKind, *TroubleKind, *WordKind], n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise ScriptInvalid(f'nothing that happens is called "{what}"{meant}')


def _for_people(problem: str) -> str:
    """Return what is wrong with an entry without the checker's own words."""
    for prefix in ("no fault: ", "no trouble: ", "no word: ", "entry: ", "Value error, "):
        problem = problem.removeprefix(prefix)
    for name, field in DURATIONS.items():
        problem = problem.replace(field, name)
    return problem


def _seconds(name: str, value: object) -> float:
    try:
        return parse_duration(value).total_seconds()
    except ValueError as error:
        raise ScriptInvalid(f"{name}: {error}") from None


def _signed_seconds(name: str, value: object) -> float:
    if isinstance(value, str) and value.startswith("-"):
        return -_seconds(name, value.removeprefix("-"))
    return _seconds(name, value)
