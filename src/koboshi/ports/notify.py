"""Telling people and their tools. A notice never delays a recovery."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName, IncidentId


class Severity(StrEnum):
    """How much a person should hurry."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message; several with one `key` are updates of the same matter."""

    id: str
    key: str
    kind: str
    """The type of the event that caused it, e.g. `incident_opened`."""
    severity: Severity
    at: Instant
    summary: str
    """One sentence: what, where, and what follows."""
    host: HostName | None = None
    incident: IncidentId | None = None


class Notifier(Protocol):
    """Where notices go."""

    def send(self, notice: Notice) -> None:
        """Queue the notice and return at once; a full queue drops the oldest, and counts it."""
        ...
