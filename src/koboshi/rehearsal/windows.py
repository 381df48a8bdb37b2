"""The one place where tests and the demo shorten the windows of the safety argument.

Only warm-up, incident memory and latching; never proof, order or read-back. One story keeps every
default (tests/unit/engine/test_defaults.py). The way home is left out unless a story is about it.
"""

from collections.abc import Mapping
from datetime import timedelta

from koboshi.domain.rules import Mode, OnLocalDisk, Rules


def shortened(
    mode: Mode = Mode.ACT,
    on_local_disk: OnLocalDisk = OnLocalDisk.HOLD,
    incident_memory: timedelta = timedelta(minutes=15),
) -> Rules:
    """Return rules whose warm-up is over soon."""
    return Rules(
        mode=mode,
        install="test",
        on_local_disk=on_local_disk,
        probe_warm_up=timedelta(seconds=10),
        new_evidence=timedelta(seconds=15),
        latch=timedelta(seconds=30),
        incident_memory=incident_memory,
        comes_home=False,
    )


DEMO: Mapping[str, timedelta] = {
    "probe_warm_up": timedelta(seconds=1),
    "new_evidence": timedelta(seconds=3),
    "incident_memory": timedelta(seconds=30),
    "latch": timedelta(seconds=20),
}
"""The demo's [windows]: nobody who tries Koboshi waits ten minutes before the first failure counts."""
