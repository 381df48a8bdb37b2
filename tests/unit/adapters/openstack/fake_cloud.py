"""A cloud on loopback: a Keystone that works, and services that answer as a test wants."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from koboshi.adapters.openstack import CloudAccess, OpenStackCloud, TimeLimits, connect
from tests.unit.adapters.loopback import Behaviour, LoopbackServer, Reply, Seen
from tests.unit.adapters.stepped_clock import SteppedClock

PASSWORD = "xyzzy-secret"
QUICK = TimeLimits(
    connect_s=1,
    read_s=0.5,
    read_total_s=3,
    services_s=3,
    listing_s=5,
    diagnostics_s=0.5,
    command_s=0.5,
    identity_s=2,
)

Route = Callable[[Seen], Behaviour]


class SimCloud:
    """Routes by method and path; what has no route is a 404 of Nova's."""

    def __init__(self) -> None:
        self.server = LoopbackServer(self._handle)
        self.routes: dict[tuple[str, str], Route] = {}
        self.good_tokens: set[str] = set()
        self.issued = 0
        self.keystone: Route | None = None
        """Answers the requests for a token, if set."""
        self.regions: tuple[str, ...] = ("RegionOne",)
        self.types: tuple[str, ...] = ("compute", "placement", "image")
        self.life_s = 3600

    def on(self, method: str, path: str, *replies: Behaviour | Route) -> None:
        """Answer with these, one after the other; the last one again and again."""
        queue = list(replies)

        def route(seen: Seen) -> Behaviour:
            reply = queue.pop(0) if len(queue) > 1 else queue[0]
            return reply(seen) if callable(reply) else reply

        self.routes[method, path] = route

    def json(self, path: str, body: object) -> None:
        """Answer a GET with this document."""
        self.on("GET", path, Reply(body=body))

    def _handle(self, seen: Seen) -> Behaviour:
        if seen.path.startswith("/identity"):
            return self._identity(seen)
        if seen.headers.get("x-auth-token") not in self.good_tokens:
            return Reply(status=401, body={"error": {"message": "token", "code": 401}})
        route = self.routes.get((seen.method, seen.path))
        if route is None:
            return Reply(status=404, body={"itemNotFound": {"message": "none", "code": 404}})
        reply = route(seen)
        if isinstance(reply, Reply) and "openstack-api-version" in seen.headers:
            echo = {"OpenStack-API-Version": seen.headers["openstack-api-version"]}
            return Reply(
                status=reply.status,
                body=reply.body,
                headers=echo | reply.headers,
                cut=reply.cut,
            )
        return reply

    def _identity(self, seen: Seen) -> Behaviour:
        if seen.method == "GET":
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": f"{self.server.url}/identity/v3/"}],
            }
            return Reply(body={"version": version})
        if self.keystone is not None:
            return self.keystone(seen)
        secret = seen.json["auth"]["identity"]["password"]["user"]["password"]
        if secret != PASSWORD:
            return Reply(status=401, body={"error": {"message": "no", "code": 401}})
        self.issued += 1
        token = f"token-{self.issued}"
        self.good_tokens.add(token)
        return Reply(status=201, headers={"X-Subject-Token": token}, body=self._token())

    def _token(self) -> object:
        minutes = self.life_s // 60
        return {
            "token": {
                "methods": ["password"],
                "issued_at": "2020-01-01T00:00:00.000000Z",
                "expires_at": f"2020-01-01T{minutes // 60:02}:{minutes % 60:02}:00.000000Z",
                "user": {"id": "u", "name": "koboshi", "domain": {"id": "d", "name": "Default"}},
                "project": {"id": "p", "name": "ops", "domain": {"id": "d", "name": "Default"}},
                "roles": [{"id": "r", "name": "admin"}],
                "catalog": [self._service(kind) for kind in self.types],
            }
        }

    def _service(self, kind: str) -> object:
        path = "/compute/v2.1" if kind == "compute" else f"/{kind}"
        endpoints = [
            {
                "id": region,
                "interface": interface,
                "region": region,
                "region_id": region,
                "url": self.server.url + path,
            }
            for region in self.regions
            for interface in ("public", "internal")
        ]
        return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}


def write_clouds(folder: Path, url: str, *, password: str = PASSWORD, **more: Any) -> Path:
    """Write a clouds.yaml with the cloud `test`."""
    cloud: dict[str, Any] = {
        "verify": False,  # it speaks plain HTTP; loading every CA for nothing takes long
        "auth": {
            "auth_url": f"{url}/identity/v3",
            "username": "koboshi",
            "password": password,
            "project_name": "ops",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"test": cloud | more}}))
    return path


@asynccontextmanager
async def connected(
    fake: SimCloud,
    folder: Path,
    *,
    clock: SteppedClock | None = None,
    limits: TimeLimits = QUICK,
    password: str = PASSWORD,
    region: str | None = None,
) -> AsyncGenerator[OpenStackCloud]:
    """Give the adapter, connected to the fake."""
    async with fake.server:
        path = write_clouds(folder, fake.server.url, password=password)
        access = CloudAccess(name="test", config_file=path, region=region)
        async with connect(access, clock=clock or SteppedClock(), limits=limits) as cloud:
            yield cloud
