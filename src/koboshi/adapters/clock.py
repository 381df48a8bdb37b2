"""The machine's clocks, as the one source of time."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import uuid_utils

from koboshi.domain.errors import ConfigurationError
from koboshi.domain.instant import Instant

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Real time: the boot clock for ages, UTC for people."""

    def __init__(self, boot_id_file: Path = BOOT_ID) -> None:
        try:
            # Read once: it cannot change while this process lives, and a read may fail later
            # (no file descriptor left) at a moment when nobody can do without the time.
            self._boot_id = boot_id_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{boot_id_file} cannot be read ({error}), so moments of this boot cannot be told "
                f"from those of another; run Koboshi on Linux with /proc mounted",
            ) from error
        if not self._boot_id:
            raise ConfigurationError(f"{boot_id_file} is empty; mount the real /proc")

    def now(self) -> Instant:
        """Return the present moment."""
        # Whole nanoseconds: a float's rounding would make two orders of one moment possible.
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return Instant(
            wall=datetime.now(UTC),
            boot=timedelta(microseconds=boot_ns // 1000),
            boot_id=self._boot_id,
        )

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; at once, yet giving others their turn, if it is not positive."""
        await anyio.sleep(max(duration.total_seconds(), 0.0))

    def new_id(self) -> str:
        """Return a fresh identifier that sorts by time (UUID version 7)."""
        return str(uuid_utils.uuid7())
