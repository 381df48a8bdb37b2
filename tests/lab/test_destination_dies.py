"""The destination's nova-compute dies after it started the guest, and before Nova moved the server."""

import time

from lab import Lab
from lab.rig.home import until
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .judge import RECOVERY_S, Judge, boot, intended, stays

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")
A_WHILE_S = 20.0


def is_dead(lab: Lab, host: str) -> bool:
    """Return whether the host's nova-compute is dead."""
    return lab.status()["hosts"][host]["nova_compute"] == "dead"


def test_no_third_host_until_the_second_is_proven_dead(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    (server,) = boot(lab, HOST, bfv=1)
    judge = Judge(lab, nova, [server])
    koboshi.wait_armed()
    for host in OTHERS:
        lab.knob(host, spawn_kills=True)

    lab.fault(HOST, "power")
    deadline = time.monotonic() + 60
    until(lambda: bool(judge.running_on(server)), deadline, "the guest to run again")
    (second,) = judge.running_on(server)
    until(lambda: is_dead(lab, second), deadline, f"nova-compute of {second} to die")
    lab.clear_knobs("all")

    def half_way() -> None:
        row = nova.servers()[server.id]
        assert (row.host, row.status) == (HOST, "REBUILD"), row
        assert judge.running_on(server) == [second]
        assert len(intended(koboshi, "evacuate")) == 1

    stays(A_WHILE_S, half_way)

    lab.fault(second, "power")
    koboshi.wait_for(lambda h: h.kind == "recovery_moved" and h.data["to"] == "done", RECOVERY_S)

    (third,) = judge.running_on(server)
    assert third not in {HOST, second}
    row = nova.servers()[server.id]
    assert row.is_well, row
    assert row.host == third
    judge.disks_kept([server], kinds=["volume"])
    died = [h.data["host"] for h in koboshi.happenings() if h.kind == "incident_opened"]
    assert died == [HOST, second]
