"""What looks like a dead host and is none: nothing is fenced, nothing evacuated, somebody is told."""

from datetime import timedelta

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import Mode
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import Bmc
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

SERVERS = (server("a"), image_server("b"), server("c", "h2"))


def assert_nothing_was_done(s: Story) -> None:
    """Assert that no command reached the cloud, and no BMC was told anything."""
    assert s.cloud.line.sent == []
    assert [f.offs for f in s.fences.values() if f.offs] == []


async def test_a_dead_nova_compute_is_a_notice_and_nothing_more() -> None:
    async with story(SERVERS) as s:
        s.cloud.physics.kill_compute(HostName("h1"))
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert s.noticed() == [("h1", "service_failed")]
        assert not s.state.incidents
        s.cloud.start_compute(HostName("h1"))
        await anyio.sleep(30)
        assert not s.state.notices


async def test_a_hung_host_is_told_loudly_and_not_fenced() -> None:
    async with story(SERVERS) as s:
        s.machine("h1").hung = True
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert s.noticed() == [("h1", "hung")]


async def test_a_quick_reboot_opens_no_incident_and_those_that_ran_run_again() -> None:
    async with story(SERVERS) as s:
        s.machine("h1").boot_s = 8
        s.power_loss()
        await anyio.sleep(2)
        await s.cloud.boot(HostName("h1"))
        await anyio.sleep(120)
        assert {sent.call for sent in s.cloud.line.sent} == {"start"}
        assert not s.state.incidents
        assert all(s.where(server.id) == ("h1",) for server in SERVERS if server.host == "h1")


async def test_a_broken_message_bus_is_no_dead_cloud() -> None:
    async with story(SERVERS) as s:
        s.cloud.bus_works = False
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_our_own_network_cut_is_no_dead_cloud() -> None:
    async with story(SERVERS) as s:
        s.probe.blind = True
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_both_at_once_are_no_dead_cloud_either() -> None:
    async with story(SERVERS) as s:
        s.probe.blind = True
        s.cloud.bus_works = False
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_a_dark_management_network_alone_is_no_death() -> None:
    async with story(SERVERS) as s:
        s.probe.silent_addresses.add("192.0.2.1")
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_our_own_trouble_is_no_silence() -> None:
    async with story(SERVERS) as s:
        s.probe.own_trouble = True
        await anyio.sleep(60)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_a_bmc_that_reads_off_while_the_host_answers_is_not_believed() -> None:
    """Later the host falls silent on every path, and its BMC still reads off: no proof."""
    async with story(SERVERS) as s:
        s.fences[HostName("h1")].mode = Bmc.LIE_OFF
        await s.restart_daemon()  # a start reads every BMC
        await anyio.sleep(60)
        assert ("h1", "bmc_contradicts") in s.noticed()
        s.machine("h1").link = False
        await anyio.sleep(180)
        assert s.posts() == {}
        assert s.where("a") == ("h1",)
        assert s.incident_state() is IncidentState.UNPROVEN
        assert "its word is not taken" in s.incident().reason


async def test_a_host_that_comes_home_is_no_contradiction() -> None:
    """Its last reading was off, and now it answers: because somebody switched it on."""
    async with story(SERVERS) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        s.fences[HostName("h1")].answer_s = 4.0  # as slow as BMCs are
        await s.cloud.boot(HostName("h1"))
        await anyio.sleep(120)
        assert ("h1", "bmc_contradicts") not in s.noticed()


async def test_observe_mode_changes_nothing() -> None:
    async with story(SERVERS, rules=shortened(mode=Mode.OBSERVE)) as s:
        s.power_loss()
        await s.until_incident(IncidentState.WOULD_ACT, within_s=40)
        await anyio.sleep(120)
        assert_nothing_was_done(s)
        assert "would fence h1" in s.incident().reason
        await s.cloud.boot(HostName("h1"))
        await s.until_incident(IncidentState.CLOSED, within_s=60)


