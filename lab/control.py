"""The control plane: which services there are, how each is started, and in which order."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import network, processes
from lab.errors import LabError
from lab.layout import BMC_PORT, CONTROL_IP, bmc_ip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.layout import Layout

LOOPBACK = "127.0.0.1"
BMCS = {"bmcs": "bmcs.py", "ipmi": "ipmi.py"}
"""The processes that are all hosts' BMCs, one for each protocol: name and program."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service of the control plane: a process (group) and the port that it opens."""

    name: str
    argv: list[str]
    address: str = CONTROL_IP
    port: int = 0
    env: dict[str, str] = field(default_factory=dict[str, str])
    grace_s: float = 0.0


def services(lab: Layout) -> dict[str, Service]:
    """List the services, in the order in which they depend on each other."""
    etc, bin_ = lab.etc, lab.venv / "bin"
    nova = ["--config-file", f"{etc}/nova.conf", "--config-file", f"{etc}/nova-control.conf"]
    cinder = ["--config-file", f"{etc}/cinder.conf"]
    neutron = ["--config-file", f"{etc}/neutron.conf", "--config-file", f"{etc}/ml2_conf.ini"]
    mysql = ["/usr/sbin/mariadbd", f"--defaults-file={etc}/my.cnf"]
    rabbit = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
    known = [
        Service(name="mysql", argv=mysql, address=LOOPBACK, port=3306, grace_s=20),
        Service(name="rabbit", argv=rabbit, port=5672, env=_rabbit_environment(lab), grace_s=20),
        _api(lab, "keystone", "keystone.wsgi.api", 5000, {"KEYSTONE": "keystone.conf"}),
        _api(lab, "placement", "placement.wsgi.api", 8778, {}),
        _api(lab, "glance", "glance.wsgi.api", 9292, {}),
        _api(lab, "cinder-api", "cinder.wsgi.api", 8776, {}, cinder),
        _api(lab, "neutron", "neutron.wsgi.api", 9696, {"NEUTRON": "neutron.conf;ml2_conf.ini"}),
        _api(lab, "nova-api", "nova.wsgi.osapi_compute", 8774, {"NOVA": _nova_files(lab)}),
        Service(name="neutron-rpc", argv=[f"{bin_}/neutron-rpc-server", *neutron]),
        Service(name="nova-conductor", argv=[f"{bin_}/nova-conductor", *nova]),
        Service(name="nova-scheduler", argv=[f"{bin_}/nova-scheduler", *nova]),
        Service(name="cinder-scheduler", argv=[f"{bin_}/cinder-scheduler", *cinder]),
        Service(name="cinder-volume", argv=[f"{bin_}/cinder-volume", *cinder]),
    ]
    return {service.name: service for service in known}


ALIASES = {
    "nova": "nova-api",
    "conductor": "nova-conductor",
    "scheduler": "nova-scheduler",
    "cinder": "cinder-api",
    "rabbitmq": "rabbit",
    "mariadb": "mysql",
}
APIS = ("keystone", "placement", "glance", "cinder-api", "neutron", "nova-api")


def named(lab: Layout, name: str) -> Service:
    """Find a service by its name or a short one."""
    known = services(lab)
    found = known.get(ALIASES.get(name, name))
    if found is None:
        words = ", ".join([*known, *ALIASES])
        raise LabError(f"unknown service {name!r}; the control plane has {words}")
    return found


def start(lab: Layout, *names: str) -> None:
    """Start the services that do not run; does not wait."""
    known = services(lab)
    for name in names:
        service = known[name]
        env = {"LAB_RUN": str(lab.run), **service.env}
        processes.start(lab, name, service.argv, namespace=lab.control_ns, env=env)


def stop(lab: Layout, service: Service) -> None:
    """Stop the service; kills it unless it keeps data."""
    processes.stop(lab, service.name, lab.control_ns, grace_s=service.grace_s)


def start_zygote(lab: Layout) -> None:
    """Start the parent of all hosts' processes."""
    argv = [lab.python, lab.plugins / "zygote.py", lab.sockets / "zygote.sock"]
    env = {"LAB_RUN": str(lab.run)}
    processes.start(lab, "zygote", argv, namespace=lab.control_ns, env=env)


def start_bmcs(lab: Layout) -> None:
    """Start what is all hosts' BMCs."""
    env = {"LAB_RUN": str(lab.run)}
    for name, program in BMCS.items():
        argv = [lab.python, lab.plugins / program]
        processes.start(lab, name, argv, namespace=lab.bmc_ns, env=env)


def wait_for_zygote(lab: Layout) -> None:
    """Wait until hosts can be started."""
    path = lab.sockets / "zygote.sock"
    _wait(path.exists, "the zygote", lab, "zygote", lab.control_ns)


def wait_for_bmcs(lab: Layout, hosts: list[str]) -> None:
    """Wait until each host's BMC accepts connections."""
    with network.inside(lab.control_ns):
        for host in hosts:
            address = (bmc_ip(host), BMC_PORT)
            what = f"the BMC of {host}"
            _wait(lambda: _is_open(address), what, lab, "bmcs", lab.bmc_ns)  # noqa: B023 it is called before the loop goes on


def wait_open(lab: Layout, *names: str) -> None:
    """Wait until each of the services accepts connections."""
    known = services(lab)
    with network.inside(lab.control_ns):
        for name in names:
            service = known[name]
            address = (service.address, service.port)
            what = f"port {service.port} of {name}"
            _wait(lambda: _is_open(address), what, lab, name, lab.control_ns)  # noqa: B023 it is called before the loop goes on


def _is_open(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def _wait(
    condition: Callable[[], bool],
    what: str,
    lab: Layout,
    name: str,
    namespace: str,
    timeout_s: float = 120.0,
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        log = lab.log / f"{name}.out"
        if processes.running(lab, name, namespace) is None:
            raise LabError(f"{name} died before {what} was there; see {log}")
        if time.monotonic() > deadline:
            raise LabError(f"{what} is not there after {timeout_s:.0f} s; see {log}")
        time.sleep(0.1)


def _api(
    lab: Layout,
    name: str,
    module: str,
    port: int,
    files: dict[str, str],
    arguments: list[str] | None = None,
) -> Service:
    threads = "24" if name == "nova-api" else "8"
    argv = [str(lab.python), str(lab.plugins / "serve.py"), name, module, str(port), threads]
    env = _config_environment(lab.etc, name, files)
    return Service(name=name, argv=[*argv, *(arguments or [])], port=port, env=env)


def _config_environment(etc: Path, name: str, files: dict[str, str]) -> dict[str, str]:
    env = {f"OS_{name.partition('-')[0].upper()}_CONFIG_DIR": str(etc)}
    for project, listed in files.items():
        env[f"OS_{project}_CONFIG_FILES"] = listed
    if name == "keystone":
        env["OS_KEYSTONE_CONFIG_FILES"] = str(etc / "keystone.conf")
    return env


def _nova_files(lab: Layout) -> str:
    # nova's WSGI module wants the paste file first; an absolute path wins over the folder.
    return f"{lab.venv}/etc/nova/api-paste.ini;nova.conf;nova-control.conf"


def _rabbit_environment(lab: Layout) -> dict[str, str]:
    home = lab.run / "rabbit"
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_DIST_PORT": "25672",
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(lab.log / "rabbit"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(lab.etc / "rabbitmq"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
        ),
    }
