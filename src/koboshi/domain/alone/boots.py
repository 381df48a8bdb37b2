"""When hosts booted: the word of whoever samples it (node_exporter's `node_boot_time_seconds`)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from koboshi.domain.instant import Instant

BOOT_DRIFT = timedelta(seconds=30)
"""The kernel's boot time is reckoned back from its clock, and moves a little as that is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTrack:
    """When a host last booted, as whoever samples it tells."""

    booted: datetime
    read_at: Instant
    changed_at: Instant | None = None
    """When a newer boot time was first read; None before one was seen to change."""
    known_since: Instant | None = None
    """When this boot time was first read; None: not before `read_at`."""

    @property
    def since(self) -> Instant:
        """Return since when this boot is known, whether an older one was seen before it or not."""
        return self.changed_at or self.known_since or self.read_at


def observe_boot(track: BootTrack | None, booted: datetime, at: Instant) -> BootTrack:
    """Add one reading of a host's boot time."""
    if track is None:
        return BootTrack(booted=booted, read_at=at, known_since=at)
    if booted - track.booted > BOOT_DRIFT:
        return BootTrack(booted=booted, read_at=at, changed_at=at, known_since=at)
    return replace(track, read_at=at)
