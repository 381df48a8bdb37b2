"""A host comes home by itself: what Koboshi does for it, and what it leaves to a person."""

from dataclasses import replace

import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

I_ = IncidentState
H1 = HostName("h1")
SERVERS = (server("a"), image_server("b"), image_server("off", vm_state="stopped"))


async def fenced(s: Story) -> None:
    """Cut h1 off until Koboshi has switched it off and its servers are safe; then mend the network."""
    machine = s.machine("h1")
    machine.link_in = machine.link_out = False
    await s.until_settled()
    machine.link_in = machine.link_out = True


async def test_it_comes_home_by_itself() -> None:
    async with story(SERVERS, rules=replace(shortened(), comes_home=True)) as s:
        await fenced(s)
        await s.until_incident(I_.CLOSED, within_s=400)
        row = s.cloud.row(H1)
        assert row.enabled
        assert not row.forced_down
        assert row.disabled_reason is None
        assert s.where("b") == ("h1",)
        assert s.where("off") == ()
        assert s.where("a") != ("h1",)
        assert s.recovery("b").state is RecoveryState.DONE
        assert s.records("a") == ["completed"]
        assert s.path()[-7:] == [
            "settled",
            "powering_on",
            "returning",
            "reconciling",
            "restoring",
            "enabling",
            "closed",
        ]
