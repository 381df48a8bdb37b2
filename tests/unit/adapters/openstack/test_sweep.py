"""A page of the sweep: only what it keeps, deleted servers as such, and an honest marker."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from koboshi.domain.errors import InvalidAnswer, MarkerGone, NotAuthorised
from koboshi.domain.names import ServerId
from tests.unit.adapters.loopback import Reply
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected

pytestmark = pytest.mark.anyio

DETAIL = "/compute/v2.1/servers/detail"
LINKS = [{"rel": "next", "href": "http://elsewhere.example/"}]


def row(server: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "id": server,
        "status": "ACTIVE",
        "OS-EXT-SRV-ATTR:host": "cmp1",
        "OS-EXT-STS:vm_state": "active",
        "metadata": {},
        "flavor": {"original_name": "m1"},
    } | more


async def test_a_page_keeps_host_state_and_protection(tmp_path: Path) -> None:
    fake = SimCloud()
    rows = [row(), row("b", metadata={"HA_Enabled": "False"}), row("c", status="DELETED")]
    fake.json(DETAIL, {"servers": rows, "servers_links": LINKS})
    async with connected(fake, tmp_path) as cloud:
        page = await cloud.sweep()
    assert page.has_next
    kept, unprotected, deleted = page.rows
    assert kept.seen is not None
    assert (kept.id, kept.seen.host, kept.seen.vm_state) == ("a", "cmp1", "active")
    assert kept.seen.is_protected
    assert unprotected.seen is not None
    assert not unprotected.seen.is_protected
    assert deleted.seen is None
    (seen,) = fake.server.asked("GET", DETAIL)
    assert seen.query == {"all_tenants": "1", "limit": "500"}
    assert seen.headers["openstack-api-version"] == "compute 2.72"


async def test_changes_are_asked_for_in_utc_and_behind_a_marker(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.json(DETAIL, {"servers": []})
    since = datetime(2026, 1, 1, 12, 0, 7, 900_000, tzinfo=timezone(timedelta(hours=2)))
    async with connected(fake, tmp_path) as cloud:
        page = await cloud.sweep(since=since, after=ServerId("z"))
    assert not page.has_next
    (seen,) = fake.server.asked("GET", DETAIL)
    assert seen.query["changes-since"] == "2026-01-01T10:00:07Z"
    assert seen.query["marker"] == "z"
    assert since.astimezone(UTC) >= datetime(2026, 1, 1, 10, 0, 7, tzinfo=UTC)


async def test_a_marker_that_is_gone_is_told(tmp_path: Path) -> None:
    fake = SimCloud()
    gone = Reply(status=400, body={"badRequest": {"message": "marker [a] not found"}})
    fake.on("GET", DETAIL, gone)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(MarkerGone):
            await cloud.sweep(after=ServerId("a"))


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        ({"servers": [row() | {"OS-EXT-SRV-ATTR:host": 7}]}, InvalidAnswer, "host"),
        ({"servers": [{"id": "a", "status": "UNKNOWN"}]}, InvalidAnswer, "vm_state"),
        ({"servers": [], "servers_links": LINKS}, InvalidAnswer, "same page"),
        ({"servers": [row("z")], "servers_links": LINKS}, InvalidAnswer, "same page"),
        (
            {"servers": [{k: v for k, v in row().items() if k != "OS-EXT-SRV-ATTR:host"}]},
            NotAuthorised,
            "admin",
        ),
    ],
)
async def test_an_unbelievable_page_is_refused(
    tmp_path: Path, body: dict[str, Any], error: type[Exception], named: str
) -> None:
    fake = SimCloud()
    fake.json(DETAIL, body)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(error, match=named):
            await cloud.sweep(after=ServerId("z"))
