"""A server is bound to the zone that its owner asked for, where Nova is new enough to tell it."""

from pathlib import Path
from typing import Any

import pytest

from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.names import ServerId
from tests.unit.adapters.loopback import Behaviour, Reply, Seen
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.openstack.test_reads import NOVA, server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("pinned", "zone"),
    [
        ({}, "nova"),
        ({"pinned_availability_zone": None}, ""),
        ({"pinned_availability_zone": "b"}, "b"),
    ],
)
async def test_a_server_is_bound_to_the_zone_that_was_asked_for_not_to_the_one_it_is_in(
    tmp_path: Path, pinned: dict[str, Any], zone: str
) -> None:
    """Where Nova does not tell what was asked for, the zone that it is in is taken for it."""
    fake = SimCloud()
    fake.json(f"{NOVA}/servers/detail", {"servers": [server(**pinned)]})
    fake.json(f"{NOVA}/servers/a", {"server": server(**pinned)})
    async with connected(fake, tmp_path) as cloud:
        (listed,) = await cloud.servers()
        alone = await cloud.server(ServerId("a"))
    assert listed == alone
    assert listed.availability_zone == zone


async def test_an_older_nova_is_asked_at_the_older_version_from_then_on(tmp_path: Path) -> None:
    fake = SimCloud()
    refused = Reply(status=406, body={"computeFault": {"message": "Version 2.96 is not supported"}})

    def old(seen: Seen) -> Behaviour:
        if seen.headers["openstack-api-version"] == "compute 2.96":
            return refused
        return Reply(body={"servers": [server()]})

    fake.on("GET", f"{NOVA}/servers/detail", old)
    async with connected(fake, tmp_path) as cloud:
        for _ in range(2):
            (found,) = await cloud.servers()
            assert found.availability_zone == "nova"
        fake.on("GET", f"{NOVA}/servers/a", refused)
        with pytest.raises(InvalidAnswer, match="not supported"):
            await cloud.server(ServerId("a"))
    asked = [*fake.server.asked("GET", f"{NOVA}/servers/detail")]
    asked += fake.server.asked("GET", f"{NOVA}/servers/a")
    versions = [seen.headers["openstack-api-version"].split()[1] for seen in asked]
    assert versions == ["2.96", "2.72", "2.72", "2.72"]
