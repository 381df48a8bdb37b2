"""A person tries whether a host can be switched off and on: really, and never a host that is used."""

from dataclasses import replace

import anyio
import pytest

from koboshi.domain.decision import Decision, Refused
from koboshi.domain.memory.commands import TryFence
from koboshi.domain.memory.events import CommandEnded, FenceTested
from koboshi.domain.names import HostName
from koboshi.domain.rules import Mode
from koboshi.domain.word import TestFence as Word
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import Bmc
from koboshi.sim.operating import update_service
from koboshi.sim.samples import server

pytestmark = pytest.mark.anyio

H4 = HostName("h4")
SERVERS = (server("a"),)


async def disabled(s: Story, name: str = "h4") -> None:
    """Let an operator disable a host."""
    update_service(s.cloud, HostName(name), {"enabled": False, "disabled_reason": "maintenance"})
    await anyio.sleep(70)  # the next sweep


async def ask(s: Story, name: str = "h4") -> Decision | Refused | None:
    return await s.daemon.hear(Word(host=HostName(name)), "uid 0 (root)")


def results(s: Story) -> list[FenceTested]:
    return [r.event for r in s.disk.recorded if isinstance(r.event, FenceTested)]


async def test_an_empty_disabled_host_is_switched_off_and_on() -> None:
    async with story(SERVERS) as s:
        await disabled(s)
        answered = await ask(s)
        assert isinstance(answered, Decision)
        (command,) = answered.commands
        assert isinstance(command, TryFence)
        assert command.by == "uid 0 (root)"
        await s.until(lambda: bool(results(s)), 120)
        (event,) = results(s)
        assert event.ok, event.detail
        fence = s.fences[H4]
        assert (len(fence.offs), len(fence.ons)) == (1, 1)
        assert fence.ons[0] - fence.offs[0] >= 29.5
        await anyio.sleep(30)
        assert s.machine("h4").power
        assert s.state.devices.tests[H4].worked_at is not None
        assert not s.state.incidents
        assert not s.state.commands


async def test_it_says_that_the_device_does_not_obey() -> None:
    async with story(SERVERS) as s:
        await disabled(s)
        s.fences[H4].mode = Bmc.REFUSE
        await ask(s)
        await s.until(lambda: bool(results(s)), 240)
        (event,) = results(s)
        assert not event.ok
        assert "refuses" in event.detail
        assert s.machine("h4").power
        assert s.state.devices.tests[H4].worked_at is None


async def test_a_device_that_switches_another_host_is_found() -> None:
    """It reads off, and the host answers: the device is h3's, which was switched off for a moment."""
    async with story(SERVERS) as s:
        s.fences[H4].wired_to = HostName("h3")
        await s.restart_daemon()  # a start asks every device whose it is
        await disabled(s)
        answered = await ask(s)
        if isinstance(answered, Refused):  # their serials told it before anything was switched
            assert "quarantined" in answered.reason
            return
        pytest.fail("two devices with one serial were not noticed")


async def test_a_host_that_is_used_in_any_way_is_not_tried() -> None:
    async with story((server("a"), server("b", "h4"))) as s:
        for name, why in (("h1", "is in service"), ("h4", "is in service"), ("h9", "no power")):
            answered = await ask(s, name)
            assert isinstance(answered, Refused), name
            assert why in answered.reason
        await disabled(s)
        answered = await ask(s)
        assert isinstance(answered, Refused)
        assert "is not empty" in answered.reason
        assert not s.fences[H4].offs


async def test_nothing_is_tried_while_a_host_is_recovered() -> None:
    async with story(SERVERS) as s:
        await disabled(s)
        s.machine("h1").link = False
        await s.until(lambda: bool(s.state.incidents), 60)
        answered = await ask(s)
        assert isinstance(answered, Refused)


async def test_a_server_that_came_meanwhile_stops_it_before_anything_is_switched() -> None:
    async with story(SERVERS) as s:
        await disabled(s)
        s.cloud.change(server("a").id, host=H4)  # after the sweep, before the last look
        answered = await ask(s)
        assert isinstance(answered, Decision)
        await s.until(lambda: not s.state.commands, 60)
        (ended,) = [r.event for r in s.disk.recorded if isinstance(r.event, CommandEnded)]
        assert "1 servers are on it" in ended.detail
        assert not s.fences[H4].offs
        assert results(s) == []
        s.cloud.change(server("a").id, host=HostName("h1"))


async def test_nothing_is_tried_in_observe_mode() -> None:
    async with story(SERVERS, rules=replace(shortened(), mode=Mode.OBSERVE)) as s:
        await disabled(s)
        assert isinstance(await ask(s), Refused)


async def test_a_daemon_that_dies_in_the_middle_says_so_at_the_next_start() -> None:
    async with story(SERVERS) as s:
        await disabled(s)
        await ask(s)
        await s.until(lambda: bool(s.fences[H4].offs), 60)
        await s.restart_daemon()
        await s.until(lambda: bool(results(s)), 10)
        (event,) = results(s)
        assert not event.ok
        assert "the host may be OFF" in event.detail
        assert not s.state.commands
