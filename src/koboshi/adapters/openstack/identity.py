"""A valid token and the addresses of the services, from Keystone's plug-ins.

keystoneauth1 is synchronous, so it runs in a worker thread with a time-out (unless whoever composes
the program carries its requests otherwise); it is asked for tokens only. Reads renew a token long before it expires, so that a command, which may not wait once its
proof has been checked, nearly always finds a young one.
"""

import logging
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import anyio.to_thread
import requests
from keystoneauth1 import exceptions as ksa
from keystoneauth1.access import AccessInfo
from keystoneauth1.session import Session
from pydantic import SecretStr

from koboshi.adapters.openstack.access import Credentials
from koboshi.adapters.openstack.catalog import endpoint_of
from koboshi.adapters.telemetry.redact import Redactor
from koboshi.domain.errors import (
    CloudError,
    CloudUnavailable,
    ConfigurationError,
    InvalidAnswer,
    NotAuthorised,
)
from koboshi.domain.instant import Instant
from koboshi.ports.clock import Clock

RENEW_AFTER = timedelta(minutes=10)
"""Nova uses a command's token on the destination, perhaps much later: it should be young."""
RENEW_WITHIN_S = 4.0
"""A read that has a valid token waits no longer for a younger one."""
MARGIN = timedelta(minutes=2)
"""A token this near its end is no longer used."""
ASSUMED_LIFE = timedelta(minutes=5)
"""For a Keystone that does not tell."""
PAUSE = timedelta(seconds=30)
"""After a refusal or a failed renewal: repeated wrong passwords lock an account."""


