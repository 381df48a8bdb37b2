"""What people and other programs do in the middle of a recovery is respected."""

from datetime import timedelta

import anyio
import pytest

from koboshi.domain.facts.cloud import Flavor, ServerGroup
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import Bmc
from koboshi.sim.line import Fails
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
HUGE = Flavor(name="huge", vcpus=64, ram_mb=1024, disk_gb=10)


async def isolated(s: Story) -> None:
    """Lose the host while nothing can be planned, and wait until Nova holds it down."""
    s.cloud.line.fail("room")
    s.power_loss()
    await s.until(lambda: bool(s.recovery_states()), 60)


async def test_an_operator_evacuates_a_waiting_server_first() -> None:
    async with story([server("a"), server("b")]) as s:
        await isolated(s)
        s.cloud.physics.hosts[H2].spawn_s = 20.0
        s.cloud.accept_evacuate(ServerId("a"), H2)
        s.cloud.line.mend()
        await s.until_settled(within_s=120)
        assert s.recovery("a").state in {RecoveryState.FOREIGN, RecoveryState.GONE}
        assert s.posts() == {"b": 1}
        await anyio.sleep(30)
        assert s.where("a") == ("h2",)


async def test_an_operator_has_evacuated_a_waiting_server() -> None:
    async with story([server("a"), server("b")]) as s:
        await isolated(s)
        s.cloud.accept_evacuate(ServerId("a"), H2)
        await anyio.sleep(20)
        s.cloud.line.mend()
        await s.until_settled(within_s=120)
        assert s.recovery("a").state is RecoveryState.GONE
        assert s.posts() == {"b": 1}


async def test_an_operator_evacuates_what_is_building_already() -> None:
    """Two requests for one server: nobody knows what runs where, so hands off."""
    async with story([server("a")]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 20.0
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.BUILDING, 60)
        first = s.recovery("a").destination
        assert first is not None
        s.cloud.accept_evacuate(ServerId("a"), first)
        await s.until_settled(within_s=120)
        assert s.recovery("a").state is RecoveryState.ORPHAN_SUSPECTED
        assert s.posts() == {"a": 1}


async def test_a_server_is_deleted_while_it_waits() -> None:
    async with story([server("a"), server("b")]) as s:
        await isolated(s)
        s.cloud.delete(ServerId("a"))
        s.cloud.line.mend()
        await s.until_settled(within_s=120)
        assert s.recovery("a").state is RecoveryState.GONE
        assert s.posts() == {"b": 1}


@pytest.mark.parametrize("when_s", [0.0, 2.0])
async def test_a_server_is_deleted_while_it_is_built(when_s: float) -> None:
    """Before its destination has taken it, Nova leaves the record open for ever."""
    async with story([server("a"), server("b")]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 10.0
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.BUILDING, 60)
        await anyio.sleep(when_s)
        s.cloud.delete(ServerId("a"))
        await s.until_settled(within_s=700)
        assert s.recovery("a").state is RecoveryState.GONE
        assert s.recovery("b").state is RecoveryState.DONE


async def test_an_operator_lifts_force_down_and_is_not_fought() -> None:
    """The row is theirs now: no new request, no new fence, no new force-down; a person is told."""
    async with story([server("a"), server("b")]) as s:
        await isolated(s)
        s.cloud.edit("nova-compute@h1", forced_down=False)
        s.cloud.line.mend()
        await anyio.sleep(180)
        assert s.posts() == {}
        assert s.fences[H1].offs == []
        assert not s.cloud.row(H1).forced_down
        assert s.incident_state() in {IncidentState.NEEDS_HUMAN, IncidentState.FOREIGN}


async def test_another_program_marks_the_host_and_is_not_fought() -> None:
    async with story([server("a"), server("b")]) as s:
        await isolated(s)
        s.cloud.edit("nova-compute@h1", disabled_reason="Masakari detected host failed.")
        s.cloud.line.mend()
        await anyio.sleep(120)
        assert s.posts() == {}
        assert s.cloud.row(H1).disabled_reason == "Masakari detected host failed."


async def test_somebody_else_has_begun_to_evacuate_the_host() -> None:
    """An evacuation of it that we did not send: Koboshi only watches."""
    async with story([server("a"), server("b")]) as s:
        s.cloud.physics.hosts[H2].spawn_s = 300.0
        s.daemon.stop()
        s.power_loss()
        await anyio.sleep(70)
        s.cloud.accept_evacuate(ServerId("a"), H2)
        s.start_daemon()
        await s.until_incident(
            IncidentState.FOREIGN, IncidentState.SETTLED, name="h1", within_s=180
        )
        assert s.incident_state() is IncidentState.FOREIGN
        assert s.posts() == {}
        assert [c.call for c in s.cloud.line.sent] == []


async def test_no_room_anywhere_posts_nothing_until_there_is() -> None:
    """NoValidHost would turn an ACTIVE server into ERROR."""
    async with story([server("big", flavor=HUGE), server("small")]) as s:
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("small") is RecoveryState.DONE, 60)
        await anyio.sleep(30)
        assert s.posts()["big"] == 0
        assert s.cloud.servers_by_id[ServerId("big")].vm_state == "active"
        s.machine("h3").vcpus = 128
        await s.until(lambda: s.recovery_states().get("big") is RecoveryState.DONE, 60)
        assert s.where("big") == ("h3",)