async def test_a_host_that_was_down_at_the_very_first_start_waits_for_a_word() -> None:
    async with story(SERVERS, warm_s=0) as s:
        s.power_loss()
        await anyio.sleep(90)
        s.start_daemon()
        await anyio.sleep(180)
        assert_nothing_was_done(s)
        assert s.state.found_down == {"h1"}
        await s.restart_daemon()
        await anyio.sleep(120)
        assert_nothing_was_done(s)
        await s.cloud.boot(HostName("h1"))
        await anyio.sleep(60)
        assert not s.state.found_down


async def test_a_host_that_an_operator_disabled_is_left_to_them() -> None:
    async with story(SERVERS) as s:
        s.cloud.edit("nova-compute@h1", enabled=False, disabled_reason="disk swap, anna")
        await anyio.sleep(20)
        s.power_loss()
        await anyio.sleep(120)
        assert_nothing_was_done(s)
        assert s.noticed() == [("h1", "disabled_and_dark")]


async def test_libvirts_own_disable_protects_nobody_from_recovery() -> None:
    async with story(SERVERS) as s:
        s.cloud.edit("nova-compute@h1", enabled=False, disabled_reason="AUTO: libvirt is gone")
        await anyio.sleep(20)
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("a")


async def test_a_standstill_of_our_own_loop_is_no_silence() -> None:
    """After a gap everything must be silent anew, for as long as silence takes."""
    async with story(SERVERS) as s:
        s.daemon.clock.freeze(timedelta(seconds=60))
        await anyio.sleep(55)
        s.power_loss()
        await anyio.sleep(10)
        assert s.incident_state() is None
        assert "loop_gap" in [e["event"] for e in s.logs]
        await s.until_settled(within_s=90)
        s.assert_back("a")


async def test_a_host_that_dies_before_it_was_trusted_is_told() -> None:
    """Its silence does not count yet, so nothing is done; but nobody may learn of it too late."""
    async with story(SERVERS, warm_s=0) as s:
        s.start_daemon()
        await anyio.sleep(5)
        s.power_loss()
        await anyio.sleep(240)
        assert_nothing_was_done(s)
        assert ("h1", "silent_unconfirmed") in s.noticed()


async def test_two_hosts_at_once_are_implausible() -> None:
    async with story(SERVERS, rules=shortened(incident_memory=timedelta(seconds=60))) as s:
        s.power_loss("h1")
        s.power_loss("h2")
        await anyio.sleep(120)
        assert_nothing_was_done(s)
        await s.cloud.boot(HostName("h2"))
        await s.until_settled(within_s=120)
        s.assert_back("a")


async def test_a_second_host_within_fifteen_minutes_is_held_and_later_recovered() -> None:
    rules = shortened(incident_memory=timedelta(seconds=120))
    async with story(SERVERS, rules=rules) as s:
        s.power_loss("h1")
        await s.until_settled(within_s=60)
        assert s.where("a") in {("h3",), ("h4",)}
        s.power_loss("h2")
        await s.until_incident(IncidentState.HELD, name="h2", within_s=60)
        assert "more than 1 at a time is implausible" in s.incident("h2").reason
        assert s.posts()["c"] == 0
        await s.until_settled("h2", within_s=210)
        assert s.recovery("c").state is RecoveryState.DONE


async def test_a_dead_ironic_nova_compute_kills_no_server() -> None:
    async with story([server("metal"), server("c", "h2")], warm_s=0) as s:
        s.cloud.types[HostName("h1")] = "ironic"
        s.start_daemon()
        await anyio.sleep(45)
        s.power_loss()
        await anyio.sleep(120)
        assert_nothing_was_done(s)
        assert not s.state.incidents


async def test_what_we_did_not_watch_is_no_silence() -> None:
    """A probe was lost right before our loop stood still, and one is lost right after."""
    async with story(SERVERS) as s:
        s.machine("h1").link = False
        await anyio.sleep(3)
        s.daemon.clock.freeze(timedelta(seconds=40))
        await anyio.sleep(38)
        s.machine("h1").link = True
        await anyio.sleep(0.5)
        s.machine("h1").link = False
        await anyio.sleep(5)
        assert not s.state.incidents
        s.machine("h1").link = True
        await anyio.sleep(60)
        assert_nothing_was_done(s)
