"""How often Nova's services are read while all is well: in virtual time, by what a read takes."""

import anyio
import pytest

from koboshi.rehearsal.story import story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import run_virtual

WATCHED_S = 60.0


def reads(latency_s: float) -> int:
    """Return how often the services were read within a quiet minute."""
    found: list[int] = []

    async def main() -> None:
        async with story([server("a")], rules=shortened(), warm_s=30.0) as s:
            s.cloud.line.latency_s = latency_s
            await anyio.sleep(10)
            before = s.cloud.line.calls["services"]
            await anyio.sleep(WATCHED_S)
            found.append(s.cloud.line.calls["services"] - before)

    run_virtual(main)
    return found[0]


@pytest.mark.parametrize(
    ("latency_s", "least", "most"),
    [(0.02, 25, 30), (0.15, 17, 21), (1.0, 8, 12)],
    ids=["quick", "so-so", "slow"],
)
def test_a_quick_api_is_asked_more_often_than_a_slow_one(
    latency_s: float, least: int, most: int
) -> None:
    assert least <= reads(latency_s) <= most
