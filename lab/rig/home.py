"""Bring everything home: the same calm cloud before each test and each measurement.

It does what an operator does after a failure, in the order that Nova needs: power on, wait for the
returned nova-compute's own clean-up, lift force-down, enable. Then all servers go.
"""

import time
from collections.abc import Callable, Iterable

from lab import Lab, LabError, control
from lab.guests import HostDisk
from lab.rig.nova import Nova

HEALTHY = {"power": "on", "network": "connected", "nova_compute": "running"}
RESTART_AFTER_S = 25.0
"""Two records of one server are completed by two starts of nova-compute, not by one."""


def bring_home(lab: Lab, nova: Nova, *, timeout_s: float = 240.0) -> None:
    """Mend every fault, bring every host back into service, and delete every server."""
    deadline = time.monotonic() + timeout_s
    mend_control_plane(lab)
    lab.clear_knobs("all")
    for host in lab.hosts:
        lab.bmc(host, "normal")
    bring_hosts_back(lab, nova, deadline)
    delete_servers(nova, deadline)
    forget_orphans(lab)


def mend_control_plane(lab: Lab) -> None:
    """Make every API behave, and start what was stopped."""
    for service in control.APIS:
        lab.api_normal(service)
    for name, pid in lab.status()["services"].items():
        if pid is None and name in control.services(lab.layout):
            lab.api_start(name)


def bring_hosts_back(lab: Lab, nova: Nova, deadline: float) -> None:
    """Start what is down and return once every host is up and enabled."""
    before = nova.services()
    away = [
        host
        for host, state in lab.status()["hosts"].items()
        if {key: state[key] for key in HEALTHY} != HEALTHY
    ]
    for host in away:
        # A cut or hung host would take a minute to find its message bus again.
        if lab.status()["hosts"][host]["power"] == "on":
            lab.fault(host, "power")
    lab.switches_on()
    for host in away:
        lab.fault(host, "start")
    for host in {*away, *(s.host for s in before.values() if s.forced_down or not s.enabled)}:
        _await_cleanup(lab, nova, host, before[host].updated_at if host in away else None, deadline)
        _return_to_service(lab, nova, host, deadline)
    until(
        lambda: all(s.up and s.enabled for s in nova.services().values()),
        deadline,
        "every host to be up and enabled",
    )


def _await_cleanup(lab: Lab, nova: Nova, host: str, old: str | None, deadline: float) -> None:
    """Wait for a heartbeat of the new nova-compute: it comes after its clean-up."""
    if old is not None:
        until(lambda: nova.services()[host].updated_at != old, deadline, f"a heartbeat of {host}")
    restart_at = time.monotonic() + RESTART_AFTER_S
    while any(record.status == "done" for record in nova.evacuations(source=host)):
        if time.monotonic() > deadline:
            raise LabError(f"{host}: its evacuation records do not become completed")
        if time.monotonic() > restart_at:
            _restart_compute(lab, nova, host, deadline)
            restart_at = time.monotonic() + RESTART_AFTER_S
        time.sleep(0.5)


def _return_to_service(lab: Lab, nova: Nova, host: str, deadline: float) -> None:
    restart_at = time.monotonic() + RESTART_AFTER_S
    while True:
        try:
            nova.change_service(nova.services()[host], status="enabled", forced_down=False)
        except LabError as error:
            if time.monotonic() > deadline or " 400 " not in str(error):
                raise
        else:
            return
        if time.monotonic() > restart_at:
            _restart_compute(lab, nova, host, deadline)
            restart_at = time.monotonic() + RESTART_AFTER_S
        time.sleep(1)


def _restart_compute(lab: Lab, nova: Nova, host: str, deadline: float) -> None:
    """Restart it, and wait for its own heartbeat: that of the one before keeps it up for a while yet."""
    lab.fault(host, "process")
    old = nova.services()[host].updated_at
    lab.fault(host, "start")
    until(lambda: nova.services()[host].updated_at != old, deadline, f"a new heartbeat of {host}")


def delete_servers(nova: Nova, deadline: float) -> None:
    """Delete every server and every volume, whatever state they are in."""
    reset: set[str] = set()
    asked_at = -1e9
    while servers := nova.servers():
        if time.monotonic() > deadline:
            raise LabError(f"not deleted in time: {', '.join(s.name for s in servers.values())}")
        if time.monotonic() - asked_at > 10:  # noqa: PLR2004 a lost delete is asked for again
            asked_at = time.monotonic()
            _ask_to_delete(nova, servers, reset)
        time.sleep(0.5)
    for volume in nova.volumes():
        if volume["status"] != "deleting":
            nova.delete_volume(volume["id"])
    until(lambda: not nova.volumes(), deadline, "the volumes to be deleted")


def _ask_to_delete(nova: Nova, servers: Iterable[str], reset: set[str]) -> None:
    for server in servers:
        if server in reset:
            try:
                nova.act(server, "os-resetState", {"state": "error"})
            except LabError as error:
                if " 404 " not in str(error):
                    raise
        nova.delete(server)
        reset.add(server)


def forget_orphans(lab: Lab) -> None:
    """Take away what no Nova knows any more; whoever should have noticed has judged already."""
    for entry in lab.truth():
        HostDisk(lab.layout.run, entry["host"]).undefine(entry["server"], destroy_disks=True)


def until(condition: Callable[[], bool], deadline: float, what: str, pause_s: float = 0.5) -> None:
    """Wait for the condition; raise LabError that names it when time is up."""
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited in vain for {what}")
        time.sleep(pause_s)
