"""The servers of one project, as they are listed where servers wait for each other."""

from pathlib import Path

import pytest

from koboshi.domain.errors import InvalidAnswer
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.openstack.test_reads import NOVA, server

pytestmark = pytest.mark.anyio


async def test_the_servers_of_one_project(tmp_path: Path) -> None:
    """Whoever may not use the filter is told of all: another project's server is no answer."""
    fake = SimCloud()
    fake.json(f"{NOVA}/servers/detail", {"servers": [server()]})
    async with connected(fake, tmp_path) as cloud:
        project = (await cloud.servers())[0].project_id
        assert [item.id for item in await cloud.servers(project=project)] == ["a"]
        asked = fake.server.asked("GET", f"{NOVA}/servers/detail")[-1]
        assert asked.query == {"all_tenants": "1", "project_id": project, "limit": "500"}
        with pytest.raises(InvalidAnswer, match="another"):
            await cloud.servers(project="another")
