"""The words of a policy: its keys, what may stand behind each, and how a mistyped one is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeVar

from koboshi.domain.policies.readiness import FORMS, Readiness, readiness_of
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.rules import LoneStop, OnLocalDisk

NAMESPACE: Final = "koboshi:"
"""Begins every key of ours in metadata, tags, properties and extra specs."""
HA_ENABLED: Final = "HA_Enabled"
"""Masakari's metadata key of a server."""
EVACUABLE: Final = "evacuable"
"""InstanceHA's mark of flavors, images and aggregates."""
LONGEST: Final = timedelta(days=30)


class Key(StrEnum):
    """What can be said of a server."""

    PROTECT = "protect"
    ON_LOCAL_DISK = "on_local_disk"
    PRIORITY = "priority"
    AFTER = "after"
    READY = "ready"
    HEALTH = "health"
    LONE_STOP = "lone_stop"


KEY_MEANING: Final[Mapping[Key, str]] = {
    Key.PROTECT: "whether it is recovered at all",
    Key.ON_LOCAL_DISK: "what is done where a disk of it lies on its dead host",
    Key.PRIORITY: "how much its return matters beside the others'",
    Key.AFTER: "which servers, or groups of them, must be up before it",
    Key.READY: "what must answer before it counts as up for those that wait for it",
    Key.HEALTH: "what must answer all the time, lest its silence is told",
    Key.LONE_STOP: "whether it is started when its guest ended alone, on a host that lives",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDisk:
    """What is done with a server whose data lies on its dead host's own disk."""

    what: OnLocalDisk
    after: timedelta | None = None
    """How long it is waited before a rebuild; None: as long as the configuration says."""


Value = bool | LocalDisk | Priority | tuple[str, ...] | Readiness | LoneStop

W = TypeVar("W", bound=StrEnum)

_TRUE: Final = frozenset({"true", "1", "yes", "y", "on", "t"})
_FALSE: Final = frozenset({"false", "0", "no", "n", "off", "f"})
_AFTER: Final = re.compile(r"rebuild[-_]after(?:\s*[=:\s]\s*(.+))?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(?:\d+[smhd])+")
_PART: Final = re.compile(r"(\d+)([smhd])")


class Misspelt(Exception):
    """A word that nobody can read; its text says which would be understood."""

    def __init__(self, cure: str, key: Key | None = None) -> None:
        super().__init__(cure)
        self.key = key
        """Of a key that there is not: the one that was probably meant."""


def key_of(name: str) -> Key | None:
    """Return the key that a name in metadata stands for; None for a name that is none of ours.

    Raises Misspelt for one of our namespace that there is not.
    """
    plain = name.strip()
    if plain.lower() in {HA_ENABLED.lower(), EVACUABLE}:
        return Key.PROTECT
    if not plain.lower().startswith(NAMESPACE):
        return None
    wanted = plain[len(NAMESPACE) :].strip().lower().replace("-", "_")
    if wanted in {k.value for k in Key}:
        return Key(wanted)
    close = get_close_matches(wanted, [k.value for k in Key], n=1)
    known = ", ".join(NAMESPACE + k for k in Key)
    if close:
        raise Misspelt(f"did you mean {NAMESPACE}{close[0]}?", Key(close[0]))
    raise Misspelt(f"there are: {known}")


def may_speak(name: str) -> bool:
    """Return whether a name is, or was perhaps meant to be, one of a policy's."""
    plain = name.strip().lower()
    return plain in {HA_ENABLED.lower(), EVACUABLE} or plain.startswith(NAMESPACE)


def value_of(key: Key, text: str) -> Value:
    """Return what stands behind a key. Raises Misspelt."""
    match key:
        case Key.PROTECT:
            return _truth(text)
        case Key.ON_LOCAL_DISK:
            return _local_disk(text)
        case Key.PRIORITY:
            return _one_of(Priority, text)
        case Key.AFTER:
            return tuple(dict.fromkeys(w for part in text.split(",") if (w := part.strip())))
        case Key.LONE_STOP:
            return _one_of(LoneStop, text)
        case Key.READY | Key.HEALTH:
            found = readiness_of(text)
            if found is None:
                raise Misspelt(f"write {FORMS}")
            return found


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise Misspelt("write true or false")


def _one_of(words: type[W], text: str) -> W:
    word = text.strip().lower()
    known = [w.value for w in words]
    if word in known:
        return words(word)
    close = get_close_matches(word, known, n=1)
    raise Misspelt(f"did you mean {close[0]}?" if close else f"write {', '.join(known)}")


def _local_disk(text: str) -> LocalDisk:
    word = text.strip().lower()
    if after := _AFTER.fullmatch(word):
        return LocalDisk(what=OnLocalDisk.REBUILD_AFTER, after=_wait(after.group(1)))
    if word in {w.value for w in OnLocalDisk}:
        return LocalDisk(what=OnLocalDisk(word))
    close = get_close_matches(word, [w.value for w in OnLocalDisk], n=1)
    raise Misspelt(
        f"did you mean {close[0]}?" if close else "write hold, rebuild, rebuild-after=30m or ignore"
    )


def _wait(text: str | None) -> timedelta | None:
    if text is None:
        return None
    plain = text.strip().strip("\"'").replace(" ", "")
    if _DURATION.fullmatch(plain):
        seconds = sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(plain))
        if 0 < seconds <= LONGEST.total_seconds():
            return timedelta(seconds=seconds)
    raise Misspelt("write rebuild-after=30m: 1s to 30d")


def text_of(value: Value) -> str:
    """Return a value as it would be written."""
    match value:
        case bool():
            return str(value).lower()
        case LocalDisk():
            after = f"={words_of(value.after)}" if value.after is not None else ""
            return value.what.value + after
        case Priority() | LoneStop():
            return value.value
        case Readiness():
            return str(value)
        case _:
            return ", ".join(value)


def words_of(wait: timedelta) -> str:
    """Return a duration as it is written: 30m, 1h30m."""
    rest, text = int(wait.total_seconds()), ""
    for unit, seconds in reversed(_UNITS.items()):
        count, rest = divmod(rest, seconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
