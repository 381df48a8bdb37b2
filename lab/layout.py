"""Where everything of the lab lives: folders, namespaces, addresses. One place, pure, no I/O.

Two checkouts must be able to run a lab each at the same time, and one checkout more than one: all that
is visible outside the checkout (namespaces, the folder for sockets) carries a short hash of its path and
of the lab's number. The addresses need not differ: each lab's bridge stands in a namespace of its own.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

CONTROL_IP = "10.77.0.1"
CONTROL_STORAGE_IP = "10.78.0.1"
STATION_IP = "10.77.0.2"
STATION_STORAGE_IP = "10.78.0.2"
PREFIX_LENGTH = 16
MAX_HOSTS = 20
RACK_SIZE = 4
BMC_PORT = 8000
IPMI_PORT = 623
REGION = "RegionOne"
NUMBER = "KOBOSHI_LAB"
"""The variable that says which of a checkout's labs is meant; without it, the first."""
MAX_LABS = 4


class Layout:
    """One lab of one checkout; what persists is common to all of them."""

    def __init__(self, root: Path, number: int = 1) -> None:
        self.root = root
        self.number = number
        own = "" if number == 1 else f"-{number}"
        self.tag = hashlib.sha256(f"{root}{own}".encode()).hexdigest()[:6]
        self.source = root / "lab"
        self.plugins = self.source / "plugins"
        # what persists
        self.cache = root / ".cache" / "lab"
        self.venv = self.cache / "venv"
        self.python = self.venv / "bin" / "python"
        self.lock = self.cache / f"lock{own}"
        self.common_lock = self.cache / "lock-common"
        # what `down` forgets
        self.run = self.source / "run" if number == 1 else self.cache / f"run{own}"
        self.etc = self.run / "etc"
        self.log = self.run / "log"
        self.pids = self.run / "pids"
        self.state = self.run / "state"
        self.knobs = self.run / "knobs"
        self.hosts = self.run / "hosts"
        self.secrets = self.run / "secrets"
        self.tmp = self.run / "tmp"
        self.clouds_yaml = self.run / "clouds.yaml"
        self.koboshi_toml = self.run / "koboshi.toml"
        self.settings_file = self.run / "lab.json"
        # Unix sockets stand outside the checkout: their paths end after 107 bytes.
        self.sockets = Path("/run") / f"koboshi-lab-{self.tag}"
        # namespaces
        self.namespace_prefix = f"koboshi-{self.tag}-"
        self.control_ns = self.namespace_prefix + "control"
        self.bridge_ns = self.namespace_prefix + "bridge"
        self.bmc_ns = self.namespace_prefix + "bmc"
        self.station_ns = self.namespace_prefix + "station"

    def host_ns(self, host: str) -> str:
        """Name the host's namespace."""
        return self.namespace_prefix + host


def host_names(count: int) -> list[str]:
    """Name the compute hosts of a lab with that many of them."""
    return [f"cmp{n}" for n in range(1, count + 1)]


def host_number(host: str) -> int:
    """Give N of cmpN."""
    return int(host.removeprefix("cmp"))


def host_ip(host: str) -> str:
    """Give the host's address."""
    return f"10.77.1.{host_number(host)}"


def host_mac(host: str) -> str:
    """Give the host's hardware address."""
    return f"02:77:00:01:00:{host_number(host):02x}"


def storage_ip(host: str) -> str:
    """Give the host's address on the storage network, whose switch is another."""
    return f"10.78.1.{host_number(host)}"


def storage_mac(host: str) -> str:
    """Give the hardware address of the host's second card."""
    return f"02:78:00:01:00:{host_number(host):02x}"


def rack(host: str) -> str:
    """Name the rack that the host stands in."""
    return f"rack{(host_number(host) - 1) // RACK_SIZE + 1}"


def racks(hosts: list[str]) -> list[str]:
    """Name the racks of these hosts, in order."""
    return list(hosts_by_rack(hosts))


def hosts_by_rack(hosts: list[str]) -> dict[str, list[str]]:
    """Tell which of these hosts stand in which rack, in order."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        found.setdefault(rack(host), []).append(host)
    return found


def bmc_ip(host: str) -> str:
    """Give the address of the host's BMC."""
    return f"10.77.2.{host_number(host)}"


def system_id(host: str) -> str:
    """Give the id of the host's system at its BMC; the same in each lab, as hardware's is."""
    return str(uuid5(NAMESPACE_OID, f"koboshi-lab-{host}"))


BMC_MAC = "02:77:00:02:00:00"


def here(number: int | None = None) -> Layout:
    """Give a lab of the checkout that this file belongs to; the one that the environment names."""
    if number is None:
        number = int(os.environ.get(NUMBER, "1"))
    return Layout(Path(__file__).resolve().parent.parent, number)


def all_here() -> list[Layout]:
    """Give every lab that this checkout can have."""
    return [here(number) for number in range(1, MAX_LABS + 1)]
