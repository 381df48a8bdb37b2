"""The two clouds as the suite's steps see them: one HTTP client for both, and the physical levers.

A step may use nothing else. So whatever it records was asked and done in the same way on the
simulation and on the real OpenStack.
"""

import json
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import httpx2

Json = dict[str, Any]
TIMEOUT_S = 70.0
JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Kind(StrEnum):
    """Which disks a server has, by the lab's names of its layouts."""

    BFV = "bfv"
    IMAGE = "image"


class Lever(StrEnum):
    """What can befall a host, by the lab's names."""

    POWER = "power"
    PROCESS = "process"
    START = "start"


class Service(StrEnum):
    """A service of Nova that has no API: it can be stopped and started."""

    SCHEDULER = "nova-scheduler"
    CONDUCTOR = "nova-conductor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One server as one host has it, whatever Nova believes."""

    host: str
    running: bool
    local_disks: tuple[str, ...]
    """What the local disks hold, or their identifiers: others, once made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bmc:
    """Where a host's power device is, and how to speak to it."""

    url: str
    username: str
    password: str = field(repr=False)
    system_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `status` is None when nothing did in time."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str = ""

    @property
    def body(self) -> Any:
        """Return the JSON, or the bare text where it is none."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError:
            return self.text

    def __getitem__(self, key: str) -> Any:
        """Return a part of the body of an answer that must be good."""
        if self.status is None or self.status >= 300:
            raise AssertionError(f"{self.status}: {self.text[:300]}")
        return self.body[key]


class Side(Protocol):
    """One of the two clouds."""

    name: str
    auth_url: str
    username: str
    password: str
    project: str

    def inside(self) -> AbstractContextManager[None]:
        """Return where requests must be made from (a network namespace, or nothing special)."""
        ...

    def bmc(self, host: str) -> Bmc:
        """Return a host's power device."""
        ...

    def boot(self, host: str, kind: Kind, count: int) -> list[str]:
        """Create servers on a host; they are ACTIVE when this returns."""
        ...

    def pull(self, host: str, lever: Lever) -> None:
        """Let something befall a host; returns when it has, not when the cloud has noticed."""
        ...

    def spawns(self, host: str, *, fail: bool = False, take_s: float = 0.0) -> None:
        """Set how servers' starts on a host go from now on."""
        ...

    def stop_service(self, service: Service) -> None:
        """Stop a service."""
        ...

    def start_service(self, service: Service) -> None:
        """Start it again."""
        ...

    def truth(self, server: str) -> list[Entry]:
        """Return where a server is defined or has local disks, by the hosts' own account."""
        ...

    def told(self, what: str, server: str, since_s: float) -> list[tuple[float, Any]]:
        """Return each state of a server's row, or of its `records`, since a moment; [] if unknown."""
        ...

    def calm(self) -> None:
        """Bring every host back into service, and take every server away."""
        ...


class Api:
    """The one client of both: raw requests, found by Keystone's catalog."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._clients = threading.local()
        self._all: list[httpx2.Client] = []
        self.token, self.catalog = self._log_in()

    def _client(self) -> httpx2.Client:
        client = getattr(self._clients, "one", None)
        if client is None:
            client = self._clients.one = httpx2.Client(timeout=TIMEOUT_S, trust_env=False)
            self._all.append(client)
        return client

    def close(self) -> None:
        """Close every connection of every thread."""
        for client in self._all:
            client.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Send a request as it is."""
        with self.side.inside():
            try:
                got = self._client().request(
                    method,
                    url,
                    content=None if body is None else json.dumps(body).encode(),
                    headers=JSON_HEADERS | dict(headers or {}),
                    timeout=timeout_s,
                )
            except httpx2.TimeoutException:
                return Answer(status=None)
        return Answer(status=got.status_code, headers=dict(got.headers), text=got.text)

    def _log_in(self) -> tuple[str, Mapping[str, str]]:
        answer = self.authenticate(self.side.password)
        services = answer["token"]["catalog"]
        return answer.headers["x-subject-token"], {
            service["type"]: next(
                e["url"] for e in service["endpoints"] if e["interface"] == "public"
            ).rstrip("/")
            for service in services
        }

    def authenticate(self, password: str) -> Answer:
        """Ask Keystone for a token."""
        domain = {"id": "default"}
        user = {"name": self.side.username, "domain": domain, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": self.side.project, "domain": domain}}
        body = {"auth": {"identity": identity, "scope": scope}}
        return self.send("POST", f"{self.side.auth_url}/auth/tokens", body=body)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str | None = "2.94",
        service: str = "compute",
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Ask a service; `token` None sends none, and an empty one means our own."""
        sent = dict(headers or {})
        if token is not None:
            sent["X-Auth-Token"] = token or self.token
        if version is not None:
            sent["OpenStack-API-Version"] = f"{service} {version}"
        url = self.catalog[service] + path
        return self.send(method, url, body=body, headers=sent, timeout_s=timeout_s)

    def get(self, path: str, **options: Any) -> Answer:
        """Read."""
        return self.ask("GET", path, **options)

    def act(self, server: str, action: str, told: object = None, **options: Any) -> Answer:
        """Ask for one of a server's actions."""
        return self.ask("POST", f"/servers/{server}/action", {action: told}, **options)
