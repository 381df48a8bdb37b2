"""Where things are: names that two checkouts do not share, addresses that do not collide."""

from pathlib import Path

from lab import layout
from lab.layout import Layout

UNIX_SOCKET_PATH_MAX = 107
INTERFACE_NAME_MAX = 15


def test_two_checkouts_share_no_name_outside_themselves() -> None:
    one, other = Layout(Path("/home/a/koboshi")), Layout(Path("/home/b/koboshi"))

    assert one.namespace_prefix != other.namespace_prefix
    assert one.sockets != other.sockets


def test_the_same_checkout_always_has_the_same_names() -> None:
    assert Layout(Path("/x")).control_ns == Layout(Path("/x")).control_ns


def test_a_deep_checkout_keeps_its_sockets_short() -> None:
    deep = Layout(Path("/" + "very-long-folder-name/" * 20))

    assert len(str(deep.sockets / "zygote.sock.new")) <= UNIX_SOCKET_PATH_MAX


def test_no_address_is_given_twice() -> None:
    hosts = layout.host_names(layout.MAX_HOSTS)
    addresses = [layout.CONTROL_IP]
    addresses += [layout.host_ip(h) for h in hosts] + [layout.bmc_ip(h) for h in hosts]

    assert len(set(addresses)) == 1 + 2 * layout.MAX_HOSTS
    assert len({layout.host_mac(h) for h in hosts} | {layout.BMC_MAC}) == 1 + layout.MAX_HOSTS


def test_a_host_is_a_legal_name_for_its_port_on_the_bridge() -> None:
    assert all(len(h) <= INTERFACE_NAME_MAX for h in layout.host_names(layout.MAX_HOSTS))


def test_a_system_keeps_its_id_and_shares_it_with_none() -> None:
    ids = [layout.system_id(h) for h in layout.host_names(4)]

    assert len(set(ids)) == 4
    assert ids[0] == layout.system_id("cmp1")
