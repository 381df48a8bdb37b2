"""The signed webhook: what arrives, and what a bad receiver cannot do."""

import base64
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from koboshi.adapters.clock import SystemClock
from koboshi.adapters.notify.webhook import Delivery, WebhookNotifier
from koboshi.domain.errors import ConfigurationError
from koboshi.ports.notify import Notice, Notifier

pytestmark = pytest.mark.anyio
MakeNotice = Callable[..., Notice]
Lines = Callable[[], list[dict[str, Any]]]
KEY = "whsec_" + base64.b64encode(b"a signing key of 32 bytes, yes!!").decode()
URL = "https://hooks.example.org/services/T0KEN-IN-THE-PATH"
QUICK = Delivery(
    timeout=timedelta(milliseconds=80),
    attempts=3,
    first_wait=timedelta(milliseconds=5),
    longest_wait=timedelta(milliseconds=10),
    queue_length=4,
)


class Receiver(httpx2.AsyncBaseTransport):
    """A receiver that answers as told: a status, an exception, or nothing in time."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.bodies: list[str] = []
        self.is_reached = anyio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer by the next word of the script, 204 behind its end."""
        self.requests.append(request)
        self.bodies.append((await request.aread()).decode())
        self.is_reached.set()
        answer = self.answers.pop(0) if self.answers else 204
        if answer is None:
            await anyio.sleep_forever()
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer or 204)

    @property
    def ids(self) -> list[str]:
        """The notices that were received, by id, repetitions too."""
        return [request.headers["webhook-id"] for request in self.requests]


def notifier_to(receiver: httpx2.AsyncBaseTransport, **changes: Any) -> WebhookNotifier:
    """Return a notifier that sends to the receiver."""
    given: dict[str, Any] = {
        "url": SecretStr(URL),
        "secret": SecretStr(KEY),
        "source": "koboshi:test",
        "clock": SystemClock(),
        "delivery": QUICK,
        "transport": receiver,
    }
    return WebhookNotifier(**{**given, **changes})


