"""The real OpenStack's side: the lab of this checkout."""

import tomllib
from contextlib import AbstractContextManager
from typing import Any

from lab import Lab, configure
from lab import cloud as rest
from lab.rig.home import bring_home
from lab.rig.nova import Nova
from tests.contract.side import Bmc, Entry, Kind, Lever, Service


class LabSide:
    """Implements Side by the lab."""

    name = "lab"
    auth_url = rest.KEYSTONE
    username = "admin"
    project = "admin"

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.password = configure.admin_password(lab.layout)

    def inside(self) -> AbstractContextManager[None]:
        """Return the control plane's network namespace."""
        return self._lab.inside()

    def bmc(self, host: str) -> Bmc:
        """Return the emulator's address, from the lab's own configuration of Koboshi."""
        fencing = tomllib.loads(self._lab.layout.koboshi_toml.read_text())["fencing"]
        own, common = fencing["hosts"][host], fencing["defaults"]
        return Bmc(
            url=own["url"],
            username=common["username"],
            password=common["password"],
            system_id=own["system_id"],
        )

    def boot(self, host: str, kind: Kind, count: int) -> list[str]:
        """Create servers by Nova's API."""
        return [b.id for b in self._lab.boot(host=host, kind=kind.value, count=count)]

    def pull(self, host: str, lever: Lever) -> None:
        """Play the lab's fault of this name."""
        self._lab.fault(host, lever.value)

    def spawns(self, host: str, *, fail: bool = False, take_s: float = 0.0) -> None:
        """Turn the fake hypervisor's knobs."""
        self._lab.knob(host, spawn_fails=fail or None, spawn_seconds=take_s or None)

    def stop_service(self, service: Service) -> None:
        """Stop its process."""
        self._lab.api_stop(service.value)

    def start_service(self, service: Service) -> None:
        """Start its process."""
        self._lab.api_start(service.value)

    def truth(self, server: str) -> list[Entry]:
        """Read the hosts' disks."""
        return [
            Entry(
                host=entry["host"],
                running=entry["running"],
                local_disks=tuple(d["id"] for d in entry["disks"] if d["kind"] == "local"),
            )
            for entry in self._lab.truth()
            if entry["server"] == server
        ]

    def told(self, what: str, server: str, since_s: float) -> list[tuple[float, Any]]:
        """Return nothing: it can only be sampled."""
        del what, server, since_s
        return []

    def calm(self) -> None:
        """Bring everything home, as the lab's own tests do."""
        bring_home(self._lab, Nova(self._lab))
