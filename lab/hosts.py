"""The power switch of a host, and the other faults, as physics.

A power loss is silence: the cable is cut first, so that nothing that the dying kernel still says
reaches anybody; then everything is killed, and the host's namespace goes. What was on its disk
stays. The BMC uses this switch too.
"""

from __future__ import annotations

import fcntl
import signal
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab import network, processes
from lab.errors import LabError
from lab.guests import HostDisk
from lab.layout import rack

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from lab.layout import Layout

REBOOT_DARK_S = 1.0


@contextmanager
def _switch(lab: Layout, host: str) -> Generator[HostDisk]:
    """Let one at a time work the host's switch: the BMC and the command line both may."""
    disk = HostDisk(lab.run, host)
    with (lab.hosts / host / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield disk


def power_off(lab: Layout, host: str) -> None:
    """Take the power away."""
    with _switch(lab, host) as disk:
        _power_off(lab, host, disk)


def _power_off(lab: Layout, host: str, disk: HostDisk) -> None:
    namespace = lab.host_ns(host)
    if network.exists(namespace):
        network.delete_cables(lab, host)
        processes.kill_namespace(namespace)
    disk.set_powered(False)
    disk.stop_all()
    network.delete(namespace)


def power_on(lab: Layout, host: str) -> None:
    """Do what the power switch does; a host that has power stays as it is."""
    with _switch(lab, host) as disk:
        _power_on(lab, host, disk)


def _power_on(lab: Layout, host: str, disk: HostDisk) -> None:
    if disk.powered and network.exists(lab.host_ns(host)):
        return
    _power_off(lab, host, disk)
    (lab.hosts / host / "nova").mkdir(exist_ok=True)
    network.create_host(lab, host)
    for port in _ports(host):
        if _cut_marker(lab, port).exists():
            network.set_cable(lab, port, connected=False)
    disk.set_powered(True)
    _start_processes(lab, host)


def start(lab: Layout, host: str) -> None:
    """Do what an operator does: cable in, power on, and whatever hangs or died goes again."""
    with _switch(lab, host) as disk:
        _mend_cables(lab, host)
        _power_on(lab, host, disk)
        for port in _ports(host):
            network.set_cable(lab, port, connected=True)
        processes.signal_namespace(lab.host_ns(host), signal.SIGCONT)
        _start_processes(lab, host)


def reboot(lab: Layout, host: str) -> None:
    """Take the power away for a second."""
    with _switch(lab, host) as disk:
        _power_off(lab, host, disk)
    time.sleep(REBOOT_DARK_S)
    power_on(lab, host)


def _start_processes(lab: Layout, host: str) -> None:
    for kind in ("ssh", "compute", "agent"):
        if not processes.running(lab, f"{kind}-{host}", lab.host_ns(host)):
            _fork(lab, kind, host)


def _ports(host: str) -> tuple[str, str]:
    return (host, network.storage_port(host))


def _cut_marker(lab: Layout, port: str) -> Path:
    """Name the mark that a cable is cut: it stays so when the power goes and comes."""
    return lab.hosts / port.removesuffix("s") / f"cut-{port}"


def kill_compute(lab: Layout, host: str) -> None:
    """Kill nova-compute alone; the servers run on and the host answers."""
    with _switch(lab, host):
        processes.stop(lab, f"compute-{host}", lab.host_ns(host))


def restart_compute(lab: Layout, host: str) -> None:
    """Kill nova-compute and start it again at once, as its service manager would."""
    with _switch(lab, host) as disk:
        _require_power(disk, "restarted")
        processes.stop(lab, f"compute-{host}", lab.host_ns(host))
        _start_processes(lab, host)


def cut(lab: Layout, host: str) -> None:
    """Pull the host's cables of both networks."""
    for port in _ports(host):
        _pull(lab, host, port)


def plug(lab: Layout, host: str) -> None:
    """Put the host's cables in again; one without power stays so, and finds them when it gets it."""
    with _switch(lab, host) as disk:
        _mend_cables(lab, host)
        if disk.powered:
            for port in _ports(host):
                network.set_cable(lab, port, connected=True)


def _mend_cables(lab: Layout, host: str) -> None:
    for port in _ports(host):
        _cut_marker(lab, port).unlink(missing_ok=True)


def cut_management(lab: Layout, host: str) -> None:
    """Pull the host's cable of the management network alone."""
    _pull(lab, host, host)


def cut_storage(lab: Layout, host: str) -> None:
    """Pull the host's cable of the storage network alone."""
    _pull(lab, host, network.storage_port(host))


def _pull(lab: Layout, host: str, port: str) -> None:
    with _switch(lab, host) as disk:
        _require_power(disk, "cut off")
        _cut_marker(lab, port).touch()
        network.set_cable(lab, port, connected=False)


def hang(lab: Layout, host: str) -> None:
    """Stop all processes of the host; its kernel still accepts connections."""
    with _switch(lab, host) as disk:
        _require_power(disk, "hung")
        processes.signal_namespace(lab.host_ns(host), signal.SIGSTOP)


FAULTS = {
    "power": power_off,
    "process": kill_compute,
    "restart": restart_compute,
    "cut": cut,
    "cut-management": cut_management,
    "cut-storage": cut_storage,
    "plug": plug,
    "hang": hang,
    "reboot": reboot,
    "start": start,
}


def state(lab: Layout, host: str) -> dict[str, str]:
    """Describe a host in words: power, network, nova-compute."""
    if not HostDisk(lab.run, host).powered:
        return {"power": "off", "network": "-", "nova_compute": "-"}
    namespace = lab.host_ns(host)
    compute = processes.running(lab, f"compute-{host}", namespace)
    words = "dead"
    if compute is not None:
        words = "hung" if processes.process_state(compute) in ("T", "t") else "running"
    return {"power": "on", "network": _network_in_words(lab, host), "nova_compute": words}


def _network_in_words(lab: Layout, host: str) -> str:
    management = network.port_up(lab, host) and network.port_up(lab, f"{rack(host)}-up")
    if management and network.port_up(lab, network.storage_port(host)):
        return "connected"
    return "storage cut" if management else "cut"


def _require_power(disk: HostDisk, what: str) -> None:
    if not disk.powered:
        raise LabError(
            f"{disk.host} has no power, it cannot be {what}; first: fault {disk.host} start"
        )


def _fork(lab: Layout, kind: str, host: str) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as zygote:
            zygote.settimeout(20)
            zygote.connect(str(lab.sockets / "zygote.sock"))
            zygote.sendall(f"{kind} {host}".encode())
            if not zygote.recv(64):
                raise LabError(
                    f"the zygote did not start {kind} of {host}; see {lab.log}/zygote.out"
                )
    except OSError as error:
        raise LabError(
            f"cannot start {kind} of {host}: no zygote ({error}); make lab-down lab"
        ) from error