@asynccontextmanager
async def running(notifier: WebhookNotifier) -> AsyncGenerator[None]:
    """Run it in a task that is cancelled at the end, as the daemon does."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.run)
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to set
            await anyio.sleep(0.002)


async def test_a_notice_arrives_signed(make_notice: MakeNotice, lines: Lines) -> None:
    receiver = Receiver()
    port: Notifier = (notifier := notifier_to(receiver))
    async with running(notifier):
        port.send(make_notice(summary="höst-1 is silent"))
        await until(lambda: len(receiver.requests) == 1)
    (request,), (body,) = receiver.requests, receiver.bodies
    assert str(request.url) == URL
    assert request.headers["content-type"] == "application/cloudevents+json"
    event = Webhook(KEY).verify(body, dict(request.headers))
    assert event == {
        "specversion": "1.0",
        "id": "n-1",
        "source": "koboshi:test",
        "type": "koboshi.incident_opened",
        "time": "2026-05-04T03:02:01.500000Z",
        "subject": "incident:i-1",
        "datacontenttype": "application/json",
        "data": {
            "kind": "incident_opened",
            "key": "incident:i-1",
            "severity": "critical",
            "summary": "höst-1 is silent",
            "host": "host-1",
            "incident": "i-1",
        },
    }
    assert notifier.dropped == 0
    assert lines() == []


@pytest.mark.parametrize(
    "answer", [500, 503, 429, 408, None, httpx2.ConnectError("no route"), httpx2.ReadError("cut")]
)
async def test_a_passing_failure_is_tried_again(
    make_notice: MakeNotice, answer: int | Exception | None
) -> None:
    receiver = Receiver(answer, answer)
    notifier = notifier_to(receiver)
    async with running(notifier):
        notifier.send(make_notice())
        await until(lambda: len(receiver.requests) == 3)
    assert receiver.ids == ["n-1"] * 3
    for request, body in zip(receiver.requests, receiver.bodies, strict=True):
        Webhook(KEY).verify(body, dict(request.headers))
    assert notifier.dropped == 0


@pytest.mark.parametrize("answer", [400, 401, 404, 410, 302])
async def test_a_lasting_refusal_is_not(make_notice: MakeNotice, lines: Lines, answer: int) -> None:
    receiver = Receiver(answer)
    drops: list[int] = []
    notifier = notifier_to(receiver, on_drop=lambda: drops.append(1))
    async with running(notifier):
        notifier.send(make_notice(id="n-1"))
        notifier.send(make_notice(id="n-2"))
        await until(lambda: len(receiver.requests) == 2)
    assert receiver.ids == ["n-1", "n-2"]
    assert notifier.dropped == len(drops) == 1
    (line,) = lines()
    assert (line["notice"], line["reason"]) == ("n-1", f"HTTP status {answer}")


async def test_tries_are_bounded(make_notice: MakeNotice) -> None:
    receiver = Receiver(500, 500, 500)
    notifier = notifier_to(receiver)
    async with running(notifier):
        notifier.send(make_notice())
        await until(lambda: notifier.dropped == 1)
    assert len(receiver.requests) == 3


async def test_a_full_queue_drops_the_oldest(make_notice: MakeNotice) -> None:
    receiver = Receiver()
    drops: list[int] = []
    notifier = notifier_to(receiver, on_drop=lambda: drops.append(1))
    for n in range(7):
        notifier.send(make_notice(id=f"n-{n}"))
    assert notifier.dropped == len(drops) == 3
    async with running(notifier):
        await until(lambda: len(receiver.requests) == 4)
    assert receiver.ids == ["n-3", "n-4", "n-5", "n-6"]


async def test_sending_never_waits_for_a_receiver_that_hangs(make_notice: MakeNotice) -> None:
    receiver = Receiver(*[None] * 50)
    notifier = notifier_to(receiver)
    async with running(notifier):
        notifier.send(make_notice())
        await receiver.is_reached.wait()
        start = time.perf_counter()
        for n in range(1_000):
            notifier.send(make_notice(id=f"n-{n}"))
        assert time.perf_counter() - start < 1
        receiver.answers.clear()
    assert receiver.ids[-1] == "n-999"


async def test_the_end_delivers_what_waits_and_what_was_under_way(
    make_notice: MakeNotice,
) -> None:
    receiver = Receiver(None)
    notifier = notifier_to(receiver, delivery=Delivery(timeout=timedelta(seconds=30)))
    async with running(notifier):
        notifier.send(make_notice(id="n-1"))
        await receiver.is_reached.wait()
        notifier.send(make_notice(id="n-2"))
        notifier.send(make_notice(id="n-3"))
    assert receiver.ids == ["n-1", "n-1", "n-2", "n-3"]
    assert notifier.dropped == 0


async def test_the_end_does_not_wait_long(make_notice: MakeNotice, lines: Lines) -> None:
    receiver = Receiver(None, 500, None)
    notifier = notifier_to(receiver)
    with anyio.fail_after(2):
        async with running(notifier):
            notifier.send(make_notice(id="n-1"))
            await receiver.is_reached.wait()
            notifier.send(make_notice(id="n-2"))
    assert notifier.dropped == 2
    assert {line["notice"] for line in lines() if "notice" in line} == {"n-1", "n-2"}


async def test_an_unforeseen_error_costs_one_notice(make_notice: MakeNotice, lines: Lines) -> None:
    receiver = Receiver(RuntimeError("a bug in a library"))
    notifier = notifier_to(receiver)
    async with running(notifier):
        notifier.send(make_notice(id="n-1"))
        notifier.send(make_notice(id="n-\N{SNOWMAN}"))  # no HTTP header can carry it
        notifier.send(make_notice(id="n-3"))
        await until(lambda: "n-3" in receiver.ids)
    assert notifier.dropped == 2
    assert [line["reason"] for line in lines()] == ["RuntimeError", "UnicodeEncodeError"]


async def test_an_endless_answer_is_not_read(make_notice: MakeNotice) -> None:
    async def drip(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            served.set()
            try:
                while True:
                    await stream.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
                    await anyio.sleep(0.001)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                hung_up.set()

    served, hung_up = anyio.Event(), anyio.Event()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - a socket's, not Django's
    notifier = notifier_to(
        httpx2.AsyncHTTPTransport(),
        url=SecretStr(f"http://127.0.0.1:{port}/"),
        delivery=Delivery(timeout=timedelta(seconds=2)),
    )
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, drip)
        async with running(notifier):
            notifier.send(make_notice())
            with anyio.fail_after(5):
                await served.wait()
                await hung_up.wait()
        tasks.cancel_scope.cancel()
    assert notifier.dropped == 0


async def test_nothing_secret_is_told(
    make_notice: MakeNotice, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(500, httpx2.ConnectError(f"cannot reach {URL}"), 404)
    notifier = notifier_to(receiver)
    # The daemon's log leaves out each retry; what it would say is held to the same.
    with caplog.at_level(logging.WARNING, logger="stamina"):
        async with running(notifier):
            notifier.send(make_notice())
            await until(lambda: notifier.dropped == 1)
    told = json.dumps(lines()) + repr(notifier) + repr(vars(notifier)["_webhook"])
    assert "T0KEN" not in told
    assert KEY.removeprefix("whsec_") not in told
    assert len(lines()) >= 2


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64 at all!", "whsec_ß"])
def test_a_key_that_cannot_sign_is_refused_without_quoting_it(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="no signing key") as caught:
        notifier_to(Receiver(), secret=SecretStr(secret))
    assert "no base64" not in str(caught.value)
    assert caught.value.__cause__ is None
