"""The daemon is killed with -9 in the middle, and started again: one evacuation each, all back."""

import time
from collections.abc import Callable

import pytest

from lab import Lab
from lab.rig.koboshi import Happening, Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot

HOST = "cmp4"
SERVERS = 8
Moment = Callable[[Happening], bool]


def nth(number: int, wanted: Moment) -> Moment:
    """Return what recognises the n-th of such events."""
    seen = 0

    def found(happening: Happening) -> bool:
        nonlocal seen
        seen += wanted(happening)
        return seen == number

    return found


MOMENTS: dict[str, Callable[[], Moment]] = {
    "before the fence": lambda: lambda h: h.kind == "incident_opened",
    "while it fences": lambda: lambda h: h.command == "fence_off",
    "after isolating": lambda: lambda h: h.kind == "host_isolated",
    "in the middle of the evacuations": lambda: nth(4, lambda h: h.command == "evacuate"),
    "near the end": lambda: nth(
        SERVERS // 2, lambda h: h.kind == "recovery_moved" and h.data["to"] == "done"
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_goes_on_and_evacuates_nothing_twice(
    lab: Lab, nova: Nova, koboshi: Koboshi, moment: str
) -> None:
    servers = boot(lab, HOST, bfv=SERVERS)
    judge = Judge(lab, nova, servers)
    lab.knob("all", spawn_seconds=1.5)
    koboshi.wait_armed()

    # A host that lost its power needs no fence: only one that was cut off shows what a fence leaves.
    lab.fault(HOST, "cut" if "fence" in moment else "power")
    last = koboshi.wait_for(MOMENTS[moment](), 90)
    koboshi.kill9()
    assert "settled" not in {h.data.get("to") for h in koboshi.happenings()}, "it came too late"
    time.sleep(2)
    koboshi.start()
    await_settled(koboshi, after=last.seq)

    judge.back(servers)


def test_a_second_daemon_on_the_same_journal_refuses_to_start(
    lab: Lab, koboshi: Koboshi, make_koboshi: MakeKoboshi
) -> None:
    second = make_koboshi(state_dir=str(koboshi.state))

    answer = second.run("run")

    assert answer.code == 1
    assert "another daemon" in answer.err
    assert str(koboshi.process and koboshi.process.pid) in answer.err
    assert koboshi.is_ready()
