"""Where everything of the lab lives: folders, namespaces, addresses. One place, pure, no I/O.

Two checkouts must be able to run a lab each at the same time, so all that is visible outside the
checkout (namespaces, the folder for sockets) carries a short hash of the checkout's path. The
addresses need not differ: each lab's bridge stands in a namespace of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

CONTROL_IP = "10.77.0.1"
PREFIX_LENGTH = 16
MAX_HOSTS = 20
BMC_PORT = 8000
REGION = "RegionOne"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The lab of one checkout."""

    root: Path

    @cached_property
    def tag(self) -> str:
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:6]

    # -- folders: what persists ------------------------------------------------
    @property
    def cache(self) -> Path:
        return self.root / ".cache" / "lab"

    @property
    def venv(self) -> Path:
        return self.cache / "venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def source(self) -> Path:
        return self.root / "lab"

    @property
    def plugins(self) -> Path:
        return self.source / "plugins"

    # -- folders: what `down` forgets --------------------------------------------
    @property
    def run(self) -> Path:
        return self.source / "run"

    @property
    def etc(self) -> Path:
        return self.run / "etc"

    @property
    def log(self) -> Path:
        return self.run / "log"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def state(self) -> Path:
        return self.run / "state"

    @property
    def knobs(self) -> Path:
        return self.run / "knobs"

    @property
    def hosts(self) -> Path:
        return self.run / "hosts"

    @property
    def clouds_yaml(self) -> Path:
        return self.run / "clouds.yaml"

    @property
    def koboshi_toml(self) -> Path:
        return self.run / "koboshi.toml"

    @property
    def settings_file(self) -> Path:
        return self.run / "lab.json"

    @property
    def sockets(self) -> Path:
        """Unix sockets stand outside the checkout: their paths end after 107 bytes."""
        return Path("/run") / f"koboshi-lab-{self.tag}"

    # -- namespaces ------------------------------------------------------------
    @property
    def namespace_prefix(self) -> str:
        return f"koboshi-{self.tag}-"

    @property
    def control_ns(self) -> str:
        return self.namespace_prefix + "control"

    @property
    def bridge_ns(self) -> str:
        return self.namespace_prefix + "bridge"

    @property
    def bmc_ns(self) -> str:
        return self.namespace_prefix + "bmc"

    def host_ns(self, host: str) -> str:
        return self.namespace_prefix + host


def host_names(count: int) -> list[str]:
    """Name the compute hosts of a lab with that many of them."""
    return [f"cmp{n}" for n in range(1, count + 1)]


def host_number(host: str) -> int:
    return int(host.removeprefix("cmp"))


def host_ip(host: str) -> str:
    return f"10.77.1.{host_number(host)}"


def host_mac(host: str) -> str:
    return f"02:77:00:01:00:{host_number(host):02x}"


def bmc_ip(host: str) -> str:
    return f"10.77.2.{host_number(host)}"


def system_id(host: str) -> str:
    """Give the id of the host's system at its BMC; the same in each lab, as hardware's is."""
    return str(uuid5(NAMESPACE_OID, f"koboshi-lab-{host}"))


BMC_MAC = "02:77:00:02:00:00"


def here() -> Layout:
    """Give the lab of the checkout that this file belongs to."""
    return Layout(root=Path(__file__).resolve().parent.parent)
