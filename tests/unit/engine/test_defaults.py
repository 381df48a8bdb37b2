"""One story with every default: warm-up, intervals and windows as an operator gets them."""

import anyio
import pytest

from koboshi.domain.rules import Mode, Rules
from koboshi.rehearsal.story import story
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

TEN_MINUTES_AND_A_BIT_S = 640.0


async def test_a_host_dies_eleven_minutes_after_the_first_start() -> None:
    names = [f"s{n}" for n in range(12)]
    async with story(
        [*(server(n) for n in names), image_server("held")],
        rules=Rules(mode=Mode.ACT, install="test"),
        warm_s=TEN_MINUTES_AND_A_BIT_S,
    ) as s:
        s.power_loss()
        died_s = anyio.current_time()
        await s.until_settled(within_s=90)
        s.assert_back(*names)
        first_s = min(c.at_s for c in s.cloud.line.sent if c.call == "evacuate")
        assert first_s - died_s < 15
        assert s.posts()["held"] == 0


async def test_a_host_dies_nine_minutes_after_the_first_start() -> None:
    """Its prober was not trusted yet: nothing is done, and a person is told."""
    async with story([server("a")], rules=Rules(mode=Mode.ACT, install="test"), warm_s=540.0) as s:
        s.power_loss()
        await anyio.sleep(120)
        assert s.cloud.line.sent == []
        assert ("h1", "silent_unconfirmed") in s.noticed()
