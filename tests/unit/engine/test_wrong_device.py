"""A power device that is wired to another host: found by reading, and nobody is killed by it."""

from dataclasses import replace

import anyio
import pytest

from koboshi.domain.facts.device import Identity
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import Bmc
from koboshi.sim.samples import server

pytestmark = pytest.mark.anyio

H1, H2 = HostName("h1"), HostName("h2")
SERVERS = (server("a"), server("b"))


def swap(s: Story, *, tells: bool = False) -> None:
    """Wire the devices of h1 and h2 crosswise, whether they tell it or not."""
    s.fences[H1].wired_to, s.fences[H2].wired_to = H2, H1
    if not tells:
        s.fences[H1].told = Identity(serial="serial-of-h1")
        s.fences[H2].told = Identity(serial="serial-of-h2")


def offs(s: Story) -> int:
    return sum(len(fence.offs) for fence in s.fences.values())


async def test_swapped_devices_are_found_before_the_first_off() -> None:
    """h1 loses power; its device is h2's and reads on: an off would kill h2."""
    async with story(SERVERS) as s:
        swap(s)
        s.power_loss()
        await s.until_incident(IncidentState.HELD, within_s=60)
        assert "the two may be swapped, and an off for h1 would kill h2" in s.incident().reason
        await anyio.sleep(180)
        assert offs(s) == 0
        assert s.posts() == {}
        assert s.machine("h2").power
        assert s.incident_state() is IncidentState.HELD
        assert ("h2", "bmc_contradicts") in s.noticed()


async def test_without_that_look_the_wrong_host_would_be_killed() -> None:
    """What the look is for: with it switched off, the same story kills h2."""
    async with story(SERVERS, rules=replace(shortened(), look_first=0)) as s:
        swap(s)
        s.power_loss()
        await s.until(lambda: not s.machine("h2").power, 120)


async def test_one_device_for_two_hosts_is_told_by_its_serial() -> None:
    async with story(SERVERS) as s:
        s.fences[H2].wired_to = H1  # and says so
        await s.restart_daemon()  # a start asks every device whose it is
        await anyio.sleep(60)
        assert {("h1", "bmc_mistaken"), ("h2", "bmc_mistaken")} <= set(s.noticed())
        s.machine("h2").link = False
        await s.until_incident(IncidentState.UNPROVEN, name="h2", within_s=60)
        await anyio.sleep(120)
        assert offs(s) == 0
        assert s.machine("h1").power


async def test_a_device_that_names_another_host_is_not_used() -> None:
    async with story(SERVERS) as s:
        s.fences[H1].told = Identity(serial="serial-of-h1", host_name="H2.example.com")
        await s.restart_daemon()
        await anyio.sleep(60)
        assert ("h1", "bmc_mistaken") in s.noticed()
        assert ("h2", "bmc_mistaken") not in s.noticed()
        s.fences[H1].told = Identity(serial="SERIAL-of-h1", host_name="h1")
        await s.restart_daemon()
        await anyio.sleep(60)
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back("a", "b")


async def test_a_device_that_contradicted_is_not_used_though_it_reads_on_again() -> None:
    async with story(SERVERS) as s:
        s.fences[H1].mode = Bmc.LIE_OFF
        await s.restart_daemon()
        await anyio.sleep(60)
        s.fences[H1].mode = Bmc.NORMAL
        await s.restart_daemon()
        await anyio.sleep(60)
        s.machine("h1").link = False
        await s.until_incident(IncidentState.UNPROVEN, within_s=60)
        await anyio.sleep(60)
        assert offs(s) == 0
        assert s.posts() == {}


async def test_a_lying_device_of_old_does_not_hold_every_other_host() -> None:
    """h2's device read off while h1 still answered: so it is not h1's."""
    async with story(SERVERS) as s:
        s.fences[H2].mode = Bmc.LIE_OFF
        await s.restart_daemon()
        await anyio.sleep(150)
        s.machine("h1").link = False
        await s.until_settled(within_s=90)
        s.assert_back("a", "b")
        assert len(s.fences[H1].offs) == 1


async def test_a_device_moved_while_koboshi_is_away_is_found_by_its_first_words() -> None:
    async with story(SERVERS) as s:
        s.daemon.kill()
        swap(s, tells=True)
        s.machine("h1").link = False
        s.start_daemon()
        await s.until_incident(IncidentState.UNPROVEN, within_s=180)
        await anyio.sleep(60)
        assert offs(s) == 0
        assert {("h1", "bmc_mistaken"), ("h2", "bmc_mistaken")} <= set(s.noticed())


async def test_a_device_moved_under_our_eyes_is_found_right_before_the_off() -> None:
    """Whose it is was asked half an hour ago: it is asked again, and nobody is killed."""
    async with story(SERVERS) as s:
        await anyio.sleep(30)
        swap(s, tells=True)
        await anyio.sleep(30)
        s.machine("h1").link = False
        await s.until_incident(IncidentState.UNPROVEN, within_s=90)
        assert offs(s) == 0
        assert s.machine("h2").power
        assert ("h1", "bmc_mistaken") in s.noticed()


async def test_a_moved_device_that_reads_off_proves_nothing() -> None:
    """h1 is cut off and runs; its device is h2's now, and h2 is off: no proof, so nobody runs twice."""
    async with story(SERVERS) as s:
        s.daemon.kill()
        swap(s, tells=True)
        s.machine("h1").link = False
        s.cloud.physics.cut_power(H2)
        s.start_daemon()
        await anyio.sleep(240)
        assert s.posts() == {}
        assert offs(s) == 0


async def test_a_device_that_tells_no_more_whose_it_is_has_no_off_and_that_is_told() -> None:
    async with story(SERVERS) as s:
        await anyio.sleep(30)
        s.fences[H1].told = Identity(host_name="h1")
        await s.restart_daemon()
        await anyio.sleep(60)
        s.machine("h1").link = False
        await s.until_incident(IncidentState.UNPROVEN, within_s=90)
        assert offs(s) == 0
        s.fences[H1].told = None
        await s.until_settled(within_s=180)
        s.assert_back("a", "b")


async def test_a_device_that_never_told_is_switched_as_ever() -> None:
    async with story(SERVERS, warm_s=0) as s:
        s.fences[H1].told = Identity(host_name="h1")
        s.start_daemon()
        await anyio.sleep(60)
        s.machine("h1").link = False
        await s.until_settled(within_s=90)
        s.assert_back("a", "b")
