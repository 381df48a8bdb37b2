"""The log as a channel, and one notice to several channels."""

from collections.abc import Callable
from typing import Any

import pytest

from koboshi.adapters.notify.fanout import Notifiers
from koboshi.adapters.notify.log import LogNotifier
from koboshi.ports.notify import Notice, Notifier, Severity

Lines = Callable[[], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.INFO, "info"),
        (Severity.WARNING, "warning"),
        (Severity.CRITICAL, "critical"),
    ],
)
def test_a_notice_is_a_log_line(
    make_notice: Callable[..., Notice], lines: Lines, severity: Severity, level: str
) -> None:
    notifier: Notifier = LogNotifier()
    notifier.send(make_notice(severity=severity))
    (line,) = lines()
    assert line["level"] == level
    assert line["event"] == "host-1 is silent on every path: it will be switched off"
    assert (line["kind"], line["host"], line["incident"], line["key"], line["notice"]) == (
        "incident_opened",
        "host-1",
        "i-1",
        "incident:i-1",
        "n-1",
    )


class Remembers:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def send(self, notice: Notice) -> None:
        """Keep the notice."""
        self.notices.append(notice)


class Breaks:
    """A channel with a bug."""

    def send(self, notice: Notice) -> None:
        """Fail."""
        raise RuntimeError(f"a secret detail of {notice.id}")


def test_a_channel_that_breaks_costs_the_others_nothing(
    make_notice: Callable[..., Notice], lines: Lines
) -> None:
    first, last = Remembers(), Remembers()
    Notifiers(first, Breaks(), last).send(make_notice())
    assert first.notices == last.notices == [make_notice()]
    (line,) = lines()
    assert (line["channel"], line["error"]) == ("Breaks", "RuntimeError")
    assert "secret" not in str(line)


def test_no_channel_is_a_channel_too(make_notice: Callable[..., Notice], lines: Lines) -> None:
    Notifiers().send(make_notice())
    assert lines() == []
