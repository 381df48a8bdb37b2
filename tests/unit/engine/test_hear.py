"""A person's word in the deciding loop: remembered before anything comes of it, or not taken."""

import anyio
import pytest

from koboshi.domain.decision import Decision, Refused
from koboshi.domain.incidents.incident import IncidentState, ProofKind
from koboshi.domain.names import HostName
from koboshi.domain.word import Arm, ConfirmDead
from koboshi.rehearsal.story import Story, story
from koboshi.sim.bmc import Bmc
from koboshi.sim.samples import server

pytestmark = pytest.mark.anyio

H1 = HostName("h1")
DEAD = ConfirmDead(host=H1, note="its plug is out")
WHO = "uid 0 (root), pid 7"


async def dies_with_its_bmc(s: Story) -> None:
    """Let a host lose its power, and its BMC with it."""
    s.fences[H1].mode = Bmc.GONE
    s.power_loss()
    await s.until(lambda: s.incident_state() is IncidentState.UNPROVEN, within_s=120)


async def test_a_word_recovers_what_no_power_device_can_prove() -> None:
    async with story((server("a"), server("b"))) as s:
        await dies_with_its_bmc(s)
        assert isinstance(await s.daemon.hear(DEAD, WHO), Decision)
        await s.until_settled(within_s=60)
        s.assert_back("a", "b")
        proof, word = s.incident().proof, s.incident().word
        assert proof is not None
        assert word is not None
        assert proof.kind is ProofKind.WORD
        assert (word.by, word.note) == (WHO, "its plug is out")


async def test_what_cannot_be_remembered_is_not_taken() -> None:
    async with story((server("a"),)) as s:
        await dies_with_its_bmc(s)
        s.daemon.journal.failing = "the disk is full"
        assert await s.daemon.hear(DEAD, WHO) is None
        await anyio.sleep(20)
        assert s.daemon.memory.state.open_incidents()[0].word is None
        assert not [p for p in s.cloud.line.sent if p.call == "evacuate"]


async def test_a_living_host_is_not_called_dead() -> None:
    async with story((server("a"),)) as s:
        refused = await s.daemon.hear(DEAD, WHO)
        assert isinstance(refused, Refused)
        assert "word_given" not in s.kinds()


async def test_an_order_that_changes_nothing_is_not_written_down() -> None:
    async with story((server("a"),)) as s:
        assert await s.daemon.hear(Arm(), WHO) == Decision()
        assert "armed" not in s.kinds()
