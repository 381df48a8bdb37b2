"""Commands over the line: carried out at once, late, or not at all, and answered or not.

Where the answer is lost, the connection breaks; where the effect is late, the request hangs until
its sender gives up, as one does that waits in a queue behind a proxy.
"""

from collections.abc import Callable
from contextlib import suppress

import anyio

from koboshi.domain.errors import CommandRefused
from koboshi.sim.http.call import Call
from koboshi.sim.http.errors import Cut, Hangs, Refused
from koboshi.sim.line import Fails
from koboshi.sim.nova import SimCloud
from koboshi.sim.truth import By

CELL_DOWN = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the "
    "Nova API log if possible.\n<class 'nova.exception.NovaException'>"
)
"""What an action on a server of a cell that does not answer ends with (NOVA-FACTS: 500)."""


def who(call: Call) -> By:
    """Return whose deed a request is, as judges tell them apart."""
    return By.KOBOSHI if call.token.user.is_koboshi else By.OTHERS


async def carry(
    cloud: SimCloud, call: Call, name: str, subject: str, act: Callable[[], None], detail: str = ""
) -> None:
    """Carry a command to the cloud, where `act` does what the API does with it.

    Raises what the line's trouble makes of it, and CommandRefused from `act` itself.
    """
    fault = await cloud.line.command(name, subject, detail, who(call))
    if not cloud.cell_works:
        raise Refused(500, CELL_DOWN)
    if fault is not None and fault.how is Fails.LATE:
        cloud.tasks.start_soon(_late, act, fault.late_s)
        raise Hangs
    act()
    if fault is not None:
        raise Cut
    await anyio.sleep(cloud.line.latency_s)


async def _late(act: Callable[[], None], by_s: float) -> None:
    await anyio.sleep(by_s)
    with suppress(CommandRefused):  # nobody is there to be told
        act()
