"""The lab as an object: what the command line does, for tests and benchmarks to call."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab import (
    boot,
    configure,
    control,
    databases,
    hosts,
    install,
    knobs,
    layout,
    network,
    processes,
    ready,
    seed,
    settings,
    truth,
)
from lab.errors import LabError
from lab.guests import HostDisk
from lab.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.boot import Booted
    from lab.layout import Layout

BMC_MODES = ("normal", "refuse", "hang", "lie-off", "accept-only", "gone", "wrong-host")


class Lab:
    """The lab of one checkout (by default of the one that this package belongs to)."""

    def __init__(self, where: Layout | None = None, say: Callable[[str], None] = print) -> None:
        self.layout = where or layout.here()
        self._say = say
        self._began = time.monotonic()

    # -- up and down -----------------------------------------------------------
    def install(self) -> bool:
        """Install what is missing on this machine; say whether anything was."""
        return install.install(self.layout)

    def up(self, wanted: Settings | None = None) -> bool:
        """Bring up such a lab; False if it was up already."""
        wanted = wanted or Settings()
        self._began = time.monotonic()
        with self._alone():
            if settings.load(self.layout) == (wanted, True) and self._whole():
                return False
            if self.install():
                self._lap("installed")
            self._down()
            self._up(wanted)
        return True

    def down(self) -> None:
        """Stop everything; also what a crashed lab left behind."""
        with self._alone():
            self._down()

    def _up(self, wanted: Settings) -> None:
        lab = self.layout
        fresh = not seed.exists(lab)
        for path in (lab.etc, lab.log, lab.pids, lab.state, lab.knobs, lab.sockets):
            path.mkdir(parents=True, exist_ok=True)
        settings.save(lab, wanted, ready=False)
        network.create_fabric(lab, wanted.host_names)
        if not fresh:
            seed.restore(lab)
        configure.write(lab, wanted)
        for service in ("nova", "glance", "cinder", "neutron"):
            (lab.state / service).mkdir()
        (lab.run / "rabbit").mkdir()
        (lab.run / "rabbit" / "plugins").write_text("[].\n")
        (lab.run / "images").mkdir(exist_ok=True)
        control.start(lab, "rabbit")
        if fresh:
            self._lap("no seed yet: making the databases, once")
            databases.install(lab)
        control.start(lab, "mysql")
        control.wait_open(lab, "mysql")
        if fresh:
            databases.create(lab)
            self._lap("databases made")
        self._start_services(wanted, fresh=fresh)
        ready.wait(lab, wanted.hosts)
        settings.save(lab, wanted, ready=True)
        self._lap(f"ready: {wanted.hosts} hosts are up, mapped, and have their inventories")

    def _start_services(self, wanted: Settings, *, fresh: bool) -> None:
        lab = self.layout
        control.start(lab, "keystone", "placement")
        control.start_zygote(lab)
        control.wait_open(lab, "rabbit", "keystone")
        # The first requests to keystone must be serial: eight at once gave one 403.
        with network.inside(lab.control_ns):
            seed.admin(lab).get(f"{configure.AUTH_URL}/users")
            if fresh:
                seed.create_users(lab)
        self._lap("keystone answers")
        control.start(lab, "nova-conductor", "neutron", "nova-api", "glance", "nova-scheduler")
        control.start(lab, "cinder-api", "cinder-volume", "cinder-scheduler")
        control.wait_open(lab, *control.APIS)
        with network.inside(lab.control_ns):
            ready.first_requests(lab)
            self._lap("the APIs answer")
            if fresh:
                seed.create_resources(lab)
                self._keep_seed()
        control.wait_for_zygote(lab)
        for host in wanted.host_names:
            hosts.power_on(lab, host)
        control.start_bmcs(lab)
        control.wait_for_bmcs(lab, wanted.host_names)
        self._lap("hosts and BMCs have power")

    def _keep_seed(self) -> None:
        lab = self.layout
        mysql = control.named(lab, "mysql")
        control.stop(lab, mysql)
        seed.keep(lab)
        control.start(lab, "mysql")
        control.wait_open(lab, "mysql")
        self._lap("seed kept: the next cloud is quick")

    def _down(self) -> None:
        lab = self.layout
        spaces = network.namespaces(lab)
        # Hosts first: nothing of theirs may write while its files are taken away.
        for namespace in spaces:
            processes.kill_namespace(namespace)
        for namespace in spaces:
            network.delete(namespace)
        shutil.rmtree(lab.run, ignore_errors=True)
        shutil.rmtree(lab.sockets, ignore_errors=True)

    def _whole(self) -> bool:
        lab = self.layout
        names = [*control.services(lab), "zygote"]
        alive = all(processes.running(lab, name, lab.control_ns) for name in names)
        return alive and processes.running(lab, "bmcs", lab.bmc_ns) is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.layout.cache.mkdir(parents=True, exist_ok=True)
        with (self.layout.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _lap(self, words: str) -> None:
        self._say(f"[{time.monotonic() - self._began:6.1f} s] {words}")

    # -- faults ------------------------------------------------------------------
    @property
    def hosts(self) -> list[str]:
        return settings.require(self.layout).host_names

    def fault(self, host: str, what: str) -> None:
        """Play the fault: power, process, cut, hang, reboot, or start, which mends all of them."""
        settings.require_host(self.layout, host)
        if what not in hosts.FAULTS:
            raise LabError(f"unknown fault {what!r}; choose one of {', '.join(hosts.FAULTS)}")
        hosts.FAULTS[what](self.layout, host)

    def bmc(self, host: str, mode: str) -> None:
        """Set how the host's BMC behaves."""
        settings.require_host(self.layout, host)
        if mode not in BMC_MODES:
            raise LabError(f"unknown BMC mode {mode!r}; choose one of {', '.join(BMC_MODES)}")
        knobs.update(self.layout.run, f"bmc-{host}", mode=None if mode == "normal" else mode)
        network.set_bmc_reachable(self.layout, host, reachable=mode != "gone")

    def knob(self, host: str, **values: Any) -> dict[str, Any]:
        """Turn a host's knobs (`all`: of each host); None takes one back."""
        targets = self.hosts if host == "all" else [settings.require_host(self.layout, host)]
        kept: dict[str, Any] = {}
        for target in targets:
            kept = knobs.update(self.layout.run, target, **values)
        return kept

    def clear_knobs(self, host: str) -> None:
        targets = self.hosts if host == "all" else [settings.require_host(self.layout, host)]
        for target in targets:
            knobs.write(self.layout.run, target, {})

    # -- the control plane ---------------------------------------------------------
    def api_stop(self, service: str) -> None:
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
        knobs.write(
            self.layout.run, name, {"rules": [{**rule, "drop_after": drop_after}, *rules]}
        )

    def api_normal(self, service: str) -> None:
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
    ) -> list[Booted]:
        """Create servers on a host and wait until they are ACTIVE."""
        settings.require_host(self.layout, host)
        return boot.boot(
            self.layout, host=host, kind=kind, count=count, name=name, ports=ports
        )

    def truth(self) -> list[truth.Entry]:
        return truth.read(self.layout.run)

    def violations(self) -> list[dict[str, object]]:
        return truth.violations(self.layout.run)

    def events(self) -> list[dict[str, object]]:
        return truth.events(self.layout.run)

    def status(self) -> dict[str, Any]:
        """Describe the lab: settings, services, hosts."""
        lab = self.layout
        kept = settings.require(lab)
        names = {name: lab.control_ns for name in [*control.services(lab), "zygote"]}
        names["bmcs"] = lab.bmc_ns
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
            os.execvpe(argv[0], list(argv), self.environment())
        except OSError as error:
            raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Run the block (this thread of it) in the control plane's namespace."""
        with network.inside(self.layout.control_ns):
            yield

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start the command there; its pid is the command's own."""
        env: Mapping[str, str] = {**self.environment(), **options.pop("env", {})}
        with self.inside():
            return subprocess.Popen(argv, env=env, **options)
