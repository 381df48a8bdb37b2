"""Network namespaces on bridges: the lab's switches and cables.

There are two networks that share no switch. Management: a core switch, and one for each rack of
four hosts below it. Storage: one switch. Koboshi may run on a station of its own, whose uplink
can be pulled without touching the cloud.

The bridges stand in a namespace of their own, so that nothing at all is created in the machine's
own namespace. A host's cables end there too, and are cut there: what a dying host's kernel still
wants to say (FIN, RST) then reaches nobody, as when the power is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab import layout as names
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Generator

    from lab.layout import Layout

CLONE_NEWNET = 0x40000000
CORE = "br0"
STORAGE = "storage"
STATION = "station"
_NETNS = Path("/run/netns")
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*args: str) -> str:
    """Call the program ip; its words are the error's."""
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise LabError(f"ip {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def setns(namespace: str) -> None:
    """Move the calling thread into the network namespace (for good)."""
    try:
        fd = os.open(_NETNS / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"there is no namespace {namespace}: is the lab up? (make lab)") from None
    try:
        _setns_fd(fd, namespace)
    finally:
        os.close(fd)


def _setns_fd(fd: int, what: str) -> None:
    if _libc.setns(fd, CLONE_NEWNET):
        errno = ctypes.get_errno()
        raise LabError(f"cannot enter network namespace {what}: {os.strerror(errno)}; run as root")


@contextmanager
def inside(namespace: str) -> Generator[None]:
    """Run the block in the namespace; only the calling thread moves, and it comes back."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(namespace)
        try:
            yield
        finally:
            _setns_fd(back, "of the caller")
    finally:
        os.close(back)


def namespaces(lab: Layout) -> list[str]:
    """List the namespaces of this lab that exist."""
    if not _NETNS.is_dir():
        return []
    return sorted(p.name for p in _NETNS.iterdir() if p.name.startswith(lab.namespace_prefix))


def exists(namespace: str) -> bool:
    """Say whether there is such a namespace."""
    return (_NETNS / namespace).exists()


def inode(namespace: str) -> int | None:
    """Give the namespace's identity, as /proc/PID/ns/net shows it; None if it does not exist."""
    try:
        return (_NETNS / namespace).stat().st_ino
    except OSError:
        return None


def create_fabric(lab: Layout, hosts: list[str]) -> None:
    """Make the switches, and the namespaces of all that is no host. Hosts come with power."""
    ip("netns", "add", lab.bridge_ns)
    for switch in (CORE, STORAGE, *names.racks(hosts)):
        ip("-n", lab.bridge_ns, "link", "add", switch, "type", "bridge", "forward_delay", "0")
        ip("-n", lab.bridge_ns, "link", "set", switch, "up")
    for rack in names.racks(hosts):
        _uplink(lab, rack)
    _plug(lab, lab.control_ns, "control", "02:77:00:00:00:01", CORE)
    _address(lab.control_ns, names.CONTROL_IP)
    _plug(lab, lab.control_ns, "controls", "02:78:00:00:00:01", STORAGE, "eth1")
    _address(lab.control_ns, names.CONTROL_STORAGE_IP, "eth1")
    _plug(lab, lab.station_ns, STATION, "02:77:00:00:00:02", CORE)
    _address(lab.station_ns, names.STATION_IP)
    _plug(lab, lab.station_ns, "stations", "02:78:00:00:00:02", STORAGE, "eth1")
    _address(lab.station_ns, names.STATION_STORAGE_IP, "eth1")
    _plug(lab, lab.bmc_ns, "bmc", names.BMC_MAC, CORE)
    for host in hosts:
        _address(lab.bmc_ns, names.bmc_ip(host))
        # Fixed neighbours: who asks for a host without power hears nothing at all, instead of
        # the "no route to host" that only a client on the same segment would be told.
        for watcher in (lab.control_ns, lab.station_ns):
            _neighbour(watcher, names.host_ip(host), names.host_mac(host))
            _neighbour(watcher, names.bmc_ip(host), names.BMC_MAC)
            _neighbour(watcher, names.storage_ip(host), names.storage_mac(host), "eth1")


def create_host(lab: Layout, host: str) -> None:
    """Make a host's namespace with its two cables plugged in: management, storage."""
    namespace = lab.host_ns(host)
    _plug(lab, namespace, host, names.host_mac(host), names.rack(host))
    _address(namespace, names.host_ip(host))
    _plug(lab, namespace, storage_port(host), names.storage_mac(host), STORAGE, "eth1")
    _address(namespace, names.storage_ip(host), "eth1")


def storage_port(host: str) -> str:
    """Name the port of the storage switch that the host's second cable ends at."""
    return f"{host}s"


def switches(hosts: list[str]) -> list[str]:
    """Name what can be switched off as a whole: racks, the storage network, Koboshi's uplink."""
    return [*names.racks(hosts), STORAGE, STATION]


def set_switch(lab: Layout, name: str, *, on: bool) -> None:
    """Let a switch carry packets, or none; a rack's own hosts still reach each other."""
    port = f"{name}-up" if name.startswith("rack") else name
    ip("-n", lab.bridge_ns, "link", "set", port, "up" if on else "down")


def delete(namespace: str) -> None:
    """Delete the namespace if it is there."""
    if exists(namespace):
        ip("netns", "delete", namespace)


def delete_cables(lab: Layout, host: str) -> None:
    """Remove a host's cables, so that their names are free again at once."""
    for port in (host, storage_port(host)):
        subprocess.run(
            ["ip", "-n", lab.bridge_ns, "link", "delete", port],
            capture_output=True,
            check=False,
            timeout=30,
        )


def set_cable(lab: Layout, port: str, *, connected: bool) -> None:
    """Plug a host's cable in, or pull it."""
    ip("-n", lab.bridge_ns, "link", "set", port, "up" if connected else "down")


def port_up(lab: Layout, port: str) -> bool:
    """Say whether the port of a switch is up; a missing one is not."""
    try:
        links = json.loads(ip("-n", lab.bridge_ns, "-j", "link", "show", port))
    except LabError:
        return False
    return "UP" in links[0]["flags"]


def set_bmc_reachable(lab: Layout, host: str, *, reachable: bool) -> None:
    """Give the host's BMC its address, or take it away."""
    address = f"{names.bmc_ip(host)}/{names.PREFIX_LENGTH}"
    held = names.bmc_ip(host) in ip("-n", lab.bmc_ns, "-o", "address", "show", "dev", "eth0")
    if reachable != held:
        verb = "add" if reachable else "delete"
        ip("-n", lab.bmc_ns, "address", verb, address, "dev", "eth0")


def _uplink(lab: Layout, rack: str) -> None:
    """Join a rack's switch to the others by one cable."""
    ends = (f"{rack}-up", f"{rack}-down")
    ip("-n", lab.bridge_ns, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for port, switch in zip(ends, (CORE, rack), strict=True):
        ip("-n", lab.bridge_ns, "link", "set", port, "addrgenmode", "none", "master", switch, "up")


def _plug(
    lab: Layout, namespace: str, port: str, mac: str, switch: str, card: str = "eth0"
) -> None:
    if not exists(namespace):
        ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    link = ["link", "add", port, "type", "veth", "peer", "name", card, "netns", namespace]
    ip("-n", lab.bridge_ns, *link)
    ip("-n", namespace, "link", "set", card, "address", mac, "addrgenmode", "none", "up")
    ip("-n", lab.bridge_ns, "link", "set", port, "addrgenmode", "none", "master", switch, "up")


def _address(namespace: str, address: str, card: str = "eth0") -> None:
    ip("-n", namespace, "address", "add", f"{address}/{names.PREFIX_LENGTH}", "dev", card)


def _neighbour(namespace: str, address: str, mac: str, card: str = "eth0") -> None:
    ip("-n", namespace, "neighbour", "replace", address, "lladdr", mac, "dev", card)
