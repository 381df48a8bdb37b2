"""What a host's BMC does, whichever protocol asks: its switch is the host's, unless it is told to fail.

The mode is a knob (knobs/bmc-HOST.json), read at each request, so that Redfish and IPMI fail alike.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab import hosts, knobs, network
from lab.guests import HostDisk, append
from lab.layout import system_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.layout import Layout

MODES = (
    "normal",
    "refuse",
    "hang",
    "slow",
    "lie-off",
    "accept-only",
    "gone",
    "wrong-host",
    "wrong-password",
    "dies-with-host",
)
SLOW_S = 4.0
USER = "admin"


def set_mode(lab: Layout, host: str, mode: str) -> None:
    """Set how the host's BMC behaves from now on."""
    knobs.update(lab.run, f"bmc-{host}", mode=None if mode == "normal" else mode)
    network.set_bmc_reachable(lab, host, reachable=mode != "gone")
    follow_host(lab, host)


def follow_host(lab: Layout, host: str) -> None:
    """Let a BMC that shares its host's supply go and come with it."""
    if knobs.read(lab.run, f"bmc-{host}").get("mode") == "dies-with-host":
        network.set_bmc_reachable(lab, host, reachable=HostDisk(lab.run, host).powered)


class Bmc:
    """One host's BMC."""

    def __init__(self, lab: Layout, host: str, known: Sequence[str]) -> None:
        self.host = host
        self._lab = lab
        self._known = known

    @property
    def mode(self) -> str:
        """Give the mode of this moment."""
        return knobs.read(self._lab.run, f"bmc-{self.host}").get("mode", "normal")

    @property
    def wired_to(self) -> str:
        """Name the host at which its cables end; in wrong-host mode that is the next one."""
        if self.mode != "wrong-host":
            return self.host
        return self._known[(self._known.index(self.host) + 1) % len(self._known)]

    @property
    def uuid(self) -> str:
        """Give the id of the machine that it sits in."""
        return system_id(self.wired_to)

    def reads_on(self) -> bool:
        """Say whether it tells that the host has power."""
        self._take_its_time()
        on = self.mode != "lie-off" and HostDisk(self._lab.run, self.wired_to).powered
        append(self._lab.run / "bmc-reads.jsonl", {"at": time.time(), "host": self.host, "on": on})
        return on

    def off(self) -> None:
        """Switch the host off, if it really does."""
        self._take_its_time()
        if self._works():
            hosts.power_off(self._lab, self.wired_to)

    def on(self) -> None:
        """Switch the host on."""
        hosts.power_on(self._lab, self.wired_to)

    def restart(self) -> None:
        """Take the power away for a second."""
        if self._works():
            hosts.reboot(self._lab, self.wired_to)

    def _works(self) -> bool:
        return self.mode not in ("lie-off", "accept-only")

    def _take_its_time(self) -> None:
        if self.mode == "slow":
            time.sleep(SLOW_S)
