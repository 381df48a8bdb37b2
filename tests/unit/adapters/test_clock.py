"""The machine's clocks."""

from datetime import UTC, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from koboshi.adapters.clock import SystemClock
from koboshi.domain.errors import ConfigurationError


def test_now_tells_utc_boot_time_and_this_boot() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert first.wall.tzinfo is UTC
    assert first.boot <= second.boot
    assert first.boot_id == second.boot_id == str(UUID(first.boot_id))
    uptime = timedelta(seconds=float(Path("/proc/uptime").read_text().split()[0]))
    assert abs(uptime - second.boot) < timedelta(seconds=1)


def test_ids_are_version_7_and_sort_in_the_order_of_making() -> None:
    clock = SystemClock()
    ids = [clock.new_id() for _ in range(2_000)]
    assert ids == sorted(set(ids))
    assert {UUID(one).version for one in ids} == {7}


@pytest.mark.anyio
async def test_sleep_takes_that_long_and_no_time_for_none() -> None:
    clock = SystemClock()
    start = clock.now()
    await clock.sleep(timedelta(milliseconds=20))
    passed = clock.now().since(start)
    assert timedelta(milliseconds=20) <= passed < timedelta(seconds=1)
    await clock.sleep(timedelta(seconds=-5))
    await clock.sleep(timedelta())


@pytest.mark.parametrize("content", [None, b"", b"\xff"], ids=["missing", "empty", "no text"])
def test_without_a_boot_id_there_is_no_clock(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "boot_id"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"boot_id.*/proc"):
        SystemClock(file)
