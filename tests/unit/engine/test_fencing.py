"""Fencing that works and fencing that does not: without power read off three times, nothing moves."""

import anyio
import pytest

from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState, ProofKind
from koboshi.domain.judging.proof import find_proof
from koboshi.domain.names import HostName
from koboshi.rehearsal.story import Story, story
from koboshi.sim.bmc import Bmc
from koboshi.sim.samples import server

pytestmark = pytest.mark.anyio

H1 = HostName("h1")
SERVERS = (server("a"), server("b"))


def cut(s: Story) -> None:
    """Take the host's link down: it runs on, and so do its servers."""
    s.machine("h1").link = False


async def test_a_cut_host_is_switched_off_before_its_servers_move() -> None:
    async with story(SERVERS) as s:
        cut(s)
        await s.until_settled(within_s=60)
        s.assert_back("a", "b")
        assert len(s.fences[H1].offs) == 1
        first = min(p.at_s for p in s.cloud.line.sent if p.call == "evacuate")
        after = [r for r in s.fences[H1].reads if s.fences[H1].offs[0] < r.at_s < first]
        assert [r.power for r in after].count(Power.OFF) >= 3
        proof = s.incident().proof
        assert proof is not None
        assert proof.kind is ProofKind.FENCED_OFF


async def test_readings_from_before_our_off_prove_nothing_after_it() -> None:
    async with story(SERVERS) as s:
        cut(s)
        await s.until_incident(IncidentState.SETTLED, within_s=60)
        incident, fenced_at = s.incident(), s.state.fences[H1]
        assert incident.proof is not None
        assert incident.proof.at.since(fenced_at).total_seconds() >= 4
        assert find_proof(incident, None, fenced_at) is None


@pytest.mark.parametrize("mode", [Bmc.REFUSE, Bmc.HANG, Bmc.ACCEPT_ONLY, Bmc.GONE])
async def test_a_bmc_that_does_not_deliver_moves_nothing_until_it_does(mode: Bmc) -> None:
    async with story(SERVERS) as s:
        s.fences[H1].mode = mode
        cut(s)
        await s.until_incident(IncidentState.UNPROVEN, within_s=90)
        assert "nothing is evacuated until it reads off three times" in s.incident().reason
        await anyio.sleep(60)
        assert s.posts() == {}
        assert s.where("a") == ("h1",)
        assert "isolate" not in [c.call for c in s.cloud.line.sent]
        s.fences[H1].mode = Bmc.NORMAL
        await s.until_settled(within_s=180)
        s.assert_back("a", "b")


async def test_a_bmc_that_never_delivers_is_not_asked_for_ever() -> None:
    async with story(SERVERS) as s:
        s.fences[H1].mode = Bmc.ACCEPT_ONLY
        cut(s)
        await anyio.sleep(480)
        assert s.posts() == {}
        assert 3 <= len(s.fences[H1].offs) <= 12
        assert s.incident_state() is IncidentState.UNPROVEN
        s.power_loss()  # somebody pulls the plug at last
        await s.until_settled(within_s=60)
        s.assert_back("a", "b")


async def test_a_slow_switch_is_waited_for() -> None:
    async with story(SERVERS) as s:
        s.fences[H1].off_takes_s = 8.0
        cut(s)
        await s.until_settled(within_s=90)
        s.assert_back("a", "b")


async def test_a_bmc_that_dies_in_the_middle_stops_the_rest() -> None:
    """Proof is perishable: what was read off a while ago is not off now."""
    many = [server(f"s{n}") for n in range(12)]
    async with story(many) as s:
        for machine in s.cloud.physics.hosts.values():
            machine.spawn_s = 20.0
        cut(s)
        await s.until(lambda: bool(s.posts()), 60)
        s.fences[H1].mode = Bmc.GONE
        await anyio.sleep(60)
        sent = sum(s.posts().values())
        assert sent < 12
        await anyio.sleep(60)
        assert sum(s.posts().values()) == sent
        assert s.incident_state() is IncidentState.RECOVERING
        assert ("h1", "bmc_unreadable") in s.noticed()
        s.fences[H1].mode = Bmc.NORMAL
        await s.until_settled(within_s=120)
        s.assert_back(*(f"s{n}" for n in range(12)))


async def test_a_host_found_off_needs_no_off_of_ours() -> None:
    async with story(SERVERS) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.fences[H1].offs == []
        proof = s.incident().proof
        assert proof is not None
        assert proof.kind is ProofKind.FOUND_OFF
