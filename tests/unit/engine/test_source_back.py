"""The dead host gives a sign of life: no new evacuation, and nothing runs twice."""

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import Story, story
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

H1 = HostName("h1")
MANY = tuple(f"s{n}" for n in range(12))


async def half_way(s: Story, done: int = 1) -> None:
    """Lose the host and wait until some servers are back and others wait for their turn."""
    s.power_loss()
    await s.until(lambda: list(s.recovery_states().values()).count(RecoveryState.DONE) >= done, 90)


async def test_a_host_that_is_switched_on_mid_queue_is_switched_off_again() -> None:
    """Something may be building: the source is fenced again at once, then the rest goes on."""
    async with story([server(n) for n in MANY]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 15.0
        s.power_loss()
        await s.until(lambda: sum(s.posts().values()) >= 6, 60)
        await s.cloud.boot(H1)
        await s.until_settled(within_s=300)
        assert "source_back" in s.path()
        assert len(s.fences[H1].offs) >= 1
        for name in MANY:
            assert len(s.where(name)) == 1
            assert s.posts()[name] == 1


async def test_a_host_that_is_back_when_nothing_is_on_its_way_is_left_alone() -> None:
    """What still waited is held: its data is where its host is."""
    async with story([server("a"), image_server("b")]) as s:
        s.cloud.physics.hosts[HostName("h2")].spawn_s = 3.0
        s.power_loss()
        await s.until_settled(within_s=60)
        await s.cloud.boot(H1)
        await anyio.sleep(60)
        assert s.incident_state() is IncidentState.SETTLED
        assert s.fences[H1].offs == []
        assert s.posts() == {"a": 1}


async def test_a_host_that_is_back_before_any_request_recovers_nothing() -> None:
    async with story([server("a")]) as s:
        s.cloud.line.fail("room")  # nowhere to go yet
        s.power_loss()
        await s.until_incident(IncidentState.RECOVERING, within_s=60)
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.QUEUED, 30)
        s.machine("h1").boot_s = 5
        await s.cloud.boot(H1)
        await s.until_settled(within_s=60)
        assert s.posts() == {}
        assert s.recovery("a").state is RecoveryState.HELD
        assert s.fences[H1].offs == []


async def test_a_heartbeat_that_was_under_way_is_no_life_for_long() -> None:
    """A message sent before the death arrives after the isolation: fence once more, go on."""
    async with story([server(n) for n in MANY]) as s:
        s.power_loss()
        await s.until_incident(IncidentState.RECOVERING, within_s=60)
        s.cloud.heartbeat("nova-compute@h1")
        await s.until_settled(within_s=180)
        s.assert_back(*MANY)
        assert "source_back" in s.path()


async def test_the_way_home_closes_the_incident() -> None:
    async with story([server("a"), image_server("b")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        await s.cloud.boot(H1)
        await anyio.sleep(20)
        assert s.records("a") == ["completed"]
        s.cloud.edit("nova-compute@h1", forced_down=False)
        await anyio.sleep(20)
        assert s.incident_state() is IncidentState.SETTLED
        s.cloud.edit("nova-compute@h1", enabled=True, disabled_reason=None)
        await s.until_incident(IncidentState.CLOSED, within_s=120)
        assert s.where("a") != ("h1",)
        assert s.cloud.physics.roots[ServerId("b")] == "data"


async def test_a_host_that_died_and_was_brought_home_is_protected_again() -> None:
    async with story([server("a"), server("z")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        await s.cloud.boot(H1)
        await anyio.sleep(20)
        s.cloud.edit("nova-compute@h1", forced_down=False, enabled=True, disabled_reason=None)
        await s.until_incident(IncidentState.CLOSED, within_s=120)
        s.cloud.add(server("later"))
        await anyio.sleep(20)
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("later") is RecoveryState.DONE, 90)
        assert len(s.where("later")) == 1
        assert len(s.where("a")) == 1
