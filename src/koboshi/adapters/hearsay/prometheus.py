"""Samples of hosts from Prometheus: alive only by a sample that is new, and never dead.

An instant query shows, at the time of the question, whatever was sampled in the last five minutes
(Prometheus's look-back): the value says nothing of its age. So `timestamp()` is asked for, of those
series whose value is above zero, in one query. Of anything but a plain selector it gives the time
of the question itself; such series tell no age, and are left out.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpx2
import msgspec
from pydantic import SecretStr

from koboshi.adapters.telemetry.redact import Redactor
from koboshi.domain.errors import CloudError, CloudUnavailable, InvalidAnswer, NotAuthorised
from koboshi.domain.facts.cloud import Sample
from koboshi.domain.names import HostName

MAX_ANSWER_BYTES = 32 * 1024 * 1024
OK = 200
REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAccess:
    """Which Prometheus, what it is asked, and how a series names its host."""

    url: str
    queries: Sequence[str]
    boot_times: str | None = None
    """The query whose values are the seconds at which hosts booted."""
    host_label: str = "instance"
    host_pattern: str = "{host}(:[0-9]+)?"
    username: str | None = None
    password: SecretStr | None = None
    """Or the bearer token, without a user."""
    ca_file: Path | None = None
    timeout: timedelta = timedelta(seconds=5)


class _Series(msgspec.Struct, frozen=True, gc=False):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True):
    resultType: str  # noqa: N815 - Prometheus's own name
    result: list[_Series] = msgspec.field(default_factory=list[_Series])


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""


@dataclass(slots=True)
class Understood:
    """What an answer holds."""

    samples: dict[HostName, Sample] = field(default_factory=dict[HostName, Sample])
    ageless: int = 0
    """Series whose age cannot be told."""
    nameless: int = 0
    """Series that name no host."""


class Prometheus:
    """Implements `koboshi.ports.witness.SampleReader`."""

    def __init__(
        self, access: PrometheusAccess, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._access = access
        before, _, behind = access.host_pattern.partition("{host}")
        self._pattern = re.compile(f"{before}(?P<host>[A-Za-z0-9._-]+?){behind}")
        secret = access.password.get_secret_value() if access.password else None
        # An error page may repeat the request, and what it says is logged.
        self._redact = Redactor([access.password] if access.password else [])
        headers = {"User-Agent": "koboshi"}
        if secret is not None and access.username is None:
            headers["Authorization"] = f"Bearer {secret}"
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(cafile=access.ca_file),
            auth=(access.username, secret) if access.username and secret else None,
            headers=headers,
            transport=transport,
            timeout=access.timeout.total_seconds(),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def samples(self) -> tuple[Sample, ...]:
        """Return the newest sample of each host that lived then. Raises CloudError."""
        return tuple((await self.understood()).samples.values())

    async def boot_times(self) -> Mapping[HostName, datetime]:
        """Return when each host last booted, of those that tell. Raises CloudError."""
        found = dict[HostName, datetime]()
        if self._access.boot_times is None:
            return found
        for series in await self._ask(self._access.boot_times):
            host, booted = self._host_of(series), _booted(series)
            if host is None or booted is None:
                continue
            found[host] = max(booted, found.get(host, booted))
        return found

    def _host_of(self, series: _Series) -> HostName | None:
        named = self._pattern.fullmatch(series.metric.get(self._access.host_label, ""))
        return None if named is None else HostName(named["host"])

    async def understood(self) -> Understood:
        """Return what all queries' answers hold. Raises CloudError."""
        found = Understood()
        for query in self._access.queries:
            answer = await self._ask(f"timestamp({query}) and ({query}) > 0")
            for series in answer:
                self._take(series, found)
        return found

    def _take(self, series: _Series, found: Understood) -> None:
        host = self._host_of(series)
        if host is None:
            found.nameless += 1
            return
        taken = _taken(series)
        if taken is None:
            found.ageless += 1
            return
        sample = Sample(host=host, stamp=taken[0], age=taken[1])
        known = found.samples.get(host)
        if known is None or known.stamp < sample.stamp:
            found.samples[host] = sample

    async def _ask(self, query: str) -> list[_Series]:
        url = f"{self._access.url}/api/v1/query"
        limit_s = self._access.timeout.total_seconds()
        try:
            with anyio.fail_after(limit_s):
                status, body = await self._exchange(url, query)
        except TimeoutError:
            raise CloudUnavailable(f"{url}: no answer within {limit_s:g} s") from None
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            said = self._redact(f"{type(error).__name__}: {error}")
            raise CloudUnavailable(f"{url}: {said}") from None
        return _parse(url, status, body if status == OK else self._redact.in_bytes(body))

    async def _exchange(self, url: str, query: str) -> tuple[int, bytes]:
        # A form, because the address of a request is kept in logs and has an end.
        async with self._client.stream("POST", url, data={"query": query}) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise InvalidAnswer(f"{url}: more than {MAX_ANSWER_BYTES >> 20} MiB")
            return response.status_code, bytes(body)


def _taken(series: _Series) -> tuple[datetime, timedelta] | None:
    """Return when the sample was taken, and its age; None where the series does not tell."""
    try:
        asked_s, stamp_s = series.value[0], float(series.value[1])
        if abs(asked_s - stamp_s) < 0.001:  # noqa: PLR2004 - Prometheus counts milliseconds
            return None
        return datetime.fromtimestamp(stamp_s, UTC), timedelta(seconds=asked_s - stamp_s)
    except (
        ValueError,
        OverflowError,
        OSError,
    ):  # NaN, infinite, no number, or no time of this world
        return None


def _booted(series: _Series) -> datetime | None:
    """Return the time that a series' value is; None where it is none."""
    try:
        return datetime.fromtimestamp(float(series.value[1]), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _parse(url: str, status: int, body: bytes) -> list[_Series]:
    if status in REFUSED:
        raise NotAuthorised(
            f"{url}: HTTP {status}; mend username, password or the token in [prometheus]"
        )
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError as error:
        raise _unusable(url, status, str(error)) from None
    if status != OK or answer.status != "success" or answer.data is None:
        raise _unusable(url, status, answer.error or "no data")
    if answer.data.resultType != "vector":
        raise _unusable(url, status, f"a {answer.data.resultType}, where a vector was asked for")
    return answer.data.result


def _unusable(url: str, status: int, what: str) -> CloudError:
    return InvalidAnswer(f"{url}: HTTP {status}: {what[:300]}; mend queries in [prometheus]")
