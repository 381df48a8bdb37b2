"""A host that dies while its operator has it disabled: recovered on their word, and left disabled."""

from lab import Lab
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, moved_to

HOST = "cmp2"
REASON = "memory errors, see rack log"
DARK_WITHIN_S = 60.0
HOME_WITHIN_S = 150.0


def test_a_disabled_host_is_recovered_by_one_command_and_left_disabled(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(home={"automatic": True})
    koboshi.start()
    judge = Judge(lab, nova, boot(lab, HOST, bfv=1))
    koboshi.wait_armed()
    nova.change_service(nova.services()[HOST], status="disabled", disabled_reason=REASON)

    lab.fault(HOST, "power")
    told = koboshi.wait_for(lambda h: h.data.get("topic") == "disabled_and_dark", DARK_WITHIN_S)
    assert f"koboshi host confirm-dead {HOST}" in told.data["text"]
    judge.nothing_evacuated()
    koboshi.run("host", "confirm-dead", HOST, "--confirm", HOST, "-m", "I looked")
    await_settled(koboshi)
    judge.back(judge.servers)
    parked = koboshi.wait_for(moved_to("parked"), 60)
    assert REASON in parked.data["reason"]

    lab.fault(HOST, "start")
    koboshi.wait_for(moved_to("closed"), HOME_WITHIN_S)
    service = nova.services()[HOST]
    assert (service.up, service.enabled, service.forced_down) == (True, False, False)
    assert service.disabled_reason == REASON
    assert intended(koboshi, "enable_service") == []
    assert intended(koboshi, "power_on") == []
