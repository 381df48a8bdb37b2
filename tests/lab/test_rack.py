"""The switch of a rack of 4 in 12: its hosts run on and are held; a person's word has them fenced."""

import time

from lab import Lab, layout
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import RECOVERY_S, Judge, boot, intended, stays

RACK = "rack3"
A_WHILE_S = 30.0


def test_a_silent_rack_is_held_until_a_person_confirms_it(
    wide: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    hosts = wide.hosts
    dark = layout.hosts_by_rack(hosts)[RACK]
    koboshi = make_koboshi()
    koboshi.configure(koboshi.declare_racks())
    koboshi.start()
    servers = [server for host in dark for server in boot(wide, host, bfv=1)]
    bystanders = boot(wide, "cmp1", bfv=1)
    judge = Judge(wide, nova, [*servers, *bystanders])
    koboshi.wait_armed()

    wide.switch(RACK, on=False)
    koboshi.wait_for(lambda h: h.kind == "brake_held", 30)
    stays(A_WHILE_S, judge.nothing_evacuated)
    judge.untouched(servers)
    assert intended(koboshi, "fence_off") == []

    answer = koboshi.run("domain", "confirm", RACK, "--confirm", RACK)
    assert answer.code == 0, answer
    deadline = time.monotonic() + RECOVERY_S
    while {koboshi.state_of(host) for host in dark} != {"settled"}:
        assert time.monotonic() < deadline, koboshi.story()
        time.sleep(1)

    states = wide.status()["hosts"]
    assert {host for host in hosts if states[host]["power"] == "off"} == set(dark)
    judge.back(servers)
    judge.untouched(bystanders)
    (word,) = [h for h in koboshi.happenings() if h.kind == "domain_confirmed"]
    assert "root" in word.data["by"]
