"""Services that repeat in their errors what they were told: as debugging proxies and firmware do."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from koboshi.sim.http import Face, User
from koboshi.sim.world import World

NOT_A_NUMBER = {"metric": {"instance": "compute1"}, "value": [1, "what is this"]}


class Blabbing(Face):
    """The simulated cloud, but for some paths that answer with whatever was asked."""

    def __init__(self, world: World, *, users: list[User], bmc_password: str) -> None:
        super().__init__(world, users=users, bmc_password=bmc_password)
        self.paths: set[str] = set()
        self.tokens: set[str] = set()
        """Every token that was shown to it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the cloud does, or with an echo."""
        headers = {k.decode().lower(): v.decode() for k, v in scope.get("headers", ())}
        if token := headers.get("x-auth-token"):
            self.tokens.add(token)
        if not any(part in str(scope.get("path", "")) for part in self.paths):
            await super().__call__(scope, receive, send)
            return
        body = (await receive()).get("body", b"").decode()
        said = f"cannot serve {headers} {_decoded(headers)} {body}"
        answer = json.dumps({"error": {"code": 500, "message": said}}).encode()
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 500, "headers": kind})
        await send({"type": "http.response.body", "body": answer})


@dataclass(slots=True)
class Heard:
    """What came to a small server."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])
    calls: int = 0


@asynccontextmanager
async def prometheus() -> AsyncGenerator[Heard]:
    """Serve one that refuses, echoes, and then sends what is no number: a traceback of ours."""
    heard = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await _request(reader)
        heard.calls += 1
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        said = f"told {headers} {_decoded({k.lower(): v for k, v in headers.items()})}"
        error = {"status": "error", "error": said}
        fine = {"status": "success", "data": {"resultType": "vector", "result": [NOT_A_NUMBER]}}
        status, body = ((401, error), (500, error), (200, fine))[min(heard.calls - 1, 2)]
        await _answer(writer, status, json.dumps(body).encode())

    async with _listening(serve, heard):
        yield heard


@asynccontextmanager
async def receiver() -> AsyncGenerator[Heard]:
    """Serve who takes notices, and refuses each third."""
    heard = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await _request(reader)
        heard.calls += 1
        heard.bodies.append(body)
        await _answer(writer, 400 if heard.calls % 3 == 2 else 204, head.encode())

    async with _listening(serve, heard):
        yield heard


@asynccontextmanager
async def _listening(serve: Any, heard: Heard) -> AsyncGenerator[None]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    heard.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line for line in head.splitlines() if line.lower().startswith("content-length:")]
    return head, await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)


async def _answer(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    body = b"" if status == 204 else body
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


def _decoded(headers: dict[str, str]) -> str:
    kind, _, said = headers.get("authorization", "").partition(" ")
    return base64.b64decode(said).decode() if kind == "Basic" else said
