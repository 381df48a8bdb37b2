"""How often Nova is read: its services while all is well, records while servers wait for their turn.

In virtual time, by what a read takes.
"""

import anyio
import pytest

from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import run_virtual

WATCHED_S = 60.0
WORKED_S = 20.0


async def reads_within(s: Story, call: str, during_s: float) -> int:
    """Return how often this was read in that time."""
    before = s.cloud.line.calls[call]
    await anyio.sleep(during_s)
    return s.cloud.line.calls[call] - before


def reads(latency_s: float) -> int:
    """Return how often the services were read within a quiet minute."""
    found: list[int] = []

    async def main() -> None:
        async with story([server("a")], rules=shortened(), warm_s=30.0) as s:
            s.cloud.line.latency_s = latency_s
            await anyio.sleep(10)
            found.append(await reads_within(s, "services", WATCHED_S))

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


def reads_of_records(servers: int, latency_s: float) -> int:
    """Return how often the records were read in 20 s in which Nova ends no evacuation of them."""
    found: list[int] = []

    async def main() -> None:
        async with story([server(f"s{i}") for i in range(servers)], warm_s=30.0) as s:
            for machine in s.cloud.physics.hosts.values():
                machine.spawn_s = 60.0
            s.power_loss()
            await s.until(lambda: bool(s.posts()), 60)
            await anyio.sleep(10)
            s.cloud.line.latency_s = latency_s
            await anyio.sleep(5)
            found.append(await reads_within(s, "migrations", WORKED_S))

    run_virtual(main)
    return found[0]


@pytest.mark.parametrize(
    ("servers", "latency_s", "least", "most"),
    [(1, 0.02, 14, 21), (40, 0.02, 36, 81), (40, 0.15, 20, 28), (40, 1.0, 8, 11)],
    ids=["nobody-waits", "quick", "so-so", "slow"],
)
def test_records_are_read_more_often_while_servers_wait_for_one_to_end(
    servers: int, latency_s: float, least: int, most: int
) -> None:
    assert least <= reads_of_records(servers, latency_s) <= most
