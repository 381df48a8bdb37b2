"""A cloud without power control: a person's word, or silence if the operator declared it a proof."""

from lab import Lab
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, moved_to, stays

HOST = "cmp2"
SILENT_FOR_S = 60.0


def test_declared_silence_is_taken_for_death_and_called_an_assumption(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(policy={"proof": "silence"}, fencing=None)
    koboshi.start()
    judge = Judge(lab, nova, boot(lab, HOST, bfv=2))
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    opened = koboshi.wait_for(lambda h: h.kind == "incident_opened", 60)
    proven = koboshi.wait_for(lambda h: h.kind == "death_proven", 120)
    await_settled(koboshi)

    judge.back(judge.servers)
    assert proven.data["proof"]["kind"] == "silence"
    assert proven.at - opened.at > SILENT_FOR_S - 20
    moved = next(h for h in koboshi.happenings(after=proven.seq) if moved_to("proven")(h))
    assert "ASSUMED" in moved.data["reason"]
    assert "silence" in koboshi.run("check").out


def test_without_it_a_person_is_waited_for_however_long_the_host_is_silent(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(policy={"proof": "word"}, fencing=None)
    koboshi.start()
    judge = Judge(lab, nova, boot(lab, HOST, bfv=1))
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    koboshi.wait_for(moved_to("unproven", "needs_human", "held"), 90)
    stays(25, judge.nothing_evacuated)

    assert intended(koboshi, "fence_off") == []
    assert "confirm-dead" in koboshi.run("host", "explain", HOST).out
