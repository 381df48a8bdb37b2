"""Notices, and a log that can be read back."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from koboshi.adapters.telemetry.logs import configure_logs
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName, IncidentId
from koboshi.ports.notify import Notice, Severity

NOTICE = Notice(
    id="n-1",
    key="incident:i-1",
    kind="incident_opened",
    severity=Severity.CRITICAL,
    at=Instant(
        wall=datetime(2026, 5, 4, 3, 2, 1, 500000, tzinfo=UTC), boot=timedelta(1), boot_id="b"
    ),
    summary="host-1 is silent on every path: it will be switched off",
    host=HostName("host-1"),
    incident=IncidentId("i-1"),
)


@pytest.fixture
def make_notice() -> Callable[..., Notice]:
    """Return what makes a notice that differs in the named fields."""

    def make(**changes: Any) -> Notice:
        return replace(NOTICE, **changes)

    return make


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Yield what returns the log lines so far; the log is as it was afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    out = io.StringIO()
    configure_logs(level="info", as_json=True, stream=out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()
