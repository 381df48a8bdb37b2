"""How values are written for people."""

from datetime import datetime

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def clean(text: str) -> str:
    """Return `text` without what could steer a terminal: servers have names that users choose."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def span(seconds: float | None) -> str:
    """Return a length of time, two units at most: `45 s`, `3 min 20 s`, `2 d 4 h`."""
    if seconds is None:
        return "never"
    total = round(seconds)
    if total < MINUTE_S:
        return f"{total} s"
    if total < HOUR_S:
        return _two(total, MINUTE_S, "min", 1, "s")
    if total < DAY_S:
        return _two(total, HOUR_S, "h", MINUTE_S, "min")
    return _two(total, DAY_S, "d", HOUR_S, "h")


def _two(total: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = total % large_s // small_s
    return f"{total // large_s} {large}" + (f" {rest} {small}" if rest else "")


def offset(seconds: float) -> str:
    """Return the time since the beginning of a story: `+12.4 s`, `+3 min 20 s`; `-2.0 s` before it."""
    if seconds < 0:
        return f"-{offset(-seconds).removeprefix('+')}"
    if seconds < MINUTE_S:
        return f"+{seconds:.1f} s"
    return f"+{span(seconds)}"


def moment(at: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def since(at: datetime, now: datetime) -> str:
    """Return a moment with its age."""
    return f"{moment(at)} ({span(max((now - at).total_seconds(), 0))} ago)"


def count(number: int, noun: str) -> str:
    """Return `1 host`, `2 hosts`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def clock(at: datetime, now: datetime) -> str:
    """Return a moment near `now`, to the second: its date only where that is another one."""
    return at.strftime("%H:%M:%SZ") if at.date() == now.date() else moment(at)


def awaited_times(begun: datetime, until: datetime | None, now: datetime) -> str:
    """Return since when something is awaited, and when a person is asked, should it not come."""
    waited = span(max((now - begun).total_seconds(), 0))
    since_when = f"for {waited}, since {clock(begun, now)}"
    if until is None:
        return f"{since_when}; nobody is asked by itself"
    left = (until - now).total_seconds()
    when = f"in {span(left)}, at {clock(until, now)}" if left > 0 else "now"
    return f"{since_when}; a person is asked {when}"
