"""What only fault campaigns came upon: troubles that meet in a bad moment. Each was a seed once."""

from dataclasses import replace

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.line import Fails
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

H1 = HostName("h1")


async def test_a_host_without_fencing_that_stays_dead_is_told_of_once() -> None:
    """Seed 1067: its incident was closed and opened anew every fifteen seconds, for ever."""
    async with story([server("a")], warm_s=0) as s:
        del s.fences[H1]
        s.start_daemon()
        await anyio.sleep(45)
        s.power_loss()
        await s.until_incident(IncidentState.NEEDS_HUMAN)
        await anyio.sleep(300)
        assert s.path() == ["needs_human"]
        assert len(s.state.incidents) == 1


async def test_a_host_without_fencing_is_recovered_once_it_has_some() -> None:
    async with story([server("a")], warm_s=0) as s:
        fence = s.fences.pop(H1)
        s.start_daemon()
        await anyio.sleep(45)
        s.power_loss()
        await s.until_incident(IncidentState.NEEDS_HUMAN)
        s.fences[H1] = fence
        await s.restart_daemon()
        await s.until_settled()
        s.assert_back("a")


async def test_a_list_of_a_cell_that_does_not_answer_is_no_empty_host() -> None:
    """Seed 1057: `GET /servers` hides a dead cell's servers, and the host was settled with none."""
    async with story([server("a"), image_server("held")]) as s:
        await anyio.sleep(60)  # a sweep has seen them
        s.power_loss()
        await s.until(lambda: s.incident_state("h1") is IncidentState.ISOLATING, every_s=0.01)
        await s.until(lambda: s.incident().isolation is not None, every_s=0.01)
        s.cloud.cell_works = False
        await anyio.sleep(30)
        assert s.incident_state() is IncidentState.RECOVERING
        assert not s.recovery_states()
        s.cloud.cell_works = True
        await s.until_settled()
        s.assert_back("a")
        assert s.recovery("held").state is RecoveryState.HELD


async def test_a_late_heartbeat_of_a_settled_host_keeps_no_server_from_coming_back() -> None:
    """Seed 1057, too: a sign of life that was only a message on its way, after all was settled."""
    async with story([server("a")]) as s:
        s.power_loss()
        await s.until_settled()
        s.cloud.heartbeat("nova-compute@h1")
        await anyio.sleep(30)
        s.cloud.add(server("b", vm_state="stopped"))  # its boot had been on its way
        await s.until(lambda: s.recovery_states().get("b") is RecoveryState.DONE, 200)
        await s.until_settled()
        assert s.records("b") == ["done"]
        s.assert_back("a")


async def test_a_server_that_is_reset_while_it_is_made_is_not_made_again() -> None:
    """Seeds 1376 and 1389: its evacuation failed without a fault, the guest ran, and ran twice."""
    async with story([server("a")]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 5.0
        s.power_loss()
        await s.until(lambda: bool(s.posts()))
        await s.until(lambda: bool(s.where("a")), every_s=0.05)
        s.cloud.accept_reset(server("a").id, "active")
        await s.until_settled()
        await anyio.sleep(60)
        assert s.recovery("a").state is RecoveryState.ORPHAN_SUSPECTED
        assert len(s.where("a")) == 1


async def test_a_lost_request_of_a_host_that_lives_again_ends_with_a_person() -> None:
    """Seed 100111: no trace of it, no proof any more, and nobody was ever told."""
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.NO_ANSWER, times=1)
        s.power_loss()
        await s.until(lambda: bool(s.posts()))
        s.cloud.edit("nova-compute@h1", forced_down=False)
        await s.until_incident(IncidentState.NEEDS_HUMAN)
        await s.cloud.boot(H1)
        await s.until(lambda: s.recovery("a").state is RecoveryState.STUCK, 700)
        assert s.posts() == {"a": 1}


async def test_who_waits_behind_a_lost_request_is_left_to_a_person_with_it() -> None:
    """Seed 402246: it was queued for ever, for another server's request was without an end."""
    rules = replace(shortened(), window=1, window_most=1)
    async with story([server("a"), server("b")], rules=rules) as s:
        s.cloud.line.fail("evacuate", Fails.NO_ANSWER, times=1)
        s.power_loss()
        await s.until(lambda: bool(s.posts()))
        s.cloud.edit("nova-compute@h1", forced_down=False)
        await s.until_incident(IncidentState.NEEDS_HUMAN)
        await s.until(lambda: s.recovery("b").state is RecoveryState.HELD, 30)
