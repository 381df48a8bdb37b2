"""Who asked for what of a server: Nova's own doing is told from a person's."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.names import ServerId
from tests.unit.adapters.loopback import Reply
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected

pytestmark = pytest.mark.anyio

NOVA = "/compute/v2.1"


async def test_actions_tell_who_asked_and_novas_own_have_no_user(tmp_path: Path) -> None:
    fake, path = SimCloud(), f"{NOVA}/servers/a/os-instance-actions"
    stamp = "2026-01-01T10:00:00.000000"
    rows = [
        {"action": "stop", "user_id": None, "start_time": stamp, "message": None},
        {"action": "create", "user_id": "u", "start_time": stamp},
    ]
    fake.on("GET", path, Reply(body={"instanceActions": rows}))
    async with connected(fake, tmp_path) as cloud:
        found = await cloud.actions(ServerId("a"))
        assert await cloud.actions(ServerId("gone")) == ()
    assert [(a.name, a.user) for a in found] == [("stop", None), ("create", "u")]
    assert found[0].at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    (seen,) = fake.server.asked("GET", path)
    assert seen.query == {"limit": "20"}
    assert seen.headers["openstack-api-version"] == "compute 2.58"


async def test_actions_without_a_user_field_say_nothing_of_who_asked(tmp_path: Path) -> None:
    fake = SimCloud()
    rows = [{"action": "stop", "start_time": "2026-01-01T10:00:00.000000"}]
    fake.on("GET", f"{NOVA}/servers/a/os-instance-actions", Reply(body={"instanceActions": rows}))
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(InvalidAnswer, match="user_id"):
            await cloud.actions(ServerId("a"))
