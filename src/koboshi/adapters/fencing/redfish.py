"""A host's BMC over Redfish: read the power, and switch it off.

Off is always forced: a graceful shutdown never ends on a host that hangs, and a restart or a cycle
would bring the host's servers up a second time.
"""

import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import anyio
import httpx2
from pydantic import SecretStr

from koboshi.adapters.fencing.tls import context_for
from koboshi.adapters.telemetry.redact import Redactor
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import Identity

LONGEST = timedelta(seconds=10)
"""The safety argument's bound on one call."""
MAX_ANSWER_BYTES = 1024 * 1024
SYSTEMS = "/redfish/v1/Systems"
OFF_TYPES = ("ForceOff", "PowerOff")
"""Ways to say *off at once*, the standard's first; a BMC's own list says which it takes."""
ON_TYPES = ("On", "ForceOn")
POWER = {"On": Power.ON, "Off": Power.OFF}
"""PoweringOn, PoweringOff, Paused and all else prove nothing."""
PLACEHOLDERS = frozenset(
    {
        "to be filled by o.e.m.",
        "default string",
        "not specified",
        "system serial number",
        "localhost",
    }
)
FEWEST_DIGITS = 2
"""All zeroes and all Fs are no name."""
OK, UNAUTHORISED, FORBIDDEN = 200, 401, 403
SUCCESSES, REDIRECTS = range(200, 300), range(300, 400)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcAccess:
    """How to reach one host's BMC."""

    host: str
    url: str
    username: str
    password: SecretStr
    system_id: str | None = None
    """None for a BMC with one system."""
    verify_tls: bool = True
    ca_file: Path | None = None
    fingerprint: str | None = None
    """The SHA-256 of the only certificate to trust, whoever signed it."""
    timeout: timedelta = LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reset:
    """How a BMC takes a command about the power."""

    target: str
    allowed: frozenset[str] | None = None
    """None when it does not say."""


