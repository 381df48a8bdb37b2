"""Which host is our own machine."""

import socket

import pytest

from koboshi.adapters.ourselves import OurMachine, is_our_address
from koboshi.domain.names import HostName


def test_our_own_address_is_ours() -> None:
    assert is_our_address("127.0.0.1")


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77", "no address", ""])
def test_others_and_nonsense_are_not(address: str) -> None:
    assert not is_our_address(address)


def test_a_host_is_ours_by_pattern_name_or_address() -> None:
    ours = OurMachine(("ctl*",))
    assert ours.is_it(HostName("ctl1"), None)
    assert ours.is_it(HostName(socket.gethostname()), None)
    assert ours.is_it(HostName("other"), "127.0.0.1")
    assert not ours.is_it(HostName("other"), "192.0.2.77")
