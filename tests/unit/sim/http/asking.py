"""Asking the face in memory and in virtual time, as a client with a token does."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2

from koboshi.domain.facts.cloud import Server
from koboshi.sim.http import ADMIN, Face, User
from koboshi.sim.http.memory import URL, MemoryTransport
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host
from koboshi.sim.world import World

NOVA = "/compute/v2.1"


class Asker:
    """A user's client of every service."""

    def __init__(self, face: Face, client: httpx2.AsyncClient) -> None:
        self.face = face
        self.world = face.world
        self.cloud = face.world.cloud
        self.client = client
        self.token = ""

    async def log_in(self, user: User = ADMIN) -> httpx2.Response:
        """Get a token with a password, and use it from now on."""
        answer = await self.client.post("/identity/v3/auth/tokens", json=password(user))
        self.token = answer.headers.get("x-subject-token", "")
        return answer

    async def ask(
        self, method: str, path: str, version: str | None = None, **more: Any
    ) -> httpx2.Response:
        """Send a request with the token; `version` is `SERVICE X.Y`."""
        headers = {"X-Auth-Token": self.token, "Accept": "application/json"}
        if version is not None:
            headers["OpenStack-API-Version"] = version
        return await self.client.request(method, path, headers=headers, **more)

    async def nova(self, path: str, version: str = "2.72", **params: str) -> Any:
        """Return the document of a compute call."""
        answer = await self.ask("GET", NOVA + path, f"compute {version}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, server: str, body: object, version: str = "2.72") -> httpx2.Response:
        """Send one of a server's actions."""
        path = f"{NOVA}/servers/{server}/action"
        return await self.ask("POST", path, f"compute {version}", json=body)


def password(user: User, secret: str | None = None) -> object:
    """Return what a client sends for a token."""
    domain = {"name": "Default"}
    told = {"name": user.name, "domain": domain, "password": secret or user.password}
    identity = {"methods": ["password"], "password": {"user": told}}
    return {"auth": {"identity": identity, "scope": {"project": {"name": user.project}}}}


@asynccontextmanager
async def asked(
    servers: Sequence[Server] = (), *, hosts: int = 3, user: User = ADMIN
) -> AsyncGenerator[Asker]:
    """Give a client of a small cloud that runs."""
    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([host(n) for n in range(1, hosts + 1)])
        cloud.begin(tasks)
        for server in servers:
            cloud.add(server)
        face = Face(World.around(cloud))
        transport = MemoryTransport(face, tasks)
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            asker = Asker(face, client)
            await asker.log_in(user)
            yield asker
        tasks.cancel_scope.cancel()
