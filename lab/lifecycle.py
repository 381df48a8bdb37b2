"""A lab's beginning and its end.

`up` starts by taking down whatever is there, and `down` asks the kernel, not our records: so both
also work after a crash or a `kill -9` at any moment.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lab import (
    configure,
    control,
    databases,
    hosts,
    install,
    network,
    processes,
    ready,
    seed,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from lab.layout import Layout
    from lab.settings import Settings


@contextmanager
def alone(lab: Layout, say: Callable[[str], None]) -> Generator[None]:
    """Let one command at a time bring the lab up or down."""
    with _held(lab.lock, lambda: say("another command brings this lab up or down; waiting for it")):
        yield


@contextmanager
def alone_in_checkout(lab: Layout, say: Callable[[str], None]) -> Generator[None]:
    """Let one lab at a time install, or make what all labs of a checkout start from."""
    with _held(lab.common_lock, lambda: say("another lab installs or makes the seed; waiting")):
        yield


@contextmanager
def _held(path: Path, wait: Callable[[], None]) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(lab: Layout, wanted: Settings, say: Callable[[str], None]) -> bool:
    """Bring up such a lab; False if it was up already."""
    if settings.load(lab) == (wanted, True) and _whole(lab):
        return False
    _Start(lab, wanted, say).run()
    return True


def down(lab: Layout) -> None:
    """Kill, delete and forget everything of the lab but its seed and its installation."""
    spaces = network.namespaces(lab)
    # All processes first: nothing may write while its files are taken away.
    for namespace in spaces:
        processes.kill_namespace(namespace)
    for namespace in spaces:
        network.delete(namespace)
    shutil.rmtree(lab.run, ignore_errors=True)
    shutil.rmtree(lab.sockets, ignore_errors=True)


def _whole(lab: Layout) -> bool:
    names = [*control.services(lab), "zygote"]
    alive = all(processes.running(lab, name, lab.control_ns) for name in names)
    return alive and all(processes.running(lab, name, lab.bmc_ns) for name in control.BMCS)


class _Start:
    """One start of a lab, which tells what it does and how long that took."""

    def __init__(self, lab: Layout, wanted: Settings, say: Callable[[str], None]) -> None:
        self._lab = lab
        self._wanted = wanted
        self._say = say
        self._began = time.monotonic()

    def run(self) -> None:
        lab = self._lab
        with ExitStack() as common:
            common.enter_context(alone_in_checkout(lab, self._say))
            if install.install(lab):
                self._lap("installed")
            down(lab)
            fresh = not seed.exists(lab)
            if not fresh:
                common.close()
            self._prepare(fresh=fresh)
            self._start_stores(fresh=fresh)
            self._start_keystone(fresh=fresh)
            self._start_apis(fresh=fresh)
        self._start_hosts()
        ready.wait(lab, self._wanted.hosts)
        settings.save(lab, self._wanted, ready=True)
        self._lap(f"ready: {self._wanted.hosts} hosts are up, mapped, and have their inventories")

    def _prepare(self, *, fresh: bool) -> None:
        lab = self._lab
        for path in (lab.etc, lab.log, lab.pids, lab.state, lab.knobs, lab.tmp, lab.sockets):
            path.mkdir(parents=True, exist_ok=True)
        settings.save(lab, self._wanted, ready=False)
        network.create_fabric(lab, self._wanted.host_names)
        if not fresh:
            seed.restore(lab)
        configure.write(lab, self._wanted)
        for service in ("nova", "glance", "cinder", "neutron"):
            (lab.state / service).mkdir()
        (lab.run / "rabbit").mkdir()
        (lab.run / "rabbit" / "plugins").write_text("[].\n")
        (lab.run / "images").mkdir(exist_ok=True)

    def _start_stores(self, *, fresh: bool) -> None:
        lab = self._lab
        control.start(lab, "rabbit")
        if fresh:
            self._lap("no seed yet: making the databases, once")
            databases.install(lab)
        control.start(lab, "mysql")
        control.wait_open(lab, "mysql")
        if fresh:
            databases.create(lab)
            self._lap("databases made")

    def _start_keystone(self, *, fresh: bool) -> None:
        lab = self._lab
        control.start(lab, "keystone", "placement")
        control.start_zygote(lab)
        control.wait_open(lab, "rabbit", "keystone")
        # The first requests to keystone must be serial: eight at once gave one 403.
        with network.inside(lab.control_ns):
            seed.admin(lab).get(f"{configure.AUTH_URL}/users")
            if fresh:
                seed.create_users(lab)
        self._lap("keystone answers")

    def _start_apis(self, *, fresh: bool) -> None:
        lab = self._lab
        control.start(lab, "nova-conductor", "neutron", "nova-api", "glance", "nova-scheduler")
        control.start(lab, "cinder-api", "cinder-volume", "cinder-scheduler", "neutron-rpc")
        control.wait_open(lab, *control.APIS)
        with network.inside(lab.control_ns):
            ready.first_requests(lab)
            self._lap("the APIs answer")
            if fresh:
                seed.create_resources(lab)
                self._keep_seed()

    def _start_hosts(self) -> None:
        lab = self._lab
        control.wait_for_zygote(lab)
        for host in self._wanted.host_names:
            hosts.power_on(lab, host)
        control.start_bmcs(lab)
        control.wait_for_bmcs(lab, self._wanted.host_names)
        self._lap("hosts and BMCs have power")

    def _keep_seed(self) -> None:
        lab = self._lab
        mysql = control.named(lab, "mysql")
        control.stop(lab, mysql)
        seed.keep(lab)
        control.start(lab, "mysql")
        control.wait_open(lab, "mysql")
        self._lap("seed kept: the next cloud is quick")

    def _lap(self, words: str) -> None:
        self._say(f"[{time.monotonic() - self._began:6.1f} s] {words}")
