"""Notices by a signed POST (Standard Webhooks), sent beside the recovery and never before it.

The receiver may be slow, gone or hostile: the queue is bounded, each try has a time-out, the answer
is not read beyond its status, and nothing here raises into who sends a notice. The URL may hold a
token of the receiver's, so neither it nor the key is ever logged.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import floor

import anyio
import httpx2
import stamina
import structlog
from pydantic import SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from koboshi.adapters.notify.cloudevent import CONTENT_TYPE, cloud_event
from koboshi.domain.errors import ConfigurationError
from koboshi.ports.clock import Clock
from koboshi.ports.notify import Notice

FLUSH_TIMEOUT = timedelta(seconds=5)
"""What the end of the daemon may wait for notices: less than systemd waits before it kills."""

_PASSING = frozenset({408, 425, 429})
"""Refusals that time may mend; any other 4xx will be the same the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The bounds of delivering."""

    timeout: timedelta = timedelta(seconds=5)
    """Of one try."""
    attempts: int = 5
    first_wait: timedelta = timedelta(seconds=1)
    """Between the first two tries, and the most that chance adds to any wait."""
    longest_wait: timedelta = timedelta(seconds=15)
    queue_length: int = 256
    """Notices that wait: more than the largest storm the brake lets through, and little memory."""


class _NotTakenError(Exception):
    """The receiver did not take the notice; `is_passing` tells whether to try again."""

    def __init__(self, reason: str, *, is_passing: bool) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _NotTakenError) and error.is_passing


_DEFAULT = Delivery()


class WebhookNotifier:
    """Implements ports.notify.Notifier; `run` delivers, in a task of its own."""

    def __init__(
        self,
        *,
        url: SecretStr,
        secret: SecretStr,
        source: str,
        clock: Clock,
        on_drop: Callable[[], None] = lambda: None,
        delivery: Delivery = _DEFAULT,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            self._webhook = Webhook(secret.get_secret_value())
        except (ValueError, EmptyWebhookSecretError):
            # Without its cause, which may quote the key.
            raise ConfigurationError(
                "the webhook's secret is no signing key: write whsec_ and base64 "
                "(make one with: echo whsec_$(openssl rand -base64 32))",
            ) from None
        try:
            self._client = httpx2.AsyncClient(
                timeout=delivery.timeout.total_seconds(), transport=transport
            )
        except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
            raise ConfigurationError(
                f"the webhook's HTTP client cannot start ({type(error).__name__}): look at the "
                f"proxy and certificate variables of the environment (HTTPS_PROXY, SSL_CERT_FILE)",
            ) from None
        self._url, self._source, self._clock = url, source, clock
        self._on_drop, self._delivery = on_drop, delivery
        self._queue: deque[Notice] = deque()
        self._current: Notice | None = None
        self._filled = anyio.Event()
        self._log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)
        self.dropped = 0
        """Notices that did not arrive: pushed out of a full queue, refused, or left at the end."""

    def send(self, notice: Notice) -> None:
        """Queue the notice and return at once; a full queue drops the oldest, and counts it."""
        if len(self._queue) >= self._delivery.queue_length:
            self._drop(self._queue.popleft(), "the queue is full")
        self._queue.append(notice)
        self._filled.set()

    async def run(self) -> None:
        """Deliver until cancelled; then give what still waits one try each, 5 s in all."""
        async with self._client:
            try:
                while True:
                    await self._filled.wait()
                    await self._deliver_all(self._delivery.attempts)
                    self._filled = anyio.Event()
            finally:
                with anyio.move_on_after(FLUSH_TIMEOUT.total_seconds(), shield=True):
                    await self._deliver_all(1)
                self._give_up()

    async def _deliver_all(self, attempts: int) -> None:
        # What is under way stays in `_current`: a cancelled try is repeated by the flush, and the
        # receiver knows a repetition by its webhook-id.
        while self._current is not None or self._queue:
            notice = self._current = self._current or self._queue.popleft()
            try:
                await self._deliver(notice, attempts)
            except _NotTakenError as error:
                self._drop(notice, str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next notice is sent
                self._drop(notice, type(error).__name__)
            self._current = None

    async def _deliver(self, notice: Notice, attempts: int) -> None:
        body = cloud_event(notice, source=self._source)
        async for attempt in stamina.retry_context(
            on=_may_pass,
            attempts=attempts,
            timeout=None,  # bounded by the number of attempts and the time-out of each
            wait_initial=self._delivery.first_wait,
            wait_max=self._delivery.longest_wait,
            wait_jitter=self._delivery.first_wait,
        ):
            with attempt:
                await self._post(notice.id, body)

    async def _post(self, notice_id: str, body: str) -> None:
        at = self._clock.now().wall
        headers = {
            "content-type": CONTENT_TYPE,
            "webhook-id": notice_id,
            "webhook-timestamp": str(floor(at.timestamp())),
            "webhook-signature": self._webhook.sign(notice_id, at, body),
        }
        try:
            # The client's own time-out counts anew with each byte of a dripping answer.
            with anyio.fail_after(self._delivery.timeout.total_seconds()):
                async with self._client.stream(
                    "POST", self._url.get_secret_value(), content=body.encode(), headers=headers
                ) as response:
                    status = response.status_code
        except TimeoutError:
            raise _NotTakenError("no answer in time", is_passing=True) from None
        except httpx2.TransportError as error:
            raise _NotTakenError(type(error).__name__, is_passing=True) from None
        if not httpx2.codes.is_success(status):
            passing = status in _PASSING or httpx2.codes.is_server_error(status)
            raise _NotTakenError(f"HTTP status {status}", is_passing=passing)

    def _drop(self, notice: Notice, reason: str) -> None:
        self.dropped += 1
        self._on_drop()
        self._log.warning(
            "a notice did not reach the webhook; it is in the log and the journal",
            notice=notice.id,
            kind=notice.kind,
            reason=reason,
        )

    def _give_up(self) -> None:
        left = [one for one in (self._current, *self._queue) if one is not None]
        self._current = None
        self._queue.clear()
        for notice in left:
            self._drop(notice, "no time was left at the end")
