"""One request, one answer: time-outs, bounds, and whether anything can have been sent.

Redirects are never followed, and addresses come only from the catalog, so that the token reaches
nobody else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import httpx2

from koboshi.adapters.openstack.health import HealthRecord
from koboshi.adapters.openstack.identity import Grant, Identity
from koboshi.ports.clock import Clock

MAX_ANSWER_BYTES = 64 * 1024 * 1024

Service = Literal["compute", "placement", "image", "volumev3", "network", "identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long things may take, in seconds."""

    connect_s: float = 5
    read_s: float = 10
    """One try of a read."""
    read_total_s: float = 20
    """A read with its retries."""
    services_s: float = 75
    """`GET /os-services`: Nova itself waits 60 s for a cell that hangs, and then names it."""
    listing_s: float = 300
    """All pages of one list."""
    diagnostics_s: float = 5
    command_s: float = 30
    identity_s: float = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, fixed to a microversion."""

    service: Service
    method: str
    path: str
    microversion: str | None = None
    params: Mapping[str, str | tuple[str, ...]] = field(
        default_factory=dict[str, str | tuple[str, ...]],
    )
    json: object = None
    root: bool = False
    """Whether this is the version document, which no project's address has."""

    @property
    def label(self) -> str:
        """Return how messages name the call."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    request: Request
    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def is_html(self) -> bool:
        """Return whether this is a page for people: a proxy's, not the service's."""
        kind = self.headers.get("content-type", "")
        return "html" in kind or self.body.lstrip()[:1] == b"<"


class NoAnswer(Exception):
    """No (whole) answer came; stays within this package."""

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        super().__init__(message)
        self.never_sent = never_sent
        """Whether it is certain that the service saw nothing of the request."""


class EndlessAnswer(NoAnswer):
    """More came than any list can be; asking again would bring as much."""


BESIDE_NOVA = frozenset({"volumev3", "image"})
"""Services that may be gone while Nova is well: whose word is wanted of them waits, and nobody else."""


class Wire:
    """The HTTP client of all services."""

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        client: httpx2.AsyncClient,
        health: HealthRecord,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._client = client
        self._health = health

    async def send(
        self,
        request: Request,
        grant: Grant,
        *,
        timeout_s: float,
        counted: bool = True,
    ) -> Answer:
        """Send once and return the answer, whatever its status. Raises NoAnswer."""
        started = self._clock.now()
        answered = False
        try:
            with anyio.fail_after(timeout_s):
                answer = await self._exchange(request, grant)
            answered = answer.status < httpx2.codes.INTERNAL_SERVER_ERROR
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NoAnswer(_describe(error), never_sent=True) from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise NoAnswer(_describe(error), never_sent=True) from None
        except TimeoutError:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise NoAnswer(_describe(error)) from None
        finally:
            if counted:
                self._health.note(
                    started, answered=answered, tells_of_nova=request.service not in BESIDE_NOVA
                )
        return answer

    async def _exchange(self, request: Request, grant: Grant) -> Answer:
        url = _root(request.service, self._identity.endpoint(request.service, grant))
        if request.root:
            url = re.sub(r"(/v2\.\d+)/.*$", r"\1", url)
        headers = {"X-Auth-Token": grant.token.get_secret_value(), "Accept": "application/json"}
        if request.microversion is not None:
            headers["OpenStack-API-Version"] = f"{request.service} {request.microversion}"
        content: dict[str, Any] = {} if request.json is None else {"json": request.json}
        async with self._client.stream(
            request.method,
            url + request.path,
            params=dict(request.params) or None,
            headers=headers,
            follow_redirects=False,
            **content,
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise EndlessAnswer(f"an answer of more than {MAX_ANSWER_BYTES >> 20} MiB")
            told = bytes(body)
            if not response.is_success:  # its reason is journalled and told
                told = self._identity.redacted(told, grant)
            return Answer(
                request=request,
                status=response.status_code,
                headers=response.headers,
                body=told,
            )


def new_client(
    *,
    verify: Any,
    limits: TimeLimits,
    transport: httpx2.AsyncBaseTransport | None = None,
    keep_alive: bool = True,
) -> httpx2.AsyncClient:
    """Return a client; commands take one without keep-alive.

    A kept connection that the server closes at the wrong moment makes the outcome of a command
    unknown, where a new one either connects or certainly sends nothing.
    """
    return httpx2.AsyncClient(
        verify=verify,
        transport=transport,
        timeout=httpx2.Timeout(None, connect=limits.connect_s, pool=limits.connect_s),
        limits=httpx2.Limits(
            max_connections=32,
            max_keepalive_connections=16 if keep_alive else 0,
            keepalive_expiry=5,
        ),
        headers={"User-Agent": "koboshi", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


def _root(service: Service, endpoint: str) -> str:
    """Return the address that the paths hang on, as catalogs write it in several ways."""
    if service == "compute":
        versioned = re.search(r"/v2(\.\d+)?(/|$)", endpoint)
        return re.sub(r"/v2(?=/|$)", "/v2.1", endpoint) if versioned else f"{endpoint}/v2.1"
    if service == "network":
        return re.sub(r"/v2\.0$", "", endpoint)
    if service == "identity":
        return re.sub(r"/v(3|2\.0)$", "", endpoint)
    if service == "image":
        return endpoint if re.search(r"/v2(\.\d+)?$", endpoint) else f"{endpoint}/v2"
    return endpoint


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
