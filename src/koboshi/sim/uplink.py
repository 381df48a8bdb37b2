"""Our own way to everything: the cloud's API, the hosts' networks, their power devices."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class Uplink:
    """The network card, cable and switch of the machine that the daemon runs on."""

    works: bool = True
    gives_up_s: float = 5.0
    """How long a client waits for an answer that cannot come."""
