"""kill -9 at every moment of a recovery: one evacuation each, never two running, all back.

The moments are the journal's appends: right before one (what it would have told has happened, and
nobody remembers), and right after one (it is remembered, and nothing of it was done).
"""

from datetime import timedelta

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import Story, story
from koboshi.sim.line import Fails
from koboshi.sim.samples import image_server, server
from koboshi.sim.virtual_time import run_virtual

BACK = ("a", "b", "c")
SERVERS = (*(server(n) for n in BACK), image_server("held"))
HEARTBEAT_S = 2.0
WARM_S = 20.0
LAST_APPEND = 30
"""A little more than a recovery of three servers needs; the last one kills nobody."""


async def recovery_killed_at(s: Story, *, cut_only: bool) -> None:
    """Lose the host; when the daemon is gone, start another on the same journal."""
    if cut_only:
        s.machine("h1").link = False
    else:
        s.power_loss()
    with anyio.move_on_after(60):
        await s.daemon.killed.wait()
        await anyio.sleep(2)
        s.start_daemon()


def assert_exactly_once(s: Story) -> None:
    """Assert what kill -9 may not change."""
    for name in BACK:
        assert s.recovery_states().get(name) is RecoveryState.DONE, s.timeline()
        assert len(s.where(name)) == 1, (name, s.where(name))
        assert s.records(name) == ["done"], (name, s.records(name))
        sent = [c for c in s.cloud.line.sent if c.call == "evacuate" and c.subject == name]
        assert len({c.detail for c in sent}) == 1, sent
    assert s.posts()["held"] == 0
    assert s.recovery("held").state is RecoveryState.HELD


async def killed(*, before: int | None, after: int | None, cut_only: bool) -> None:
    async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
        quiet = s.disk.appends
        s.daemon.journal.kill_before = quiet + before if before else None
        s.daemon.journal.kill_after = quiet + after if after else None
        await recovery_killed_at(s, cut_only=cut_only)
        await s.until_settled(within_s=300)
        assert_exactly_once(s)


@pytest.mark.parametrize("number", range(1, LAST_APPEND + 1))
def test_killed_right_before_an_append(number: int) -> None:
    async def main() -> None:
        await killed(before=number, after=None, cut_only=number % 2 == 0)

    run_virtual(main)


@pytest.mark.parametrize("number", range(1, LAST_APPEND + 1))
def test_killed_right_after_an_append(number: int) -> None:
    async def main() -> None:
        await killed(before=None, after=number, cut_only=number % 2 == 1)

    run_virtual(main)


def test_the_appends_of_a_recovery_are_all_tried() -> None:
    """Hold LAST_APPEND to something: the longest recovery of the stories above."""

    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            quiet = s.disk.appends
            s.machine("h1").link = False
            await s.until_settled(within_s=120)
            assert 15 <= s.disk.appends - quiet <= LAST_APPEND

    run_virtual(main)


@pytest.mark.parametrize("moment_s", [0.005, 0.015, 0.025, 0.035, 0.045, 0.055, 0.065, 0.1])
def test_killed_while_a_request_is_on_its_way(moment_s: float) -> None:
    """Between the intent and the outcome: sent or not, answered or not, nobody knows."""

    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await s.until(lambda: s.incident_state() is IncidentState.RECOVERING, 60)
            await s.until(lambda: s.intents("evacuate") > 0, 60, every_s=0.001)
            await anyio.sleep(moment_s)
            await s.restart_daemon()
            await s.until_settled(within_s=300)
            assert_exactly_once(s)

    run_virtual(main)


@pytest.mark.parametrize("how", [Fails.ANSWER_LOST, Fails.NO_ANSWER, Fails.LATE])
def test_killed_after_an_answer_was_lost(how: Fails) -> None:
    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.cloud.line.fail("evacuate", how, times=2)
            s.power_loss()
            await s.until(lambda: s.intents("evacuate") >= 3, 60)
            await anyio.sleep(1)
            await s.restart_daemon(after_s=30)
            await s.until_settled(within_s=400)
            assert_exactly_once(s)

    run_virtual(main)


def test_killed_again_and_again() -> None:
    """A daemon that lives for seven seconds at a time gets there in the end."""

    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await anyio.sleep(12)
            for _ in range(15):
                if s.incident_state() is IncidentState.SETTLED:
                    break
                await s.restart_daemon(after_s=1)
                await anyio.sleep(7)
            await s.until_settled(within_s=120)
            assert_exactly_once(s)

    run_virtual(main)


def test_stopped_politely_while_requests_are_on_their_way() -> None:
    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await s.until(lambda: s.intents("evacuate") > 0, 60)
            s.daemon.stop()
            await s.daemon.killed.wait()
            s.start_daemon()
            await s.until_settled(within_s=300)
            assert_exactly_once(s)

    run_virtual(main)


@pytest.mark.parametrize("off_s", [0, -30, 30])
def test_our_own_machine_reboots_in_the_middle(off_s: int) -> None:
    """Its boot clock begins anew; what is remembered is still older than what is read now."""

    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await s.until(lambda: s.intents("evacuate") > 0, 60)
            await s.reboot_ourselves(wall_is_off=timedelta(seconds=off_s))
            await s.until_settled(within_s=300)
            assert_exactly_once(s)

    run_virtual(main)


def test_a_second_daemon_takes_over_and_the_first_sends_nothing_more() -> None:
    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            first = s.daemon
            s.power_loss()
            await anyio.sleep(5)
            s.start_daemon()
            await s.until_settled(within_s=300)
            assert first.memory.failure is not None
            assert_exactly_once(s)

    run_virtual(main)


def test_a_journal_that_cannot_be_written_stops_every_action() -> None:
    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.daemon.journal.failing = "the disk is full"
            s.power_loss()
            await anyio.sleep(60)
            assert s.cloud.line.sent == []
            assert s.daemon.memory.failure == "the disk is full"
            s.daemon.journal.failing = None
            await s.until_settled(within_s=120)
            assert_exactly_once(s)

    run_virtual(main)


def test_a_journal_that_fails_in_the_middle_forgets_no_outcome() -> None:
    async def main() -> None:
        async with story(SERVERS, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await s.until(lambda: bool(s.posts()), 60)
            s.daemon.journal.failing = "the disk is full"
            await anyio.sleep(60)
            s.daemon.journal.failing = None
            await s.until_settled(within_s=120)
            assert_exactly_once(s)

    run_virtual(main)


def test_an_answer_that_was_owed_is_journalled_though_nothing_else_follows() -> None:
    """Nothing follows from the memory before the answer is in it: nobody else would write it."""

    async def main() -> None:
        async with story([server("a")]) as s:
            s.power_loss()
            await s.until(lambda: s.posts()["a"] == 1, 60, every_s=0.001)
            s.daemon.journal.failing = "the disk is full"
            await anyio.sleep(30)
            s.daemon.journal.failing = None
            await s.until_settled(within_s=60)
            assert s.recovery("a").state is RecoveryState.DONE
            assert s.posts()["a"] == 1

    run_virtual(main)
