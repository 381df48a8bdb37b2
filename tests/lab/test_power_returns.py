"""Power comes back behind our back in the middle of a long queue: nothing more is sent, nothing runs twice."""

import time

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .judge import Judge, await_settled, boot, intended, moved_to

HOST = "cmp1"
SERVERS = 20
SPAWN_S = 5.0
FIRST_WAVE = 6
AT_ONCE_S = 0.5
"""A request that was on its way when the reading arrived belongs to the same tick."""
LATEST_S = 10.0


def test_nothing_is_sent_after_the_first_reading_that_shows_it(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=SERVERS)
    judge = Judge(lab, nova, servers)
    lab.knob("all", spawn_seconds=SPAWN_S)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    while len(intended(koboshi, "evacuate")) <= FIRST_WAVE:
        time.sleep(0.05)
    back_at = time.time()
    lab.fault(HOST, "start")
    seen = koboshi.wait_for(moved_to("source_back"), 30)
    proven = koboshi.wait_for(lambda h: h.kind == "death_proven", 60, after=seen.seq)
    await_settled(koboshi, after=proven.seq)

    readings = [r["at"] for r in lab.power_reads() if r["host"] == HOST and r["on"]]
    read_at = next(at for at in readings if isinstance(at, float) and at > back_at)
    posts = [h.at for h in intended(koboshi, "evacuate")]
    assert min(posts) < back_at, "it came back before anything was sent"
    late = [at for at in posts if min(read_at + AT_ONCE_S, back_at + LATEST_S) < at < proven.at]
    assert late == [], (back_at, read_at, proven.at)
    assert len([at for at in posts if at > proven.at]) > 0, "nothing was left in the queue"
    judge.back(servers)
