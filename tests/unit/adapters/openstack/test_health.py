"""The record of the API's health forgets after 30 s, and is Nova's alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from koboshi.adapters.openstack.health import HealthRecord
from koboshi.domain.errors import CloudUnavailable
from tests.unit.adapters.loopback import Reply
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.stepped_clock import SteppedClock

BUSY = Reply(status=503, body=b"busy")


def test_health_is_of_the_last_half_minute() -> None:
    clock = SteppedClock()
    record = HealthRecord(clock)
    assert record.recent().p95_s is None
    assert record.recent().failed_fraction == 0
    for seconds in range(1, 5):
        started = clock.now()
        clock.step(timedelta(seconds=seconds))
        record.note(started, answered=seconds != 4)
    assert record.recent().latencies_s == (1, 2, 3)
    assert record.recent().p95_s == 3
    assert record.recent().failed_fraction == 0.25
    clock.step(timedelta(seconds=25))
    assert (record.recent().successes, record.recent().failures) == (1, 1)
    clock.step(timedelta(seconds=60))
    assert (record.recent().successes, record.recent().failures) == (0, 0)


def test_what_says_nothing_of_nova_is_a_request_and_no_sample() -> None:
    heard: list[bool] = []
    record = HealthRecord(SteppedClock(), on_request=heard.append)
    record.note(SteppedClock().now(), answered=False, tells_of_nova=False)
    assert heard == [False]
    assert (record.recent().successes, record.recent().failures) == (0, 0)


@pytest.mark.anyio
async def test_cinder_and_glance_that_are_gone_are_no_trouble_of_nova_s(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.types += ("volumev3",)
    fake.on("GET", "/volumev3/volumes/v1", BUSY)
    fake.on("GET", "/image/v2/images/i1", BUSY)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CloudUnavailable):
            await cloud.volume("v1")
        with pytest.raises(CloudUnavailable):
            await cloud.image("i1")
        assert cloud.health.failures == 0
