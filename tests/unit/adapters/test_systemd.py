"""What systemd is told."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from koboshi.adapters.systemd import ServiceManager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket as systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        yield listening


def test_each_word_is_one_datagram(listener: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(listener.getsockname())})
    assert manager.is_present
    manager.ready()
    manager.alive()
    manager.status("recovering host-1:\n 3 of 12 servers")
    manager.stopping()
    assert [listener.recv(200) for _ in range(4)] == [
        b"READY=1",
        b"WATCHDOG=1",
        b"STATUS=recovering host-1: 3 of 12 servers",
        b"STOPPING=1",
    ]


def test_an_abstract_socket_is_understood() -> None:
    name = f"koboshi-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(2)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listening.recv(200) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234"])
def test_without_systemd_nothing_happens(address: str | None) -> None:
    environ = {"WATCHDOG_USEC": "1000000"}
    if address is not None:
        environ["NOTIFY_SOCKET"] = address
    manager = ServiceManager(environ)
    assert not manager.is_present
    assert manager.watchdog_timeout is None
    manager.ready()
    manager.stopping()


def test_a_systemd_that_is_gone_or_busy_stops_nothing(
    tmp_path: Path, listener: socket.socket
) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    busy = ServiceManager({"NOTIFY_SOCKET": str(listener.getsockname())})
    for _ in range(2_000):  # nobody reads: its queue is full long before
        busy.alive()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_us_or_for_nobody(
    variables: dict[str, str], expected: timedelta | None
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": "/run/notify", **variables})
    assert manager.watchdog_timeout == expected
