"""Notices reach a webhook, signed, and never delay a recovery; health and metrics are served."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from standardwebhooks import Webhook

from lab import Lab
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot

HOST = "cmp3"
SECRET = "whsec_" + "a29ib3NoaS1rb2Jvc2hpLWtvYm9zaGkta29ib3NoaQ=="


class Receiver:
    """A webhook's receiver in the control plane's namespace; it may be told to hang."""

    def __init__(self, lab: Lab) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.hangs = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Takes what is posted."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.hangs:
                    time.sleep(60)
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the standard library's name for it
                """Say nothing."""

        with lab.inside():
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/notices"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def receiver(lab: Lab) -> Iterator[Receiver]:
    """Return a receiver that serves."""
    with Receiver(lab) as receiver:
        yield receiver


def test_a_dead_host_is_told_signed_with_a_cloudevent(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, receiver: Receiver
) -> None:
    koboshi = make_koboshi(webhook={"url": receiver.url, "secret": SECRET})
    koboshi.start()
    servers = boot(lab, HOST, bfv=1)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    await_settled(koboshi)
    time.sleep(3)

    assert receiver.got
    events: list[dict[str, Any]] = []
    for headers, body in receiver.got:
        Webhook(SECRET).verify(body, headers)
        events.append(json.loads(body))
    assert all(event["specversion"] == "1.0" for event in events)
    assert any(HOST in json.dumps(event) for event in events)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got)
    Judge(lab, nova, servers).back(servers)


def test_a_receiver_that_hangs_delays_nothing(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, receiver: Receiver
) -> None:
    receiver.hangs = True
    koboshi = make_koboshi(webhook={"url": receiver.url, "secret": SECRET})
    koboshi.start()
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    began = time.monotonic()
    koboshi.wait_for(lambda h: h.command == "evacuate", 60)
    assert time.monotonic() - began < 25
    await_settled(koboshi)

    judge.back(servers)


def test_health_and_metrics_are_on_the_socket_and_on_the_port_that_was_asked_for(
    lab: Lab, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(http={"listen": "127.0.0.1:9777"})
    koboshi.start()

    metrics = koboshi.get("/metrics").text
    assert koboshi.get("/livez").status == koboshi.get("/readyz").status == 200
    assert "koboshi_" in metrics
    process = lab.popen(
        ["/usr/bin/python3", "-c", FETCH.format(url="http://127.0.0.1:9777/metrics")], stdout=-1
    )
    out, _ = process.communicate(timeout=30)
    assert b"koboshi_" in out


FETCH = "import urllib.request; print(urllib.request.urlopen('{url}', timeout=5).read().decode())"


def test_without_a_daemon_the_journal_is_read_and_that_is_said(
    lab: Lab, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi()
    koboshi.start()
    koboshi.stop()

    status = koboshi.run("status")
    incidents = koboshi.run("incident", "list", "-f", "json")

    assert status.code in {0, 3}, status
    assert "journal" in status.err + status.out
    assert incidents.json() == []
