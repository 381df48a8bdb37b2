"""A probe's time-out, and the proof that it was the host's silence and not our own delay."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

from koboshi.adapters.probing.dial import meaning
from koboshi.domain.facts.cloud import ProbeAnswer

LATE_FACTOR = 1.5
"""A time-out that fires later than this tells of a busy loop of ours, not of a silent host."""


async def within(
    limit: timedelta,
    ask: Callable[[list[ProbeAnswer]], Awaitable[ProbeAnswer]],
) -> ProbeAnswer:
    """Return what `ask` finds; on a time-out the last that it noted, or silence."""
    noted: list[ProbeAnswer] = []
    started = anyio.current_time()
    try:
        with anyio.move_on_after(limit.total_seconds()):
            return await ask(noted)
    except OSError as error:
        return noted[-1] if noted else meaning(error)
    except ValueError:  # an address that is none (from the library, before anything is sent)
        return ProbeAnswer.OWN_TROUBLE
    if noted:
        return noted[-1]
    late = anyio.current_time() - started > limit.total_seconds() * LATE_FACTOR
    return ProbeAnswer.OWN_TROUBLE if late else ProbeAnswer.SILENT