class RedfishFence:
    """Implements `koboshi.ports.fence.Fence` for one host; close it when it is not needed."""

    def __init__(
        self, bmc: BmcAccess, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        # A name and password in the address would get into messages; they have fields of their own.
        self._root = httpx2.URL(bmc.url.rstrip("/")).copy_with(username=None, password=None)
        self._place = f"the BMC of {bmc.host} at {self._root}"
        self._timeout_s = min(bmc.timeout, LONGEST).total_seconds()
        self._path = f"{SYSTEMS}/{quote(bmc.system_id, safe='')}" if bmc.system_id else None
        self._reset: _Reset | None = None
        # What firmware says of a request may repeat it, and is journalled and told.
        self._redact = Redactor([bmc.password])
        # Basic, not a session: BMCs keep few sessions, and a crash would leak ours.
        self._client = httpx2.AsyncClient(
            auth=httpx2.BasicAuth(bmc.username, bmc.password.get_secret_value()),
            verify=context_for(
                verify=bmc.verify_tls,
                ca_file=bmc.ca_file,
                fingerprint=bmc.fingerprint,
            ),
            transport=transport,
            timeout=httpx2.Timeout(None),
            # BMCs drop idle connections as they please; a new one costs little and is sure.
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=0),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"RedfishFence({self._place})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def power_state(self) -> Power:
        """Read the power once, within the call's time-out."""
        with self._deadline():
            return await self._read_power()

    async def power_off(self) -> None:
        """Ask for *off* (hard, never a cycle); already off is success."""
        with self._deadline():
            await self._switch(OFF_TYPES, Power.OFF)

    async def power_on(self) -> None:
        """Ask for *on*; already on is success."""
        with self._deadline():
            await self._switch(ON_TYPES, Power.ON)

    async def identity(self) -> Identity:
        """Read what the BMC says it is."""
        with self._deadline():
            system = await self._read_system()
        return Identity(
            serial=_telling(system.get("UUID")) or _telling(system.get("SerialNumber")),
            host_name=_telling(system.get("HostName")),
        )

    async def _switch(self, ways: tuple[str, ...], wanted: Power) -> None:
        if self._reset is None:
            self._reset = self._reset_of(await self._read_system())
        reset = self._reset
        way = next((w for w in ways if reset.allowed is None or w in reset.allowed), None)
        if way is None:
            offered = ", ".join(sorted(reset.allowed or ()))
            raise FenceError(
                f"{self._place} offers {offered}, not {ways[0]}: it cannot switch this host {wanted}",
            )
        status, body = await self._send("POST", reset.target, {"ResetType": way})
        if status in SUCCESSES:
            return
        # What was learned of this BMC may be out of date (a new board, new firmware).
        self._reset = None
        # A host that is so already is refused by many BMCs, each in words of its own.
        if status not in {UNAUTHORISED, FORBIDDEN} and await self._read_power() is wanted:
            return
        raise self._refusal("POST", reset.target, status, body)

    @contextlib.contextmanager
    def _deadline(self) -> Generator[None]:
        try:
            with anyio.fail_after(self._timeout_s):
                yield
        except TimeoutError:
            raise FenceError(
                f"{self._place} did not answer within {self._timeout_s:g} s",
            ) from None

    async def _read_power(self) -> Power:
        system = await self._read_system()
        state = system.get("PowerState")
        return POWER.get(state, Power.UNKNOWN) if isinstance(state, str) else Power.UNKNOWN

    async def _read_system(self) -> Document:
        if self._path is None:
            self._path = await self._only_system()
        system = await self._get(self._path)
        if "PowerState" not in system and "Actions" not in system:
            raise FenceError(f"{self._place}: {self._path} is no computer system")
        return system

    async def _only_system(self) -> str:
        found = (await self._get(SYSTEMS)).get("Members")
        members = cast("list[Any]", found) if isinstance(found, list) else []
        paths = [
            str(cast("Document", member).get("@odata.id", ""))
            for member in members
            if isinstance(member, dict)
        ]
        if len(paths) != 1 or not paths[0]:
            ids = ", ".join(path.rstrip("/").rpartition("/")[2] for path in paths) or "none"
            raise FenceError(
                f"{self._place} has {len(paths)} systems ({ids}); set system_id to this host's",
            )
        return self._local(paths[0])

    def _reset_of(self, system: Document) -> _Reset:
        """Return where to send a reset, and which kinds of it the BMC takes."""
        standard = f"{self._path}/Actions/ComputerSystem.Reset"
        actions = system.get("Actions")
        action: Any = (
            cast("Document", actions).get("#ComputerSystem.Reset")
            if isinstance(actions, dict)
            else None
        )
        if not isinstance(action, dict):
            return _Reset(target=standard)
        described = cast("Document", action)
        listed = described.get("ResetType@Redfish.AllowableValues")
        allowed = (
            frozenset(map(str, cast("list[Any]", listed))) if isinstance(listed, list) else None
        )
        target = described.get("target")
        return _Reset(
            target=self._local(target) if isinstance(target, str) and target else standard,
            allowed=allowed,
        )

    def _local(self, target: str) -> str:
        """Refuse an address of another machine: it would get the password."""
        url = self._root.join(target)
        here = (self._root.scheme, self._root.host, self._root.port)
        if (url.scheme, url.host, url.port) != here:
            raise FenceError(f"{self._place} points to another machine: {target}")
        return target

    async def _get(self, path: str) -> Document:
        status, body = await self._send("GET", path)
        if status != OK:
            raise self._refusal("GET", path, status, body)
        try:
            document: Any = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise FenceError(
                f"{self._place}: GET {path} is answered with something that is no JSON"
            )
        return cast("Document", document)

    async def _send(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        content: dict[str, Any] = {} if body is None else {"json": body}
        try:
            async with self._client.stream(method, self._root.join(path), **content) as response:
                received = bytearray()
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > MAX_ANSWER_BYTES:
                        raise FenceError(f"{self._place}: {method} {path}: the answer has no end")
                told = bytes(received)
                if not response.is_success:
                    told = self._redact.in_bytes(told)
                return response.status_code, told
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            text = self._redact(" ".join(str(error).split()))[:300] or type(error).__name__
            raise FenceError(f"{self._place}: {method} {path}: {text}") from None

    def _refusal(self, method: str, path: str, status: int, body: bytes) -> FenceError:
        if status in {UNAUTHORISED, FORBIDDEN}:
            cure = "; check username and password, and that the user may switch power"
        elif status in REDIRECTS:
            cure = "; redirects are not followed: check url"
        else:
            cure = ""
        return FenceError(f"{self._place}: {method} {path}: HTTP {status} {_reason(body)}{cure}")


def _telling(value: object) -> str:
    """Return a name that tells one machine from another; placeholders of vendors do not."""
    text = value.strip() if isinstance(value, str) else ""
    digits = set(text.lower()) - set("-: ")
    return "" if len(digits) < FEWEST_DIGITS or text.lower() in PLACEHOLDERS else text


def _reason(body: bytes) -> str:
    """Return the message of a Redfish error, or whatever else was said."""
    text = body[:300].decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(body)["error"]["message"])
    return " ".join(text.split())[:300]
