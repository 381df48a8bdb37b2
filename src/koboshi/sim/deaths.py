"""What the power devices really answered: whether a host's death was proven when it was acted upon.

Told from the readings themselves, not from what Koboshi made of them.
"""

from collections.abc import Sequence

from koboshi.domain.facts.cloud import Power
from koboshi.sim.bmc import Read

READS = 3
SPACING_S = 2.0
MAX_AGE_S = 10.0
SENT_S = 0.1
"""How long a request is on its way at the least."""
ON_ITS_WAY_S = 1.0
"""How long a request may be on its way after the last look."""


def is_proven(reads: Sequence[Read], since_s: float) -> bool:
    """Return whether the newest readings are proof: off three times, 2 s apart, after `since_s`."""
    off_at: list[float] = []
    for read in reversed(reads):
        if read.power is not Power.OFF or read.at_s <= since_s:
            break
        if not off_at or off_at[-1] - read.at_s >= SPACING_S - 1e-6:
            off_at.append(read.at_s)
    return len(off_at) >= READS


def why_not_off_now(reads: Sequence[Read], now_s: float) -> str | None:
    """Return why a request that arrives now has no fresh proof behind it; None when it has.

    A reading that was answered while the request was on its way could not stop it any more; the very
    first of a daemon's, were it as late, let it go.
    """
    known = [r for r in reads if r.at_s <= now_s - SENT_S] or list(reads[:1])
    if not known:
        return "its power was never read"
    newest = known[-1]
    if newest.power is not Power.OFF:
        return f"its power read {newest.power} last"
    age_s = now_s - newest.at_s
    return f"its power read off {age_s:.1f} s ago" if age_s > MAX_AGE_S + ON_ITS_WAY_S else None
