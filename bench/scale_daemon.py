"""Koboshi's process in the scale bench: the daemon as `koboshi run` composes it, but for its probe.

Probes are measured apart, so here one is a look at a byte that the cloud's process writes, or (with
`rest`) none at all.
"""

import mmap
import os
import sys
from pathlib import Path

import anyio

from koboshi.daemon.compose import run
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.settings import load_settings


class MappedProbe:
    """Implements ports.probe.Probe on a file with one byte for each host."""

    name = "mapped"

    def __init__(self, network: Path) -> None:
        with network.open("rb") as file:
            self._alive = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    async def ask(self, address: str) -> ProbeAnswer:
        """Look whether the host answers."""
        _, high, middle, low = map(int, address.split("."))
        await anyio.lowlevel.checkpoint()
        number = (high - 1) * 62500 + middle * 250 + low - 1
        return ProbeAnswer.USERLAND if self._alive[number] else ProbeAnswer.SILENT


class RestingProbe:
    """Implements ports.probe.Probe: it asks nobody."""

    name = "resting"

    async def ask(self, address: str) -> ProbeAnswer:
        """Rest."""
        del address
        await anyio.sleep_forever()
        raise AssertionError


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    probe = RestingProbe() if sys.argv[2] == "rest" else MappedProbe(folder / "management")
    sys.exit(run(load_settings(folder / "koboshi.toml", os.environ), probe=probe))
