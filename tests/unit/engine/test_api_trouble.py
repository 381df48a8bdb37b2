"""Nova's API fails in the middle of a recovery: unknown is read, never repeated, never given up."""

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import Story, story
from koboshi.sim.database import Database
from koboshi.sim.line import Fails
from koboshi.sim.samples import server

pytestmark = pytest.mark.anyio

NAMES = ("a", "b", "c", "d")
SERVERS = tuple(server(n) for n in NAMES)


async def under_way(s: Story) -> None:
    """Lose the host and wait until the first request is out."""
    s.power_loss()
    await s.until(lambda: bool(s.posts()), 60)


@pytest.mark.parametrize("how", [Fails.NO_ANSWER, Fails.NEVER_SENT])
async def test_the_whole_api_is_gone_for_25_s(how: Fails) -> None:
    async with story(SERVERS) as s:
        await under_way(s)
        s.cloud.line.fail("*", how, for_s=25)
        await s.until_settled(within_s=240)
        s.assert_back(*NAMES)


@pytest.mark.parametrize("how", [Fails.NO_ANSWER, Fails.NEVER_SENT])
async def test_the_api_is_gone_when_the_host_dies(how: Fails) -> None:
    async with story(SERVERS) as s:
        s.power_loss()
        s.cloud.line.fail("*", how, for_s=45)
        await s.until_settled(within_s=240)
        s.assert_back(*NAMES)
        assert s.intents("isolate") <= 25


@pytest.mark.parametrize("call", ["migrations", "server", "servers", "services", "room"])
async def test_one_kind_of_read_fails_for_25_s(call: str) -> None:
    async with story(SERVERS) as s:
        await under_way(s)
        s.cloud.line.fail(call, for_s=25)
        await s.until_settled(within_s=120)
        s.assert_back(*NAMES)
        assert s.intents("evacuate") <= 2 * len(NAMES)


async def test_reads_that_fail_from_the_beginning_are_waited_for() -> None:
    async with story(SERVERS) as s:
        s.cloud.line.fail("migrations", for_s=60)
        s.power_loss()
        await s.until_settled(within_s=180)
        s.assert_back(*NAMES)


async def test_a_lost_answer_is_found_in_the_records() -> None:
    async with story(SERVERS) as s:
        s.cloud.line.fail("evacuate", Fails.ANSWER_LOST, times=2)
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back(*NAMES)


async def test_a_request_that_never_arrived_is_sent_again_to_the_same_host_after_90_s() -> None:
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.NO_ANSWER, times=1)
        s.power_loss()
        await s.until_settled(within_s=200)
        assert s.recovery("a").state is RecoveryState.DONE
        first, second = [c for c in s.cloud.line.sent if c.call == "evacuate"]
        assert second.at_s - first.at_s >= 90
        assert second.detail == first.detail
        assert s.records("a") == ["done"]


async def test_what_may_be_sent_again_goes_nowhere_else_even_when_it_is_refused_first() -> None:
    """The last look before the second request fails: its server must not be planned anew."""
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.NO_ANSWER, times=1)
        s.power_loss()
        await s.until(lambda: bool(s.posts()), 60)
        first = next(c for c in s.cloud.line.sent if c.call == "evacuate")
        # The first destination is now the least attractive: the planner alone would choose another.
        for n in range(6):
            s.cloud.add(server(f"filler{n}", first.detail))
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.UNKNOWN, 30)
        s.cloud.line.fail_once_when("server", lambda: s.intents("evacuate") == 2)
        await s.until(lambda: s.posts()["a"] == 2, 150)
        sent = [c.detail for c in s.cloud.line.sent if c.call == "evacuate"]
        assert sent == [first.detail, first.detail]
        assert s.intents("evacuate") == 3


