"""Asking a server whether its program answers: a connection that is accepted, a page that is given."""

from datetime import timedelta

from koboshi.adapters.probing.dial import dialled
from koboshi.adapters.probing.http import HttpProbe
from koboshi.adapters.probing.timed import within
from koboshi.domain.alone.checks import Target
from koboshi.domain.facts.cloud import ProbeAnswer

TIMEOUT = timedelta(seconds=3)


class ServerProber:
    """Implements `koboshi.ports.probe.ServerProbe`."""

    def __init__(self, timeout: timedelta = TIMEOUT) -> None:
        self._timeout = timeout

    async def ask(self, target: Target) -> ProbeAnswer:
        """Ask once; what accepts a connection, or gives a page (200), answers."""
        if target.kind == "http":
            page = HttpProbe(port=target.port, path=target.path, expect="", timeout=self._timeout)
            return await page.ask(target.address)

        async def connect(_noted: list[ProbeAnswer]) -> ProbeAnswer:
            async with dialled(target.address, target.port):
                return ProbeAnswer.USERLAND

        return await within(self._timeout, connect)
