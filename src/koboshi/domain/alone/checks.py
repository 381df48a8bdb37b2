"""What a check of a server found over time, and where it is asked."""

from dataclasses import dataclass, replace
from typing import Final

from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.instant import Instant

HEALTH_KEY: Final = "koboshi:health"
"""The metadata key in which an owner names a check: `tcp:ADDRESS:PORT`, `http:ADDRESS:PORT/PATH`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one server is asked, and how."""

    kind: str
    """`tcp`: a connection is accepted; `http`: a page is given (200)."""
    address: str
    port: int
    path: str = "/"

    def __str__(self) -> str:
        """Return it as an address of the web."""
        return f"{self.kind}://{self.address}:{self.port}{self.path if self.kind == 'http' else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTrack:
    """One server's answers."""

    asked_at: Instant
    answered_at: Instant | None = None
    """When its program last answered; None: never, so its silence says nothing."""
    failing_since: Instant | None = None
    """Start of the present run of failures."""


def observe_health(track: HealthTrack | None, answer: ProbeAnswer, at: Instant) -> HealthTrack:
    """Add one answer. A kernel that refuses is no program; what we could not ask says nothing."""
    if track is None:
        track = HealthTrack(asked_at=at)
    match answer:
        case ProbeAnswer.USERLAND:
            return HealthTrack(asked_at=at, answered_at=at)
        case ProbeAnswer.OWN_TROUBLE:
            return replace(track, asked_at=at, failing_since=None)
        case ProbeAnswer.KERNEL | ProbeAnswer.SILENT:
            since = track.failing_since or at
            return replace(
                track, asked_at=at, failing_since=None if track.answered_at is None else since
            )
