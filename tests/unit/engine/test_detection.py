"""How soon a host that is cut off, its power on, is confirmed, fenced, proven and answered: virtual time.

What the safety argument asks for takes most of it: a heartbeat that comes every 10 s is missed 3 s
after it was due, and three readings of the power are 2 s apart. Held here is that nothing else does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import anyio
import pytest

from koboshi.rehearsal.story import story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import run_virtual

PHASES = 20
"""Moments within two heartbeats at which the host is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Seconds from the cut to each step."""

    confirmed_s: float
    fenced_s: float
    proven_s: float
    evacuated_s: float


def detect(after_s: float) -> Detection:
    found: list[Detection] = []

    async def main() -> None:
        async with story([server("a")], rules=shortened(), warm_s=45 + after_s) as s:
            cut_s = anyio.current_time()
            s.machine("h1").link = False

            async def at(holds: Callable[[], bool]) -> float:
                await s.until(holds, 60, every_s=0.05)
                return anyio.current_time() - cut_s

            found.append(
                Detection(
                    confirmed_s=await at(lambda: bool(s.state.incidents)),
                    fenced_s=await at(lambda: not s.machine("h1").power),
                    proven_s=await at(lambda: s.incident().proof is not None),
                    evacuated_s=await at(lambda: bool(s.posts())),
                )
            )

    run_virtual(main)
    return found[0]


@pytest.fixture(scope="module")
def detections() -> list[Detection]:
    return [detect(number * 20 / PHASES) for number in range(PHASES)]


def test_a_cut_host_is_confirmed_soon(detections: list[Detection]) -> None:
    """The silence counts after 6 s; Nova's last heartbeat was up to 10 s ago, and was seen up to 2 s late."""
    assert median(d.confirmed_s for d in detections) <= 9.5
    assert max(d.confirmed_s for d in detections) <= 14.5


def test_its_proof_takes_what_three_readings_two_seconds_apart_take(
    detections: list[Detection],
) -> None:
    assert all(4.0 <= d.proven_s - d.fenced_s <= 5.2 for d in detections)


def test_between_them_nothing_is_waited_for(detections: list[Detection]) -> None:
    assert all(d.fenced_s - d.confirmed_s <= 1.0 for d in detections)
    assert all(d.evacuated_s - d.proven_s <= 1.2 for d in detections)
