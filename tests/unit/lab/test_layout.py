"""Where things are: names that two checkouts do not share, addresses that do not collide."""

from pathlib import Path

import pytest

from lab import layout, network
from lab.layout import Layout

UNIX_SOCKET_PATH_MAX = 107
INTERFACE_NAME_MAX = 15


def test_two_checkouts_share_no_name_outside_themselves() -> None:
    one, other = Layout(Path("/home/a/koboshi")), Layout(Path("/home/b/koboshi"))

    assert one.namespace_prefix != other.namespace_prefix
    assert one.sockets != other.sockets


def test_two_labs_of_a_checkout_share_no_name_and_start_from_the_same_seed() -> None:
    first, *others = (Layout(Path("/x"), number) for number in range(1, layout.MAX_LABS + 1))

    assert {first.run, first.cache} == {Path("/x/lab/run"), Path("/x/.cache/lab")}
    for other in others:
        assert other.namespace_prefix != first.namespace_prefix
        assert not other.run.is_relative_to(first.run)
        assert {other.sockets, other.run, other.lock}.isdisjoint(
            {first.sockets, first.run, first.lock}
        )
        assert (other.cache, other.common_lock) == (first.cache, first.common_lock)


def test_which_lab_is_meant_is_said_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(layout.NUMBER, raising=False)
    assert layout.here().number == 1
    monkeypatch.setenv(layout.NUMBER, "3")
    assert layout.here().number == 3
    assert layout.here(2).number == 2


def test_the_same_checkout_always_has_the_same_names() -> None:
    assert Layout(Path("/x")).control_ns == Layout(Path("/x")).control_ns


def test_a_deep_checkout_keeps_its_sockets_short() -> None:
    deep = Layout(Path("/" + "very-long-folder-name/" * 20))

    assert len(str(deep.sockets / "zygote.sock.new")) <= UNIX_SOCKET_PATH_MAX


def test_no_address_is_given_twice() -> None:
    hosts = layout.host_names(layout.MAX_HOSTS)
    addresses = [layout.CONTROL_IP, layout.CONTROL_STORAGE_IP]
    addresses += [layout.STATION_IP, layout.STATION_STORAGE_IP]
    for of_host in (layout.host_ip, layout.storage_ip, layout.bmc_ip):
        addresses += [of_host(h) for h in hosts]
    cards = [layout.BMC_MAC]
    for of_host in (layout.host_mac, layout.storage_mac):
        cards += [of_host(h) for h in hosts]

    assert len(set(addresses)) == len(addresses)
    assert len(set(cards)) == len(cards)


def test_four_hosts_stand_in_a_rack() -> None:
    assert layout.racks(layout.host_names(9)) == ["rack1", "rack2", "rack3"]
    assert [layout.rack(f"cmp{n}") for n in (1, 4, 5)] == ["rack1", "rack1", "rack2"]


def test_a_host_is_a_legal_name_for_its_port_on_the_bridge() -> None:
    hosts = layout.host_names(layout.MAX_HOSTS)
    ports = [*map(network.storage_port, hosts), *(f"{rack}-down" for rack in layout.racks(hosts))]
    assert all(len(name) <= INTERFACE_NAME_MAX for name in [*hosts, *ports])


def test_a_system_keeps_its_id_and_shares_it_with_none() -> None:
    ids = [layout.system_id(h) for h in layout.host_names(4)]

    assert len(set(ids)) == 4
    assert ids[0] == layout.system_id("cmp1")
