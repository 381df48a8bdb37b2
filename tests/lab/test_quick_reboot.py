"""A host that is off and on again within two seconds: nobody misses it, and Nova stops its servers."""

import time

from lab import Lab
from lab.boot import Booted
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, boot, intended, stays

HOST, OTHER = "cmp1", "cmp2"
RUN_AGAIN_WITHIN_S = 60.0


def watching(lab: Lab, make_koboshi: MakeKoboshi) -> Koboshi:
    """Return a daemon whose first sweep sees what was booted before."""
    koboshi = make_koboshi()
    koboshi.start()
    koboshi.wait_armed()
    return koboshi


def await_status(nova: Nova, servers: list[Booted], status: str, within_s: float) -> None:
    """Wait until Nova shows all of these so, with nothing under way."""
    end = time.monotonic() + within_s
    while True:
        rows = nova.servers()
        found = {s.id: (rows[s.id].status, rows[s.id].task_state) for s in servers}
        if all(f == (status, None) for f in found.values()):
            return
        assert time.monotonic() < end, found
        time.sleep(1)


def test_those_that_ran_run_again_and_the_stopped_one_stays_off(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    ran, stopped = boot(lab, HOST, bfv=2, image=2), boot(lab, HOST, bfv=1)
    bystanders = boot(lab, OTHER, bfv=1)
    nova.act(stopped[0].id, "os-stop")
    await_status(nova, stopped, "SHUTOFF", 30)
    koboshi = watching(lab, make_koboshi)
    judge = Judge(lab, nova, [*ran, *stopped, *bystanders])

    lab.fault(HOST, "reboot")
    began = time.monotonic()
    await_status(nova, ran, "SHUTOFF", 30)  # by Nova's own hand
    await_status(nova, ran, "ACTIVE", RUN_AGAIN_WITHIN_S - (time.monotonic() - began))

    for server in ran:
        assert judge.running_on(server) == [HOST], server
    assert judge.running_on(stopped[0]) == []
    assert nova.servers()[stopped[0].id].status == "SHUTOFF"
    judge.untouched(bystanders)
    judge.nothing_evacuated()
    meant = {h.data["command"]["server"] for h in intended(koboshi, "start_server")}
    assert meant == {server.id for server in ran}
    assert nova.services()[HOST].enabled


def test_a_nova_compute_that_restarts_starts_nothing(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    servers = boot(lab, HOST, bfv=2)
    koboshi = watching(lab, make_koboshi)
    judge = Judge(lab, nova, servers)

    lab.fault(HOST, "restart")

    stays(25, lambda: judge.untouched(servers))
    assert intended(koboshi, "start_server") == []