@pytest.mark.parametrize("late_s", [3, 90, 91, 92, 93, 96])
async def test_a_request_that_arrives_late_starts_no_second_server(late_s: float) -> None:
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.LATE, times=1, late_s=late_s)
        s.power_loss()
        await anyio.sleep(190)
        # Two requests that meet in the wrong moment may ruin each other: then it runs nowhere.
        assert len(s.where("a")) <= 1
        state = s.recovery("a").state
        assert state in {RecoveryState.DONE, RecoveryState.ORPHAN_SUSPECTED}
        assert state is RecoveryState.ORPHAN_SUSPECTED or s.where("a")


async def test_a_refusal_by_nova_is_told_and_not_repeated() -> None:
    async with story(SERVERS) as s:
        s.cloud.line.fail("evacuate", Fails.REFUSED, times=1, status=409)
        s.power_loss()
        await s.until_settled(within_s=60)
        states = list(s.recovery_states().values())
        assert states.count(RecoveryState.DONE) == 3
        assert states.count(RecoveryState.REFUSED) == 1


async def test_a_refusal_that_may_pass_is_asked_again_but_not_for_ever() -> None:
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.REFUSED, status=400)
        s.power_loss()
        await anyio.sleep(600)
        assert 2 <= s.posts()["a"] <= 20
        assert s.recovery("a").state is RecoveryState.REFUSED
        assert s.incident_state() is IncidentState.SETTLED


async def test_what_nova_never_evacuates_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Nova know of a vTPM that neither Glance nor Cinder told."""

    def yes(*_: object) -> bool:
        return True

    monkeypatch.setattr(Database, "needs_tpm", yes)
    async with story([server("a")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.posts()["a"] == 1
        assert s.recovery("a").state is RecoveryState.REFUSED
        assert "vTPM" in s.recovery("a").reason
        s.judged.breaches.clear()  # it knows a truth that nobody could read


async def test_a_refusal_that_passes_costs_little() -> None:
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.REFUSED, status=400, times=2)
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.recovery("a").state is RecoveryState.DONE


@pytest.mark.parametrize("how", [Fails.ANSWER_LOST, Fails.NO_ANSWER, Fails.NEVER_SENT])
async def test_force_down_is_asserted_by_reading(how: Fails) -> None:
    async with story(SERVERS) as s:
        s.cloud.line.fail("isolate", how, times=2)
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back(*NAMES)
        assert s.intents("isolate") <= 3


async def test_a_row_that_vanishes_freezes_the_recovery() -> None:
    """A cell that does not answer makes rows vanish: never dead, never healthy."""
    many = [server(f"s{n}") for n in range(12)]
    async with story(many) as s:
        await under_way(s)
        row = s.cloud.hide(HostName("h1"))
        await anyio.sleep(3)
        sent = sum(s.posts().values())
        await anyio.sleep(60)
        assert sum(s.posts().values()) == sent < 12
        s.cloud.show(row)
        await s.until_settled(within_s=120)
        s.assert_back(*(f"s{n}" for n in range(12)))


async def test_hosts_whose_rows_vanish_are_not_dead() -> None:
    async with story(SERVERS) as s:
        s.cloud.hide(HostName("h1"))
        s.machine("h1").link = False
        await anyio.sleep(120)
        assert s.posts() == {}
        assert not s.state.incidents
        assert s.cloud.servers_by_id[ServerId("a")].host == "h1"


async def test_answers_that_overtake_each_other_are_no_operators_hand() -> None:
    """A row that was read before our PUT, and arrives after it was read back, says nothing new."""
    async with story(SERVERS) as s:
        s.cloud.line.slow_answers("services", 2.5, lambda: s.intents("isolate") == 0)
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back(*NAMES)
        assert "needs_human" not in s.path()
        assert "source_back" not in s.path()


async def test_records_that_were_read_long_ago_are_not_new_when_they_arrive() -> None:
    async with story(SERVERS) as s:
        s.cloud.line.slow_answers("migrations", 4.0, lambda: True)
        s.power_loss()
        await s.until_settled(within_s=200)
        s.assert_back(*NAMES)