# Its warnings go where the program's log goes; without one they must not litter stderr.
logging.getLogger("keystoneauth").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token, what it is for, and when it came."""

    token: SecretStr
    access: AccessInfo = field(repr=False)
    since: Instant
    good_for: timedelta
    endpoints: dict[str, str] = field(default_factory=dict[str, str])
    """Those already looked up."""


class InThreads:
    """Makes keystoneauth1's requests in worker threads; cancelled, one is left to itself."""

    def __init__(self) -> None:
        # Threads of its own: an abandoned request keeps one for as long as it hangs.
        self._limiter = anyio.CapacityLimiter(4)

    async def __call__(self, fetch: Callable[[], AccessInfo]) -> AccessInfo:
        """Return what `fetch` returns, or raise what it raises."""
        return await anyio.to_thread.run_sync(fetch, abandon_on_cancel=True, limiter=self._limiter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """How keystoneauth1's synchronous requests are made, and reach Keystone."""

    run: Callable[[Callable[[], AccessInfo]], Awaitable[AccessInfo]] = field(
        default_factory=InThreads
    )
    session: requests.Session | None = None
    """None: keystoneauth1's own, on the network."""


class Identity:
    """One user's tokens, renewed before they expire."""

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        *,
        timeout_s: float = 15,
        carrier: Carrier | None = None,
    ) -> None:
        carrier = carrier or Carrier()
        self._run = carrier.run
        self._credentials = credentials
        self._clock = clock
        self._redact = Redactor(credentials.secrets)
        self._timeout_s = timeout_s
        self._held: Grant | None = None
        self._refused: tuple[Instant, str] | None = None
        self._renewal_failed: Instant | None = None
        self._lock = anyio.Lock()
        # No redirects: the password would be sent along.
        self._session = Session(
            verify=credentials.verify,
            cert=credentials.client_cert,  # pyright: ignore[reportArgumentType] - requests takes (file, None)
            timeout=timeout_s / 2,
            redirect=False,
            app_name="koboshi",
            session=carrier.session,
        )

    @property
    def label(self) -> str:
        """Return the cloud's name and where it is written."""
        return self._credentials.label

    def redacted(self, body: bytes, grant: Grant) -> bytes:
        """Return what a service says without the secrets that it was shown, should it repeat them."""
        return self._redact.in_bytes(Redactor([grant.token]).in_bytes(body))

    async def grant(self, *, renew: bool) -> Grant:
        """Return a valid token; `renew` allows waiting for a younger one.

        Raises CloudUnavailable, NotAuthorised, InvalidAnswer or ConfigurationError.
        """
        held = self._valid()
        if held is not None and (not renew or self._lock.locked() or not self._is_due(held)):
            return held
        async with self._lock:
            held = self._valid()
            if held is None:
                return await self._authenticate()
            if not self._is_due(held):
                return held
            try:
                return await self._authenticate(at_most_s=RENEW_WITHIN_S)
            except (CloudError, ConfigurationError):
                self._renewal_failed = self._clock.now()
                return held

    async def replace(self, rejected: Grant) -> Grant:
        """Return another token than this one, which a service has just refused."""
        async with self._lock:
            if self._held is rejected:
                self._held = None
            return self._valid() or await self._authenticate()

    def endpoint(self, service: str, grant: Grant) -> str:
        """Return the service's address. Raises ConfigurationError when there is none."""
        if service not in grant.endpoints:
            grant.endpoints[service] = endpoint_of(service, self._credentials, grant.access)
        return grant.endpoints[service]

    def _valid(self) -> Grant | None:
        held = self._held
        if held is None or self._clock.now().since(held.since) >= held.good_for:
            return None
        return held

    def _is_due(self, held: Grant) -> bool:
        now = self._clock.now()
        if self._renewal_failed is not None and now.since(self._renewal_failed) < PAUSE:
            return False
        return now.since(held.since) >= min(RENEW_AFTER, held.good_for / 2)

    async def _authenticate(self, at_most_s: float = math.inf) -> Grant:
        started = self._clock.now()
        limit_s = min(self._timeout_s, at_most_s)
        if self._refused is not None and started.since(self._refused[0]) < PAUSE:
            raise NotAuthorised(self._refused[1])
        try:
            with anyio.fail_after(limit_s):
                access = await self._run(self._fetch)
        except TimeoutError:
            raise CloudUnavailable(
                f"Keystone at {self._credentials.auth_url} did not answer within {limit_s:g} s",
            ) from None
        except NotAuthorised as refusal:
            self._refused = (self._clock.now(), str(refusal))
            raise
        self._refused = self._renewal_failed = None
        self._held = Grant(
            token=SecretStr(access.auth_token or ""),
            access=access,
            since=started,
            good_for=_life(access) - MARGIN,
        )
        return self._held

    def _fetch(self) -> AccessInfo:
        where = f"Keystone at {self._credentials.auth_url}"
        try:
            access = self._credentials.plugin.get_auth_ref(self._session)
        except (ksa.Unauthorized, ksa.Forbidden) as error:
            raise NotAuthorised(
                f"{where} refuses the credentials of {self.label} (HTTP {error.http_status}); "
                "check the user's name, domain and password (or the application credential's id "
                "and secret), and the project",
            ) from None
        except (ksa.AuthPluginException, ksa.MissingAuthMethods) as error:
            raise ConfigurationError(f"{self.label}: {self._redact(str(error))}") from None
        except ksa.SSLError:
            raise CloudUnavailable(
                f"{where}: its certificate is not trusted, or it speaks no TLS; check auth_url, "
                f"and set cacert for {self.label}",
            ) from None
        except (ksa.InvalidResponse, ksa.NotFound, AttributeError, KeyError, TypeError, ValueError):
            raise InvalidAnswer(
                f"{where} does not answer as a Keystone does; check auth_url of {self.label} (it "
                "mostly ends in /v3; redirects are not followed)",
            ) from None
        except ksa.DiscoveryFailure as error:
            raise CloudUnavailable(
                f"{where}: no identity API found there: {self._heart(error)}; check auth_url of "
                f"{self.label}",
            ) from None
        except ksa.ClientException as error:
            raise CloudUnavailable(
                f"{where} does not serve us: {self._heart(error)}; check auth_url of {self.label}",
            ) from None
        if not access.auth_token:
            raise InvalidAnswer(f"{where} gave no token")
        return access

    def _heart(self, error: Exception) -> str:
        """Return the heart of a message that requests wraps into three others."""
        text = self._redact(" ".join(str(error).split()))
        heart = re.search(r"\[Errno -?\d+\] [^'\")]+|timed out", text)
        return heart[0] if heart else text[:300] or type(error).__name__


def _life(access: AccessInfo) -> timedelta:
    # Both by Keystone's clock: ours may be wrong.
    if access.expires is None or access.issued is None:
        return ASSUMED_LIFE
    return max(access.expires - access.issued, MARGIN * 1.5)
