"""A destination dies after it started the guest, before Nova moved the server; then the next one dies, too."""

import time

from lab import Lab
from lab.rig.home import until
from lab.rig.koboshi import Happening
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import RECOVERY_S, Judge, boot, intended, is_done, stays

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")
A_WHILE_S = 20.0


def is_dead(lab: Lab, host: str) -> bool:
    """Return whether the host's nova-compute is dead."""
    return lab.status()["hosts"][host]["nova_compute"] == "dead"


def test_no_third_host_until_the_second_is_proven_dead_and_no_fourth_after_the_third(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """Two hosts died of late, and both had just received this server: it is poison, and goes nowhere any more."""
    koboshi = make_koboshi(brake={"release_after": "10s"})
    koboshi.start()
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
    koboshi.wait_for(is_done, RECOVERY_S)

    (third,) = judge.running_on(server)
    assert third not in {HOST, second}
    row = nova.servers()[server.id]
    assert row.is_well, row
    assert row.host == third
    judge.disks_kept([server], kinds=["volume"])
    died = [h.data["host"] for h in koboshi.happenings() if h.kind == "incident_opened"]
    assert died == [HOST, second]

    lab.fault(third, "power")
    given_up = koboshi.wait_for(is_given_up, RECOVERY_S)
    suspected = {h.data["host"] for h in koboshi.happenings() if h.kind == "poison_suspected"}
    assert suspected == {second, third}
    assert given_up.data["server"] == server.id
    assert "no third host" in given_up.data["reason"]
    sent = len(intended(koboshi, "evacuate"))
    assert sent == 2

    def goes_nowhere() -> None:
        assert judge.running_on(server) == []
        assert len(intended(koboshi, "evacuate")) == sent

    stays(A_WHILE_S / 2, goes_nowhere)
    assert "no third host" in koboshi.run("why-not", server.id).out
    judge.disks_kept([server], kinds=["volume"])


def is_given_up(happening: Happening) -> bool:
    """Return whether a server is left to a person."""
    return happening.kind == "recovery_moved" and happening.data["to"] == "given_up"
