"""Placement, Glance, Neutron and Cinder, each in its own words."""

from typing import Any

import anyio
import pytest

from koboshi.domain.facts.stock import Port
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import READER
from koboshi.sim.samples import image_server, server
from tests.unit.sim.http.asking import Asker, asked

pytestmark = pytest.mark.anyio


async def candidates(a: Asker, resources: str, status: int = 200, **more: str) -> Any:
    params = {"resources": resources, **more}
    answer = await a.ask("GET", "/placement/allocation_candidates", "placement 1.29", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_placement_tells_its_versions_to_everybody() -> None:
    async with asked() as a:
        (version,) = (await a.client.get("/placement/")).json()["versions"]
    assert (version["min_version"], version["max_version"]) == ("1.0", "1.39")


async def test_candidates_are_the_hosts_with_room_dead_ones_too() -> None:
    async with asked([image_server("a")]) as a:
        a.world.physics.cut_power(HostName("h2"))
        found = await candidates(a, "VCPU:1,DISK_GB:995", required="!COMPUTE_STATUS_DISABLED")
        assert len(found["allocation_requests"]) == 2
        found = await candidates(a, "VCPU:1,MEMORY_MB:1024")
        summaries = found["provider_summaries"]
        used = sorted(s["resources"]["DISK_GB"]["used"] for s in summaries.values())
        assert used == [0, 0, 10]
        assert all(key == s["root_provider_uuid"] for key, s in summaries.items())


@pytest.mark.parametrize(
    ("resources", "more", "said"),
    [
        ("", {}, "There must be at least one resources"),
        ("GOLD:1", {}, "Invalid resource class"),
        ("VCPU:0", {}, "amount >= 1"),
        ("VCPU:1", {"required": "CUSTOM_GOLD"}, "No such trait(s): CUSTOM_GOLD."),
    ],
)
async def test_placement_refuses_nonsense(resources: str, more: dict[str, str], said: str) -> None:
    async with asked() as a:
        found = await candidates(a, resources, 400, **more)
    errors = found["errors"]
    assert said in errors[0]["detail"]


async def test_placement_is_for_administrators() -> None:
    async with asked(user=READER) as a:
        await candidates(a, "VCPU:1", 403)


async def test_a_provider_has_inventories_and_usages() -> None:
    async with asked([image_server("a")]) as a:
        listed = await a.ask("GET", "/placement/resource_providers", params={"name": "h1"})
        (provider,) = listed.json()["resource_providers"]
        path = f"/placement/resource_providers/{provider['uuid']}"
        assert (await a.ask("GET", path)).json()["name"] == "h1"
        usages = (await a.ask("GET", f"{path}/usages")).json()["usages"]
        assert usages == {"VCPU": 1, "MEMORY_MB": 1024, "DISK_GB": 10}
        inventories = (await a.ask("GET", f"{path}/inventories")).json()["inventories"]
        assert inventories["VCPU"]["total"] == 32
        assert (await a.ask("GET", "/placement/resource_providers/zzz")).status_code == 404


async def test_glance_serves_the_images_of_servers_unless_one_is_gone() -> None:
    async with asked([image_server("a")]) as a:
        assert (await a.ask("GET", "/image/v2/images/image-1")).json()["status"] == "active"
        assert len((await a.ask("GET", "/image/v2/images")).json()["images"]) == 1
        a.cloud.dead_images.add("image-1")
        answer = await a.ask("GET", "/image/v2/images/image-1")
        assert answer.status_code == 404
        assert "No image found with ID image-1" in answer.json()["message"]
        assert (await a.ask("GET", "/image/v2/images")).json()["images"] == []
        assert (await a.client.get("/image/")).status_code == 300


async def test_ports_are_told_by_their_fields_and_not_chosen_by_type() -> None:
    async with asked([server("a"), server("b")]) as a:
        ports = (
            Port(id="p1", server=ServerId("a"), vnic_type="direct"),
            Port(id="p2", server=ServerId("b"), resources=("NET_BW_EGR_KILOBIT_PER_SEC",)),
        )
        a.world.cloud.catalogue.ports.extend(ports)
        path = "/network/v2.0/ports"
        some = {"fields": ["id", "binding:vnic_type"], "device_id": "a", "project_id": "p"}
        found = (await a.ask("GET", path, params=some)).json()
        first = {"limit": "1", "fields": "id"}
        page = (await a.ask("GET", path, params=first)).json()
        refused = await a.ask("GET", path, params={"binding:vnic_type": "direct"})
    assert found["ports"] == [{"id": "p1", "binding:vnic_type": "direct"}]
    assert (page["ports"], page["ports_links"][0]["rel"]) == ([{"id": "p1"}], "next")
    assert refused.status_code == 400
    assert "is invalid attribute for filtering" in refused.text


async def test_neutrons_agents_live_and_die_with_their_hosts() -> None:
    async with asked() as a:
        a.world.physics.cut_power(HostName("h2"))
        agents = (await a.ask("GET", "/network/v2.0/agents")).json()["agents"]
        assert {g["host"]: g["alive"] for g in agents} == {"h1": True, "h2": False, "h3": True}
        one = await a.ask("GET", f"/network/v2.0/agents/{agents[0]['id']}")
        assert one.json()["agent"]["host"] == "h1"
        missing = await a.ask("GET", "/network/v2.0/agents/zzz")
        assert missing.json()["NeutronError"]["message"] == "Agent zzz could not be found."


async def test_an_agent_that_does_not_report_has_no_new_heartbeat() -> None:
    async def reported(a: Asker) -> list[str]:
        agents = (await a.ask("GET", "/network/v2.0/agents")).json()["agents"]
        return [g["heartbeat_timestamp"] for g in agents]

    async with asked() as a:
        before = await reported(a)
        await anyio.sleep(5)

        assert await reported(a) == before


async def test_cinder_lists_volumes_with_their_servers() -> None:
    async with asked([server("a"), server("b")]) as a:
        listed = await a.ask("GET", "/volume/v3/volumes/detail", params={"all_tenants": "1"})
        volumes = {v["id"]: v["attachments"][0]["server_id"] for v in listed.json()["volumes"]}
        assert volumes == {"vol-a": "a", "vol-b": "b"}
        one = await a.ask("GET", "/volume/v3/some-project/volumes/vol-a")
        assert one.json()["volume"]["status"] == "in-use"
        assert (await a.ask("GET", "/volume/v3/volumes/zzz")).status_code == 404
        services = (await a.ask("GET", "/volume/v3/os-services")).json()["services"]
        assert {s["binary"] for s in services} == {"cinder-scheduler", "cinder-volume"}
