"""The lab as an object: what the command line does, for tests and benchmarks to call."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab import (
    bmc,
    boot,
    control,
    hosts,
    install,
    knobs,
    layout,
    lifecycle,
    network,
    processes,
    settings,
    truth,
)
from lab.errors import LabError
from lab.guests import HostDisk
from lab.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from lab.boot import Booted
    from lab.layout import Layout

BMC_MODES = bmc.MODES


class Lab:
    """The lab of one checkout (by default of the one that this package belongs to)."""

    def __init__(self, where: Layout | None = None, say: Callable[[str], None] = print) -> None:
        self.layout = where or layout.here()
        self._say = say

    # -- up and down -----------------------------------------------------------
    def install(self) -> bool:
        """Install what is missing on this machine; say whether anything was."""
        with lifecycle.alone_in_checkout(self.layout, self._say):
            return install.install(self.layout)

    def up(self, wanted: Settings | None = None) -> bool:
        """Bring up such a lab; False if it was up already."""
        with lifecycle.alone(self.layout, self._say):
            return lifecycle.up(self.layout, wanted or Settings(), self._say)

    def down(self) -> None:
        """Stop everything; also what a crashed lab left behind."""
        with lifecycle.alone(self.layout, self._say):
            lifecycle.down(self.layout)

    # -- faults ------------------------------------------------------------------
    @property
    def hosts(self) -> list[str]:
        """List the compute hosts of the lab that is up."""
        return settings.require(self.layout).host_names

    def fault(self, host: str, what: str) -> None:
        """Play one of the host's faults, or start, which mends all of them."""
        settings.require_host(self.layout, host)
        if what not in hosts.FAULTS:
            raise LabError(f"unknown fault {what!r}; choose one of {', '.join(hosts.FAULTS)}")
        hosts.FAULTS[what](self.layout, host)
        bmc.follow_host(self.layout, host)

    def switch(self, name: str, *, on: bool) -> None:
        """Let a switch carry packets or none: rackN, storage, or station (Koboshi's uplink)."""
        known = network.switches(self.hosts)
        if name not in known:
            raise LabError(f"unknown switch {name!r}; this lab has {', '.join(known)}")
        network.set_switch(self.layout, name, on=on)

    def switches_on(self) -> None:
        """Let every switch carry packets."""
        for name in network.switches(self.hosts):
            network.set_switch(self.layout, name, on=True)

    def bmc(self, host: str, mode: str) -> None:
        """Set how the host's BMC behaves."""
        settings.require_host(self.layout, host)
        if mode not in BMC_MODES:
            raise LabError(f"unknown BMC mode {mode!r}; choose one of {', '.join(BMC_MODES)}")
        bmc.set_mode(self.layout, host, mode)

    def knob(self, host: str, **values: Any) -> dict[str, Any]:
        """Turn a host's knobs (`all`: of each host); None takes one back."""
        targets = self.hosts if host == "all" else [settings.require_host(self.layout, host)]
        kept: dict[str, Any] = {}
        for target in targets:
            kept = knobs.update(self.layout.run, target, **values)
        return kept

    def clear_knobs(self, host: str) -> None:
        """Put a host's knobs back to normal (`all`: of each host)."""
        targets = self.hosts if host == "all" else [settings.require_host(self.layout, host)]
        for target in targets:
            knobs.write(self.layout.run, target, {})

    # -- the control plane ---------------------------------------------------------
    def api_stop(self, service: str) -> None:
        """Stop a service of the control plane."""
        settings.require(self.layout)
        control.stop(self.layout, control.named(self.layout, service))

    def api_start(self, service: str) -> None:
        """Start the service again and wait until it accepts connections."""
        settings.require(self.layout)
        found = control.named(self.layout, service)
        control.start(self.layout, found.name)
        if found.port:
            control.wait_open(self.layout, found.name)

    def api_fail(
        self,
        service: str,
        *,
        path: str | None = None,
        method: str | None = None,
        status: int | None = None,
        delay_s: float | None = None,
        drop_after: bool = False,
    ) -> None:
        """Let an API fail from now on; the newest rule is looked at first."""
        name = self._api_name(service)
        if status is None and delay_s is None and not drop_after:
            raise LabError("say how it shall fail: --status, --delay or --drop-after")
        rule = {"path": path, "method": method, "status": status, "delay": delay_s}
        rules = knobs.read(self.layout.run, name).get("rules", [])
        knobs.write(self.layout.run, name, {"rules": [{**rule, "drop_after": drop_after}, *rules]})

    def api_normal(self, service: str) -> None:
        """Let the API work again."""
        knobs.write(self.layout.run, self._api_name(service), {})

    def _api_name(self, service: str) -> str:
        settings.require(self.layout)
        name = control.named(self.layout, service).name
        if name not in control.APIS:
            raise LabError(f"{name} is no API; choose one of {', '.join(control.APIS)}")
        return f"api-{name}"

    # -- servers and truth -----------------------------------------------------------
    def boot(
        self,
        *,
        host: str,
        kind: str,
        count: int = 1,
        name: str | None = None,
        ports: bool = False,
        wishes: Mapping[str, str] | None = None,
    ) -> list[Booted]:
        """Create servers on a host and wait until they are ACTIVE.

        Wishes are the ids of another `flavor` or `image` than the kind's, of a server `group`, and the name
        of an availability `zone` that the owner asks for.
        """
        settings.require_host(self.layout, host)
        return boot.boot(
            self.layout,
            host=host,
            kind=kind,
            count=count,
            name=name,
            ports=ports,
            wishes=wishes or {},
        )

    def truth(self) -> list[truth.Entry]:
        """List every server on every disk, whatever OpenStack believes."""
        return truth.read(self.layout.run)

    def violations(self) -> list[dict[str, object]]:
        """List each server that was started while it ran elsewhere."""
        return truth.violations(self.layout.run)

    def events(self) -> list[dict[str, object]]:
        """List each start, stop and destruction of a server, oldest first."""
        return truth.events(self.layout.run)

    def power_reads(self) -> list[dict[str, object]]:
        """List every power reading that a BMC gave, oldest first."""
        return truth.power_reads(self.layout.run)

    def status(self) -> dict[str, Any]:
        """Describe the lab: settings, services, hosts."""
        lab = self.layout
        kept = settings.require(lab)
        names = dict.fromkeys([*control.services(lab), "zygote"], lab.control_ns)
        names |= dict.fromkeys(control.BMCS, lab.bmc_ns)
        running = {name: processes.running(lab, name, space) for name, space in names.items()}
        return {
            "hosts": {h: self._host_status(h) for h in kept.host_names},
            "intervals": kept.intervals,
            "services": running,
            "violations": len(self.violations()),
        }

    def _host_status(self, host: str) -> dict[str, Any]:
        lab = self.layout
        own = HostDisk(lab.run, host)
        return {
            **hosts.state(lab, host),
            "bmc": knobs.read(lab.run, f"bmc-{host}").get("mode", "normal"),
            "knobs": knobs.read(lab.run, host),
            "servers": len(own.servers()),
        }

    # -- commands in the control plane's namespace -------------------------------------
    def environment(self) -> dict[str, str]:
        """Give the environment in which clients find the cloud."""
        path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        return {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(self.layout.clouds_yaml),
            "PATH": f"{path}:{self.layout.venv / 'bin'}",
        }

    def exec(self, argv: Sequence[str]) -> None:
        """Become the command, in the control plane's namespace; does not return."""
        settings.require(self.layout)
        network.setns(self.layout.control_ns)
        try:
            os.execvpe(argv[0], list(argv), self.environment())  # noqa: S606 - in place, on purpose
        except OSError as error:
            raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error

    @contextmanager
    def inside(self, *, station: bool = False) -> Generator[None]:
        """Run the block (this thread of it) in the control plane's namespace, or on the station."""
        with network.inside(self.layout.station_ns if station else self.layout.control_ns):
            yield

    def popen(
        self, argv: Sequence[str], *, station: bool = False, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start the command there; its pid is the command's own."""
        env: Mapping[str, str] = {**self.environment(), **options.pop("env", {})}
        with self.inside(station=station):
            return subprocess.Popen(argv, env=env, **options)