async def test_no_room_for_long_is_told_and_offered_again_when_there_is_room() -> None:
    async with story([server("big", flavor=HUGE)]) as s:
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("big") is RecoveryState.GIVEN_UP, 700)
        assert s.posts() == {}
        assert "recovery_moved" in s.notifier.kinds()
        s.machine("h3").vcpus = 128
        await s.until(lambda: s.recovery_states().get("big") is RecoveryState.DONE, 120)
        assert s.where("big") == ("h3",)


async def test_room_is_not_given_away_twice() -> None:
    """Each host has room for one more: nobody is sent where another one is already going."""
    flavor = Flavor(name="wide", vcpus=20, ram_mb=1024, disk_gb=10)
    names = ("a", "b", "c", "d", "e")
    async with story([server(n, flavor=flavor) for n in names]) as s:
        s.power_loss()
        await s.until(lambda: list(s.recovery_states().values()).count(RecoveryState.DONE) == 3, 60)
        await anyio.sleep(60)
        assert sum(s.posts().values()) == 3
        assert {r.status for r in s.cloud.records} == {"done"}


async def test_no_valid_host_is_tried_elsewhere_and_the_server_is_back() -> None:
    async with story([server("a")]) as s:
        s.machine("h2").spawn_fault = "Virtual Interface creation failed"
        s.machine("h3").spawn_fault = "Virtual Interface creation failed"
        s.power_loss()
        await s.until_settled(within_s=120)
        assert s.recovery("a").state is RecoveryState.DONE
        assert s.where("a") == ("h4",)
        assert min(s.records("a")) == "done"


async def test_three_failures_are_enough() -> None:
    async with story([server("a")], hosts=6) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_fault = "Virtual Interface creation failed"
        s.power_loss()
        await s.until_settled(within_s=120)
        await anyio.sleep(120)
        assert s.recovery("a").state is RecoveryState.GIVEN_UP
        assert s.records("a") == ["failed"] * 3


async def test_a_destination_that_has_it_already_is_an_orphan() -> None:
    async with story([server("a")]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_fault = "Instance a already exists."
        s.power_loss()
        await s.until_settled(within_s=120)
        await anyio.sleep(60)
        assert s.recovery("a").state is RecoveryState.ORPHAN_SUSPECTED
        assert s.posts()["a"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_destination_whose_nova_compute_dies_half_way_is_waited_for(when: str) -> None:
    """The server may run there already: nothing is repeated, whatever Nova shows."""
    async with story([server("a")]) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.die_in_spawn = when
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.STUCK, 200)
        destination = s.recovery("a").destination
        assert destination is not None
        await anyio.sleep(120)
        assert s.posts()["a"] == 1
        for machine in s.cloud.physics.hosts.values():
            machine.die_in_spawn = None


async def test_a_destination_that_dies_half_way_is_fenced_first_and_then_it_goes_elsewhere() -> (
    None
):
    rules = shortened(incident_memory=timedelta(seconds=90))
    async with story([server("a")], hosts=5, rules=rules) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 30.0
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.BUILDING, 60)
        destination = s.recovery("a").destination
        assert destination is not None
        await anyio.sleep(5)
        s.power_loss(destination)
        await s.until(lambda: s.posts()["a"] == 2, 300)
        assert s.state.open_incident(destination) is not None
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.DONE, 120)
        assert len(s.where("a")) == 1
        assert destination not in s.where("a")


async def test_an_anti_affinity_group_goes_one_by_one_and_shares_no_host() -> None:
    names = ("a", "b", "c")
    async with story([server(n) for n in names], hosts=5) as s:
        s.cloud.groups.append(
            ServerGroup(
                id="g", policy="anti-affinity", members=frozenset(ServerId(n) for n in names)
            )
        )
        s.power_loss()
        await s.until_settled(within_s=120)
        s.assert_back(*names)
        assert len({s.where(n) for n in names}) == 3


async def test_a_server_that_is_held_and_deleted_is_gone() -> None:
    async with story([image_server("b"), server("a")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        s.cloud.delete(ServerId("b"))
        await s.until(lambda: s.recovery_states()["b"] is RecoveryState.GONE, 120)


async def test_a_server_that_is_held_and_evacuated_by_hand_is_not_held_any_more() -> None:
    async with story([image_server("b"), server("a")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        s.cloud.accept_evacuate(ServerId("b"), H3)
        await s.until(lambda: s.recovery_states()["b"] is not RecoveryState.HELD, 120)
        assert s.posts()["b"] == 0


async def test_a_request_that_left_no_trace_does_not_keep_an_incident_open_for_ever() -> None:
    """Its answer was lost and the host came back: the server runs there, and nothing is on its way."""
    async with story([server("a")]) as s:
        s.cloud.line.fail("evacuate", Fails.NO_ANSWER)
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("a") is RecoveryState.UNKNOWN, 60)
        for fence in s.fences.values():
            fence.mode = Bmc.GONE  # it cannot be switched off again
        await s.cloud.boot(H1)
        await anyio.sleep(30)
        s.cloud.edit("nova-compute@h1", forced_down=False, enabled=True, disabled_reason=None)
        await s.until_incident(IncidentState.CLOSED, within_s=1500)
        assert s.where("a") in {(), ("h1",)}
