"""A plain connection: for hosts without an ssh server. It never proves that a program lives."""

from datetime import timedelta

from koboshi.adapters.probing.dial import dialled
from koboshi.adapters.probing.timed import within
from koboshi.domain.facts.cloud import ProbeAnswer


class TcpProbe:
    """Implements `koboshi.ports.probe.Probe`."""

    def __init__(self, *, port: int, timeout: timedelta = timedelta(seconds=1)) -> None:
        self._port = port
        self._timeout = timeout

    @property
    def name(self) -> str:
        """Return what is asked, and on which port."""
        return f"tcp:{self._port}"

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask once: accepted and refused are both the kernel's answer."""

        async def connect(_noted: list[ProbeAnswer]) -> ProbeAnswer:
            async with dialled(address, self._port):
                return ProbeAnswer.KERNEL

        return await within(self._timeout, connect)
