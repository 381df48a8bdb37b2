"""The ssh server's greeting: the cheapest sign that programs on a host still run.

Each probe is a connection without a login. OpenSSH 9.8 and later punishes many of those from one
address (PerSourcePenalties); on such hosts Koboshi's address belongs into PerSourcePenaltyExemptList
of sshd_config. What sshd says to a punished caller is an sign of life all the same.
"""

import asyncio
import re
from datetime import timedelta

from koboshi.adapters.probing.dial import dialled
from koboshi.adapters.probing.timed import within
from koboshi.domain.facts.cloud import ProbeAnswer

MAX_GREETING_BYTES = 8192
GREETING = re.compile(rb"^(SSH-|Exceeded MaxStartups|Not allowed at this time)", re.MULTILINE)
"""RFC 4253 §4.2 (other lines may come before it); and what sshd says when it turns one away."""


class SshProbe:
    """Implements `koboshi.ports.probe.Probe`."""

    def __init__(self, *, port: int = 22, timeout: timedelta = timedelta(seconds=1)) -> None:
        self._port = port
        self._timeout = timeout

    @property
    def name(self) -> str:
        """Return what is asked, and on which port."""
        return f"ssh:{self._port}"

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask once, connection and greeting within one time-out."""

        async def greet(noted: list[ProbeAnswer]) -> ProbeAnswer:
            loop = asyncio.get_running_loop()
            async with dialled(address, self._port) as sock:
                noted.append(ProbeAnswer.KERNEL)
                heard = b""
                while len(heard) < MAX_GREETING_BYTES:
                    more = await loop.sock_recv(sock, 512)
                    if not more:
                        break
                    heard += more
                    if GREETING.search(heard):
                        return ProbeAnswer.USERLAND
                return ProbeAnswer.KERNEL

        return await within(self._timeout, greet)
