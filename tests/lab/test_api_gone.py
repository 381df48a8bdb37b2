"""Nova's API fails in the middle of a recovery: unknown is looked at again, never repeated blindly."""

import time

import pytest

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .judge import Judge, await_settled, boot

HOST = "cmp1"
GONE_S = 25


@pytest.mark.parametrize("how", ["the whole API", "os-migrations alone"])
def test_it_goes_on_when_the_api_is_back_with_one_evacuation_each(
    lab: Lab, nova: Nova, koboshi: Koboshi, how: str
) -> None:
    servers = boot(lab, HOST, bfv=8)
    judge = Judge(lab, nova, servers)
    lab.knob("all", spawn_seconds=3)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    koboshi.wait_for(lambda h: h.command == "evacuate", 90)
    if how == "the whole API":
        lab.api_stop("nova")
        time.sleep(GONE_S)
        lab.api_start("nova")
    else:
        lab.api_fail("nova", path="os-migrations", status=500)
        time.sleep(GONE_S)
        lab.api_normal("nova")
    await_settled(koboshi, timeout_s=300)

    judge.back(servers)


def test_an_evacuate_whose_answer_was_lost_is_not_sent_again(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=3)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    lab.api_fail("nova", path="/action$", method="POST", drop_after=True)

    lab.fault(HOST, "power")
    koboshi.wait_for(lambda h: h.kind == "command_unknown", 90)
    lab.api_normal("nova")
    await_settled(koboshi, timeout_s=300)

    judge.back(servers)
