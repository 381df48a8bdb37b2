"""The survey tries everything, changes nothing, and says what to mend."""

from pathlib import Path

import pytest

from koboshi.adapters.openstack import Finding, survey
from tests.unit.adapters.loopback import Behaviour, Reply, Seen
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.openstack.test_reads import server, service

pytestmark = pytest.mark.anyio

NOVA = "/compute/v2.1"
ACTION = f"{NOVA}/servers/a/action"
DIAGNOSTICS = f"{NOVA}/servers/a/diagnostics"
FORBIDDEN = Reply(status=403, body={"forbidden": {"message": "Policy doesn't allow it"}})
NOWHERE = Reply(
    status=404,
    body={"itemNotFound": {"message": "Compute host koboshi-check-no-such-host not found."}},
)


def healthy() -> SimCloud:
    fake = SimCloud()
    version = {"id": "v2.1", "version": "2.104", "min_version": "2.1"}
    fake.json(f"{NOVA}/", {"version": version})
    fake.json(f"{NOVA}/os-services", {"services": [service()]})
    fake.json(f"{NOVA}/os-hypervisors/detail", {"hypervisors": []})
    fake.json(f"{NOVA}/servers/detail", {"servers": [server()]})
    fake.json(f"{NOVA}/os-migrations", {"migrations": []})
    fake.json(f"{NOVA}/os-server-groups", {"server_groups": []})
    fake.json(f"{NOVA}/os-aggregates", {"aggregates": []})
    fake.json(
        "/placement/allocation_candidates", {"allocation_requests": [], "provider_summaries": {}}
    )
    fake.on("POST", ACTION, NOWHERE)
    fake.json(DIAGNOSTICS, {"state": "running"})
    return fake


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


async def test_a_good_cloud_passes_and_is_not_changed(tmp_path: Path) -> None:
    fake = healthy()
    async with connected(fake, tmp_path) as cloud:
        found = by_name(await survey(cloud))
    assert {name: finding.detail for name, finding in found.items() if not finding.ok} == {}
    assert found["authentication"].detail == "user koboshi in ops; roles: admin; regions: RegionOne"
    assert found["compute microversions"].detail == "2.1 to 2.104"
    changing = [seen for seen in fake.server.seen if seen.method != "GET"]
    assert [seen.path.rpartition("/")[0] for seen in changing] == [
        "/identity/v3/auth",
        f"{NOVA}/os-services",
        f"{NOVA}/servers/a",
    ]
    assert changing[1].path != f"{NOVA}/os-services/s1"
    assert changing[2].json == {"evacuate": {"host": "koboshi-check-no-such-host"}}


async def test_missing_rights_are_named_call_by_call(tmp_path: Path) -> None:
    fake = healthy()
    for path in ("os-services", "os-migrations"):
        fake.on("GET", f"{NOVA}/{path}", FORBIDDEN)
    fake.on("POST", ACTION, FORBIDDEN)
    fake.on("GET", DIAGNOSTICS, FORBIDDEN)
    known = fake.server.handler

    def forbid_puts(seen: Seen) -> Behaviour:
        return FORBIDDEN if seen.method == "PUT" else known(seen)

    fake.server.handler = forbid_puts
    async with connected(fake, tmp_path) as cloud:
        found = by_name(await survey(cloud))
    assert {name for name, finding in found.items() if finding.ok is False} == {
        "read services",
        "read migrations",
        "may force a host down",
        "may evacuate",
        "may ask hypervisors",
    }
    assert all("admin" in finding.cure for finding in found.values() if finding.ok is False)


async def test_without_a_server_on_a_living_host_evacuate_is_not_tried(tmp_path: Path) -> None:
    fake = healthy()
    fake.json(f"{NOVA}/servers/detail", {"servers": [server(host_status="DOWN")]})
    async with connected(fake, tmp_path) as cloud:
        found = by_name(await survey(cloud))
    assert found["may evacuate"].ok is found["may ask hypervisors"].ok is None
    assert fake.server.asked("POST", ACTION) == []


async def test_a_deaf_hypervisor_is_no_missing_right(tmp_path: Path) -> None:
    fake = healthy()
    async with connected(fake, tmp_path) as cloud:
        for reply in (Reply(status=500), "drop"):
            fake.on("GET", DIAGNOSTICS, reply)
            found = by_name(await survey(cloud))["may ask hypervisors"]
            assert (found.ok, found.cure) == (None, "run the check again")


async def test_an_unclear_answer_is_no_right_to_evacuate(tmp_path: Path) -> None:
    fake = healthy()
    async with connected(fake, tmp_path) as cloud:
        for reply in (Reply(), Reply(status=500), Reply(status=404, body={})):
            fake.on("POST", ACTION, reply)
            assert by_name(await survey(cloud))["may evacuate"].ok is None


async def test_an_old_nova_is_named(tmp_path: Path) -> None:
    fake = healthy()
    version = {"id": "v2.1", "version": "2.60", "min_version": "2.1"}
    fake.json(f"{NOVA}/", {"version": version})
    async with connected(fake, tmp_path) as cloud:
        found = by_name(await survey(cloud))["compute microversions"]
    assert (found.ok, found.cure) == (False, "upgrade Nova to Stein or later")


async def test_a_refused_login_ends_the_survey(tmp_path: Path) -> None:
    async with connected(healthy(), tmp_path, password="wrong") as cloud:
        (found,) = await survey(cloud)
    assert (found.name, found.ok) == ("authentication", False)
    assert found.cure.startswith("check the user's name")


async def test_a_missing_service_ends_the_survey(tmp_path: Path) -> None:
    fake = healthy()
    fake.types = ("compute",)
    async with connected(fake, tmp_path) as cloud:
        found = (await survey(cloud))[-1]
    assert (found.name, found.ok) == ("endpoints", False)
    assert "placement_endpoint_override" in found.cure
