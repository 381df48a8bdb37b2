"""Neutron's agents: all pages of them, and a cloud without a Neutron."""

from pathlib import Path
from typing import Any

import pytest

from koboshi.domain.errors import InvalidAnswer
from tests.unit.adapters.loopback import Behaviour, Reply, Seen
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected

pytestmark = pytest.mark.anyio

PATH = "/network/v2.0/agents"


def agent(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"agent-{number}",
        "host": f"cmp{number}",
        "binary": "neutron-openvswitch-agent",
        "admin_state_up": True,
        "heartbeat_timestamp": "2026-11-24 19:53:16",
        **more,
    }


async def test_every_page_is_read(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.types = (*fake.types, "network")

    def page(seen: Seen) -> Behaviour:
        if "marker" in seen.query:
            return Reply(body={"agents": [agent(2)]})
        return Reply(body={"agents": [agent(1)], "agents_links": [{"rel": "next", "href": "x"}]})

    fake.on("GET", PATH, page)
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.has_neutron()
        rows = await cloud.agents()
    assert [row.host for row in rows] == ["cmp1", "cmp2"]
    assert str(rows[0].heartbeat_at) == "2026-11-24 19:53:16+00:00"


@pytest.mark.parametrize(
    "body", [{}, {"agents": [agent(1, heartbeat_timestamp="soon")]}, {"agents": [agent(1)] * 2}]
)
async def test_what_is_no_list_of_agents_is_no_answer(tmp_path: Path, body: dict[str, Any]) -> None:
    fake = SimCloud()
    fake.types = (*fake.types, "network")
    fake.json(PATH, body)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(InvalidAnswer):
            await cloud.agents()


async def test_a_cloud_without_neutron(tmp_path: Path) -> None:
    async with connected(SimCloud(), tmp_path) as cloud:
        assert not await cloud.has_neutron()
