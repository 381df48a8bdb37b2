"""Koboshi's wall clock is wrong, and steps in the middle of an incident: no effect on what is done."""

import time

import pytest

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, stays

HOST = "cmp2"
WRONG_S = 600
CALM_S = 10


@pytest.fixture
def koboshi_with_wrong_clock(make_koboshi: MakeKoboshi) -> Koboshi:
    """Return a running daemon whose clock, and no other, is ten minutes ahead."""
    koboshi = make_koboshi()
    koboshi.set_clock(+WRONG_S)
    koboshi.start()
    return koboshi


def wrong_by_s(koboshi: Koboshi, number: int) -> float:
    """Return how far ahead the clock was when the event of that number was written, within a minute or so."""
    return koboshi.happenings()[number].at - time.time()


def test_a_wrong_clock_that_steps_twice_changes_nothing(
    lab: Lab, nova: Nova, koboshi_with_wrong_clock: Koboshi
) -> None:
    koboshi = koboshi_with_wrong_clock
    servers = boot(lab, HOST, bfv=3, image=1)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    # While all is well: ten minutes ahead, then twenty minutes back at once.
    koboshi.set_clock(-WRONG_S)
    stays(CALM_S, judge.nothing_evacuated)
    assert not [h for h in koboshi.happenings() if h.kind == "incident_opened"]

    lab.fault(HOST, "cut")
    koboshi.wait_for(lambda h: h.command == "fence_off", 60)
    koboshi.set_clock(+WRONG_S)
    koboshi.wait_for(lambda h: h.command == "evacuate", 60)
    koboshi.set_clock(-WRONG_S)
    await_settled(koboshi)

    assert wrong_by_s(koboshi, 0) > WRONG_S / 2, "libfaketime did not take hold"
    assert wrong_by_s(koboshi, -1) < -WRONG_S / 2
    judge.back(servers[:3])
    judge.held(servers[3:])
    assert len(intended(koboshi, "fence_off")) == 1
