"""Commands over the line: carried out at once, late, or not at all, and answered or not."""

from collections.abc import Callable
from contextlib import suppress

import anyio

from koboshi.domain.errors import CommandRefused
from koboshi.sim.line import Fails
from koboshi.sim.nova import SimCloud


async def carry(
    cloud: SimCloud, call: str, subject: str, act: Callable[[], None], detail: str = ""
) -> None:
    """Carry a command to the cloud, where `act` does what the API does with it.

    Raises what the line's trouble makes of it, and CommandRefused from `act` itself.
    """
    fault = await cloud.line.command(call, subject, detail)
    if fault is not None and fault.how is Fails.LATE:
        cloud.tasks.start_soon(_late, act, fault.late_s)
    else:
        act()
    await cloud.line.answer(call, fault)


async def _late(act: Callable[[], None], by_s: float) -> None:
    await anyio.sleep(by_s)
    with suppress(CommandRefused):  # nobody is there to be told
        act()
