"""The client, against servers that do not behave."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from koboshi.client import ApiClient, ApiError
from koboshi.domain.errors import DaemonUnreachable

Answering = Callable[[bytes], Path]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return what makes a server that answers every request with the same bytes."""
    folder = Path(tempfile.mkdtemp(prefix="koboshi-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "koboshi.sock"))
    listener.listen()
    listener.settimeout(10)
    threads: list[threading.Thread] = []

    def answer(raw: bytes) -> Path:
        def serve() -> None:
            for _ in range(2):  # the client looks first whether somebody listens
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(10)
                    if connection.recv(65536) and raw:
                        connection.sendall(raw)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return folder / "koboshi.sock"

    yield answer
    for thread in threads:
        thread.join(10)
    listener.close()
    shutil.rmtree(folder)


def http(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_the_daemons_own_error_is_passed_on(answering: Answering) -> None:
    path = answering(http("404 Not Found", b'{"error": "no incident \'x\'"}'))
    with ApiClient(path) as client, pytest.raises(ApiError, match="no incident 'x'"):
        client.incident("x")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"hosts": 3}'])
def test_an_answer_that_makes_no_sense(answering: Answering, body: bytes) -> None:
    path = answering(http("200 OK", body))
    with ApiClient(path) as client, pytest.raises(ApiError, match="does not understand"):
        client.status()


def test_a_closed_connection_hints_at_the_user(answering: Answering) -> None:
    path = answering(b"")
    with ApiClient(path) as client, pytest.raises(DaemonUnreachable, match="try sudo"):
        client.status()


def test_a_daemon_that_does_not_answer() -> None:
    folder = Path(tempfile.mkdtemp(prefix="koboshi-"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()
        with (
            ApiClient(folder / "s", answer_s=0.2) as client,
            pytest.raises(DaemonUnreachable, match="did not answer"),
        ):
            client.status()
    shutil.rmtree(folder)
