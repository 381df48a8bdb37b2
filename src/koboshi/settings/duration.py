"""Durations as operators write them: "10s", "15m", "1h30m".

Pydantic reads ISO 8601 ("PT15M"), which nobody types into a configuration by hand.
"""

import re
from datetime import timedelta

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""In milliseconds, largest first: also the order in which a duration is written."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def parse_duration(value: object) -> timedelta:
    """Return the duration that `value` means; a bare number counts seconds.

    Raises ValueError with the forms that are understood.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_seconds(float(value), value)
    if isinstance(value, str):
        text = value.strip().lower().replace(" ", "")
        if _NUMBER.fullmatch(text):
            return _from_seconds(float(text), value)
        if _WHOLE.fullmatch(text):
            parts = [(float(amount), unit) for amount, unit in _PART.findall(text)]
            units = [unit for _, unit in parts]
            if len(set(units)) == len(units):
                return _from_seconds(sum(n * _UNITS[unit] for n, unit in parts) / 1000, value)
    raise ValueError(
        f'"{value}" is no duration; write "10s", "15m", "1h30m" or a number of seconds'
    )


def _from_seconds(seconds: float, written: object) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise ValueError(f'"{written}" is no duration that a clock can count') from None


def format_duration(duration: timedelta) -> str:
    """Return the duration in the form that `parse_duration` reads: 90 s is "1m30s"."""
    rest = round(duration.total_seconds() * 1000)
    text = "-" if rest < 0 else ""
    rest = abs(rest)
    for unit, milliseconds in _UNITS.items():
        count, rest = divmod(rest, milliseconds)
        if count:
            text += f"{count}{unit}"
    return text or "0s"
