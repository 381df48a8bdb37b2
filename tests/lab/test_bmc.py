"""Power devices that refuse, hang or lie: without proof nothing is evacuated."""

import pytest

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, moved_to, stays

HOST = "cmp3"


@pytest.mark.parametrize(
    ("mode", "fault"),
    [("refuse", "power"), ("hang", "power"), ("accept-only", "cut")],
)
def test_without_proof_nothing_is_evacuated_and_the_incident_says_what_it_waits_for(
    lab: Lab, nova: Nova, koboshi: Koboshi, mode: str, fault: str
) -> None:
    servers = boot(lab, HOST, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    lab.bmc(HOST, mode)

    lab.fault(HOST, fault)
    koboshi.wait_for(moved_to("unproven"), 90)
    stays(15, judge.nothing_evacuated)

    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    assert incident["host"] == HOST
    shown = koboshi.run("incident", "show", incident["id"]).out
    assert "power" in shown or "BMC" in shown
    assert nova.services()[HOST].forced_down is False

    if mode == "refuse":  # and it goes on by itself when the device does
        lab.bmc(HOST, "normal")
        await_settled(koboshi)
        judge.back(servers)


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
