"""The judge must not be blinded by what it allows: a true breach beside each allowance is found.

A rogue takes the daemon's place once a host is isolated, and sends what no guard would let pass.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.memory.events import CommandIntended
from koboshi.domain.names import CommandId, HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import RuleBroken, Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.accounts import Closing, close
from koboshi.sim.bmc import Bmc, Read
from koboshi.sim.breach import Breach, Rule
from koboshi.sim.invariants import Judge
from koboshi.sim.journal import MemoryJournal
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import VirtualClock, run_virtual

H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
Tell = Callable[[Story], Awaitable[None]]


def judged(tell: Tell) -> Judge:
    """Play to where one server is made, and the other waits for its turn; then `tell` goes on."""
    stories: list[Story] = []

    async def main() -> None:
        rules = replace(shortened(), window=1, window_most=1)
        async with story([server("first"), server("waits")], rules=rules) as s:
            stories.append(s)
            for machine in s.cloud.physics.hosts.values():
                machine.spawn_s = 300.0
            await tell(s)

    try:
        run_virtual(main)
    except* RuleBroken:
        pass  # told by the judge, whom we ask
    return stories[0].judged


async def until_one_waits(s: Story) -> None:
    await s.until(lambda: bool(s.posts()), every_s=0.02)
    await anyio.sleep(0.5)
    assert s.recovery_states()["waits"] is RecoveryState.QUEUED
    s.daemon.kill()


async def lie(s: Story) -> None:
    """Cut a host off that lives, behind a BMC that says off."""
    s.fences[H1].mode = Bmc.LIE_OFF
    s.machine("h1").link = s.machine("h1").link_in = False
    await until_one_waits(s)


async def is_asked(s: Story) -> None:
    """Ask the host as the daemon would."""
    await s.fences[H1].power_state()
    await s.probe.ask(s.machine("h1").address)


async def send(s: Story) -> None:
    command = Evacuate(
        id=CommandId("rogue"),
        incident=s.incident().id,
        host=H1,
        server=ServerId("waits"),
        destination=H3,
        rebuilds=False,
        known_records=frozenset(),
        baseline=None,
    )
    intended = CommandIntended(command=command)
    await MemoryJournal(s.disk).append(VirtualClock().now(), [intended])
    await s.cloud.evacuate(command.server, H3)


def of_proof(breaches: list[Breach]) -> list[str]:
    return [b.facts for b in breaches if b.rule is Rule.UNPROVEN]


def test_a_reading_of_on_that_was_known_is_found() -> None:
    async def tell(s: Story) -> None:
        s.power_loss()
        await until_one_waits(s)
        s.fences[H1].reads.append(Read(at_s=anyio.current_time(), power=Power.ON))
        await anyio.sleep(0.15)
        await send(s)

    assert of_proof(judged(tell).breaches) == ["waits of h1 is sent, but its power read on last"]


def test_a_reading_of_on_that_crosses_the_request_could_not_stop_it() -> None:
    async def tell(s: Story) -> None:
        s.power_loss()
        await until_one_waits(s)
        s.fences[H1].reads.append(Read(at_s=anyio.current_time(), power=Power.ON))
        await send(s)

    assert of_proof(judged(tell).breaches) == []


def test_what_another_daemon_was_told_does_not_bind_the_leader() -> None:
    async def tell(s: Story) -> None:
        s.power_loss()
        await until_one_waits(s)
        now_s = anyio.current_time()
        s.fences[H1].reads.append(Read(at_s=now_s, power=Power.ON, asker="another daemon"))
        await anyio.sleep(0.15)
        await send(s)

    assert of_proof(judged(tell).breaches) == []


def test_a_guest_that_runs_is_found_even_when_the_reading_crosses() -> None:
    async def tell(s: Story) -> None:
        s.machine("h1").boot_s = 0.0
        s.power_loss()
        await until_one_waits(s)
        await s.cloud.boot(H1)
        s.cloud.physics.start_guest(ServerId("waits"), H1)
        s.fences[H1].reads.append(Read(at_s=anyio.current_time(), power=Power.ON))
        await send(s)

    judge = judged(tell)
    assert "waits of h1 is sent while it runs there" in of_proof(judge.breaches)
    assert judge.assumed == []


def test_a_host_behind_a_lying_bmc_that_nobody_could_hear_is_the_assumption() -> None:
    async def tell(s: Story) -> None:
        await lie(s)
        await is_asked(s)
        await send(s)

    judge = judged(tell)
    assert of_proof(judge.breaches) == []
    assert "waits of h1 is sent while it runs there" in of_proof(judge.assumed)


def test_a_host_that_has_answered_is_no_assumption() -> None:
    async def tell(s: Story) -> None:
        await lie(s)
        s.machine("h1").link = s.machine("h1").link_in = True
        await is_asked(s)
        await anyio.sleep(2)
        await is_asked(s)
        await send(s)

    assert "waits of h1 is sent while it runs there" in of_proof(judged(tell).breaches)


def test_a_host_whose_heartbeats_are_seen_is_no_assumption() -> None:
    async def tell(s: Story) -> None:
        await lie(s)
        s.probe.silent_addresses.add(s.machine("h1").address)  # its probes alone are dark
        s.machine("h1").link = s.machine("h1").link_in = True
        await anyio.sleep(12)
        await is_asked(s)
        await send(s)

    assert "waits of h1 is sent while it runs there" in of_proof(judged(tell).breaches)


def test_a_host_that_nobody_has_asked_lately_is_no_assumption() -> None:
    """It is back, and whoever sends did not look."""

    async def tell(s: Story) -> None:
        await lie(s)
        s.cloud.database_works = False  # no heartbeat is written
        s.machine("h1").link = s.machine("h1").link_in = True
        await anyio.sleep(8)
        s.cloud.database_works = True
        await s.fences[H1].power_state()
        await send(s)

    assert "waits of h1 is sent while it runs there" in of_proof(judged(tell).breaches)


def test_a_bmc_that_does_not_lie_makes_no_assumption() -> None:
    """Off was true when it was read, and its guest came back since."""

    async def tell(s: Story) -> None:
        s.machine("h1").boot_s = 0.0
        s.power_loss()
        await until_one_waits(s)
        s.machine("h1").link = s.machine("h1").link_in = False
        await s.cloud.boot(H1)
        s.cloud.physics.start_guest(ServerId("waits"), H1)
        await anyio.sleep(3)
        await s.probe.ask(s.machine("h1").address)
        await send(s)

    judge = judged(tell)
    assert "waits of h1 is sent while it runs there" in of_proof(judge.breaches)
    assert judge.assumed == []


def test_a_server_that_waits_on_a_host_that_is_off_is_not_accounted_for_by_unproven() -> None:
    async def tell(s: Story) -> None:
        s.power_loss()
        await s.until(lambda: bool(s.posts()), every_s=0.02)
        s.fences[H1].mode = Bmc.GONE
        s.cloud.heartbeat("nova-compute@h1")
        await s.until_incident(IncidentState.UNPROVEN)
        s.daemon.kill()
        assert s.recovery_states()["waits"] is RecoveryState.QUEUED
        hosts = frozenset(s.cloud.physics.hosts)
        close(s.judged, Closing(now_s=anyio.current_time(), fenced=hosts, protected=hosts))

    told = [b.facts for b in judged(tell).breaches if b.rule is Rule.UNFINISHED]
    assert any("its power reads off, and its BMC works" in facts for facts in told)
