"""A moment, told in a way that no wrong or stepped wall clock can distort."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment on this machine.

    `boot` is the time since this machine booted (CLOCK_BOOTTIME: it never steps, and goes on
    through a suspend), `boot_id` names that boot, `wall` is UTC: for people, and for ages that
    reach across a reboot of this machine.
    """

    wall: datetime
    boot: timedelta
    boot_id: str

    def since(self, earlier: "Instant") -> timedelta:
        """Return how long after `earlier` this is; never negative.

        Within one boot the boot clock answers; across boots only the wall clock can.
        """
        if self.boot_id == earlier.boot_id:
            return max(self.boot - earlier.boot, timedelta())
        return max(self.wall - earlier.wall, timedelta())

    def surely_since(self, earlier: "Instant") -> timedelta:
        """Return how long after `earlier` this is at the least, whatever the wall clock says.

        What is remembered of another boot is older than this boot; how much older, only a clock
        could tell that may have been stepped meanwhile.
        """
        return self.since(earlier) if self.boot_id == earlier.boot_id else self.boot

    def is_after(self, remembered: "Instant") -> bool:
        """Return whether this observation was made after something `remembered`.

        Observations are always of this machine's present boot; what is remembered of another boot
        is older, whatever the wall clock says since.
        """
        if self.boot_id != remembered.boot_id:
            return True
        return self.boot > remembered.boot

    def has_passed(self, planned: "Instant") -> bool:
        """Return whether a moment that was planned has come; across boots only the wall clock knows."""
        if self.boot_id == planned.boot_id:
            return self.boot >= planned.boot
        return self.wall >= planned.wall

    def later(self, by: timedelta) -> "Instant":
        """Return the moment `by` after this one."""
        return Instant(wall=self.wall + by, boot=self.boot + by, boot_id=self.boot_id)


def same(one: Instant | None, other: Instant | None) -> bool:
    """Return whether two moments are the same; mostly they are the same object, which is quick."""
    return one is other or one == other


def latest(first: Instant, *others: Instant) -> Instant:
    """Return the latest of several moments; name what is remembered first, observations last.

    Between moments of different boots of this machine the later named one wins: the present boot's.
    """
    newest = first
    for other in others:
        if other.boot_id != newest.boot_id or other.boot > newest.boot:
            newest = other
    return newest


def seconds(duration: timedelta) -> str:
    """Return a duration as a person reads it: `7 s`."""
    return f"{duration.total_seconds():.0f} s"
