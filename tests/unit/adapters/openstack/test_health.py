"""The record of the API's health forgets after 30 s."""

from datetime import timedelta

from koboshi.adapters.openstack.health import HealthRecord
from tests.unit.adapters.stepped_clock import SteppedClock


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
