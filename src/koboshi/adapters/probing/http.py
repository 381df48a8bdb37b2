"""An exporter's page: a program that answers with what only it can say.

Only a page with status 200 and the expected text is a program's answer; whatever else comes back
shows that the kernel lives. The page is read no further than until the text is found.
"""

import asyncio
from datetime import timedelta

import h11

from koboshi.adapters.probing.dial import dialled
from koboshi.adapters.probing.timed import within
from koboshi.domain.facts.cloud import ProbeAnswer

MAX_BODY_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 65536
OK = 200


class HttpProbe:
    """Implements `koboshi.ports.probe.Probe`."""

    def __init__(
        self, *, port: int, path: str, expect: str, timeout: timedelta = timedelta(seconds=1)
    ) -> None:
        self._port = port
        self._path = path
        self._expect = expect.encode()
        self._timeout = timeout

    @property
    def name(self) -> str:
        """Return what is asked, and on which port."""
        return f"http:{self._port}{self._path}"

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask once, connection and page within one time-out."""

        async def read(noted: list[ProbeAnswer]) -> ProbeAnswer:
            async with dialled(address, self._port) as sock:
                noted.append(ProbeAnswer.KERNEL)
                loop = asyncio.get_running_loop()
                connection = h11.Connection(h11.CLIENT)
                host = f"[{address}]" if ":" in address else address
                request = h11.Request(
                    method="GET",
                    target=self._path,
                    headers=[("Host", f"{host}:{self._port}"), ("Connection", "close")],
                )
                await loop.sock_sendall(sock, connection.send(request) or b"")
                connection.send(h11.EndOfMessage())
                page = _Page(self._expect)
                while not page.is_over:
                    event = connection.next_event()
                    if event is h11.NEED_DATA:
                        connection.receive_data(await loop.sock_recv(sock, CHUNK_BYTES))
                    else:
                        page.take(event)
                return ProbeAnswer.USERLAND if page.has_text else ProbeAnswer.KERNEL

        try:
            return await within(self._timeout, read)
        except h11.RemoteProtocolError:  # something answers there, and it is no web server
            return ProbeAnswer.KERNEL


class _Page:
    """What was read of the page, as far as it can hold the text."""

    def __init__(self, expect: bytes) -> None:
        self._expect = expect
        self._tail = b""
        self._read_bytes = 0
        self.has_text = False
        self.is_over = False

    def take(self, event: object) -> None:
        """Take the next piece."""
        match event:
            case h11.Response():
                self.is_over = event.status_code != OK
            case h11.Data():
                heard = self._tail + bytes(event.data)
                self.has_text = self._expect in heard
                self._read_bytes += len(event.data)
                self._tail = heard[-len(self._expect) :]
                self.is_over = self.has_text or self._read_bytes > MAX_BODY_BYTES
            case h11.InformationalResponse():
                pass
            case _:
                self.is_over = True
