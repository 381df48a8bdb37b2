"""Power devices that refuse, hang, lie or are another host's: without proof nothing is evacuated."""

from collections.abc import Callable
from typing import Any

import pytest

from lab import Lab, layout
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, moved_to, stays

HOST = "cmp3"
NEXT = "cmp4"
FAILING = ("refuse", "hang", "wrong-password", "gone", "accept-only")
A_WHILE_S = 8


def redfish(_: Lab) -> dict[str, Any]:
    """Return what the lab's own configuration says already."""
    return {}


def ipmi(lab: Lab) -> dict[str, Any]:
    """Let Debian's fence_ipmilan speak to the same BMCs."""
    return {
        "hosts": {
            host: {
                "type": "fence_ipmilan",
                "url": None,
                "system_id": None,
                "parameters": {"ip": layout.bmc_ip(host), "lanplus": True},
            }
            for host in lab.hosts
        }
    }


@pytest.mark.parametrize("by", [redfish, ipmi])
def test_a_device_that_fails_proves_nothing_until_it_works(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, by: Callable[[Lab], dict[str, Any]]
) -> None:
    """One life of a host that was cut off, in which its BMC fails in every way that it can."""
    koboshi = make_koboshi(fencing=by(lab))
    koboshi.start()
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    walk_through_failures(lab, nova, koboshi, judge)
    if by is redfish:
        return  # one of them shows that it goes on by itself: that takes another minute
    lab.bmc(HOST, "normal")
    await_settled(koboshi)

    assert lab.status()["hosts"][HOST]["power"] == "off"
    judge.back(servers)


def walk_through_failures(lab: Lab, nova: Nova, koboshi: Koboshi, judge: Judge) -> None:
    """Cut the host off, let its BMC fail in one way after the other, and see that nobody acts on it."""
    lab.bmc(HOST, FAILING[0])
    lab.fault(HOST, "cut")
    koboshi.wait_for(lambda h: h.command == "fence_off", 60)
    for mode in FAILING[1:]:
        stays(A_WHILE_S, judge.nothing_evacuated)
        lab.bmc(HOST, mode)
    koboshi.wait_for(moved_to("unproven"), 90)
    stays(A_WHILE_S, judge.nothing_evacuated)

    judge.untouched(judge.servers)
    assert nova.services()[HOST].forced_down is False
    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    assert incident["host"] == HOST
    told = koboshi.run("incident", "show", incident["id"]).out
    assert "power" in told
    assert "confirm-dead" in told


def test_where_the_device_died_with_its_host_a_persons_word_is_the_proof(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=2, image=1)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    lab.bmc(HOST, "dies-with-host")

    lab.fault(HOST, "power")
    koboshi.wait_for(moved_to("unproven"), 90)
    judge.nothing_evacuated()
    words = ("host", "confirm-dead", HOST, "--confirm", HOST, "-m", "I pulled the plug")
    answer = koboshi.run(*words)
    assert answer.code == 0, answer
    await_settled(koboshi)

    judge.back(servers[:2])
    judge.held(servers[2:])
    given = next(h for h in koboshi.happenings() if h.kind == "word_given")
    assert "root" in given.data["by"]
    assert given.data["note"] == "I pulled the plug"


def test_a_bmc_that_was_moved_to_another_host_is_asked_whose_it_is_before_the_off(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    """It said that it was its host's, and says now that it is the next one's: nobody is switched off."""
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    lab.bmc(HOST, "wrong-host")

    lab.fault(HOST, "cut")
    koboshi.wait_for(moved_to("unproven"), 90)
    stays(A_WHILE_S, judge.nothing_evacuated)

    judge.untouched(servers)
    assert lab.status()["hosts"][NEXT]["power"] == "on"
    noticed = {h.data["topic"] for h in koboshi.happenings() if h.kind == "host_noticed"}
    assert "bmc_mistaken" in noticed


def test_an_off_that_hit_another_host_proves_nothing(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """An agent does not tell that its BMC is the next host's: our off kills that, and reads as a proof."""
    koboshi = make_koboshi(fencing=ipmi(lab))
    koboshi.start()
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    lab.bmc(HOST, "wrong-host")

    lab.fault(HOST, "cut")
    unproven = koboshi.wait_for(moved_to("unproven"), 90)
    stays(A_WHILE_S, judge.nothing_evacuated)

    judge.untouched(servers)
    assert NEXT in unproven.data["reason"]
    assert len(intended(koboshi, "fence_off")) == 1


def test_a_bmc_that_reads_off_while_the_host_answers_is_not_believed(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(evidence={"power_interval": "10s"})
    koboshi.start()
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)

    koboshi.wait_armed()
    lab.bmc(HOST, "lie-off")
    lab.fault(HOST, "process")  # now Nova says down, and power says off; only the probe disagrees

    stays(30, judge.nothing_evacuated)
    judge.untouched(servers)
    noticed = {h.data["topic"] for h in koboshi.happenings() if h.kind == "host_noticed"}
    assert "bmc_contradicts" in noticed
