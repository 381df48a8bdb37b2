"""Nova's API: microversions, lists and their pages, and its own words for what is wrong."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from koboshi.domain.facts.cloud import ServerGroup
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import ADMIN, READER
from koboshi.sim.samples import image_server, server
from tests.unit.sim.http.asking import NOVA, Asker, asked

pytestmark = pytest.mark.anyio
H1 = HostName("h1")


async def refused(a: Asker, path: str, version: str, status: int, **params: str) -> str:
    answer = await a.ask("GET", NOVA + path, version, params=params)
    assert answer.status_code == status, answer.text
    (error,) = answer.json().values()
    assert error["code"] == status
    return str(error["message"])


# Versions


async def test_the_version_document_needs_no_token() -> None:
    async with asked() as a:
        document = (await a.client.get(f"{NOVA}/")).json()["version"]
        listed = (await a.client.get("/compute/")).json()["versions"]
    assert (document["min_version"], document["version"]) == ("2.1", "2.104")
    assert listed == [document]


async def test_an_answer_tells_its_microversion_and_the_default_is_the_oldest() -> None:
    async with asked() as a:
        answer = await a.ask("GET", f"{NOVA}/servers", "compute 2.53")
        assert answer.headers["openstack-api-version"] == "compute 2.53"
        assert answer.headers["x-openstack-nova-api-version"] == "2.53"
        assert answer.headers["x-openstack-request-id"].startswith("req-")
        plain = await a.ask("GET", f"{NOVA}/servers")
        assert plain.headers["openstack-api-version"] == "compute 2.1"
        latest = await a.ask("GET", f"{NOVA}/servers", "compute latest")
        assert latest.headers["openstack-api-version"] == "compute 2.104"


@pytest.mark.parametrize(("asked_for", "status"), [("2.105", 406), ("1.9", 406), ("two", 400)])
async def test_a_version_that_is_not_there_is_refused(asked_for: str, status: int) -> None:
    async with asked() as a:
        answer = await a.ask("GET", f"{NOVA}/servers", f"compute {asked_for}")
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("version", "there", "absent"),
    [
        ("2.2", set[str](), {"locked", "host_status", "description"}),
        ("2.16", {"locked", "host_status"}, {"description", "tags"}),
        ("2.72", {"tags", "trusted_image_certificates"}, {"locked_reason"}),
        ("2.100", {"locked_reason", "pinned_availability_zone", "scheduler_hints"}, set[str]()),
    ],
)
async def test_fields_of_a_server_come_one_by_one(
    version: str, there: set[str], absent: set[str]
) -> None:
    async with asked([server("a")]) as a:
        shown = (await a.nova("/servers/a", version))["server"]
    assert there <= shown.keys()
    assert not absent & shown.keys()


async def test_a_server_tells_the_zone_it_is_in_and_the_one_that_was_asked_for() -> None:
    async with asked([server("a"), server("b", availability_zone="nova")]) as a:
        rows = {id_: (await a.nova(f"/servers/{id_}", "2.96"))["server"] for id_ in ("a", "b")}
    assert {row["OS-EXT-AZ:availability_zone"] for row in rows.values()} == {"nova"}
    assert rows["a"]["pinned_availability_zone"] is None
    assert rows["b"]["pinned_availability_zone"] == "nova"


async def test_the_flavor_is_a_link_before_2_47() -> None:
    async with asked([server("a")]) as a:
        old = (await a.nova("/servers/a", "2.46"))["server"]["flavor"]
        new = (await a.nova("/servers/a", "2.47"))["server"]["flavor"]
    assert set(old) == {"id", "links"}
    assert new["original_name"] == "small"
    assert "extra_specs" in new


# Services


async def test_services_are_filtered_and_shown_by_version() -> None:
    async with asked() as a:
        (row,) = (await a.nova("/os-services", "2.53", host="h1"))["services"]
        assert (row["state"], row["status"], row["forced_down"]) == ("up", "enabled", False)
        (old,) = (await a.nova("/os-services", "2.10", host="h1"))["services"]
        assert isinstance(old["id"], int)
        assert "forced_down" not in old
        found = (await a.nova("/os-services", "2.53", binary="nova-compute"))["services"]
        assert [r["host"] for r in found] == ["h1", "h2", "h3"]


async def put(a: Asker, body: object, host: str = "h1", version: str = "2.53") -> Any:
    rows = (await a.nova("/os-services", "2.53"))["services"]
    row = next((r for r in rows if r["host"] == host), {"id": "no-such-service"})
    return await a.ask("PUT", f"{NOVA}/os-services/{row['id']}", f"compute {version}", json=body)


async def test_one_put_disables_and_forces_down() -> None:
    async with asked() as a:
        body = {"status": "disabled", "disabled_reason": "mine", "forced_down": True}
        shown = (await put(a, body)).json()["service"]
        assert (shown["status"], shown["state"], shown["forced_down"]) == ("disabled", "down", True)
        assert shown["disabled_reason"] == "mine"
        again = await put(a, body)
        assert again.status_code == 200
        lifted = (await put(a, {"forced_down": False})).json()["service"]
        assert (lifted["status"], lifted["forced_down"]) == ("disabled", False)
        enabled = (await put(a, {"status": "enabled"})).json()["service"]
        assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)


@pytest.mark.parametrize(
    ("body", "host", "status"),
    [
        ({}, "h1", 400),
        ({"status": "enabled", "disabled_reason": "x"}, "h1", 400),
        ({"status": "sideways"}, "h1", 400),
        ({"status": "disabled", "disabled_reason": ""}, "h1", 400),
        ({"status": "disabled", "disabled_reason": "x" * 256}, "h1", 400),
        ({"colour": "red"}, "h1", 400),
        ({"status": "disabled"}, "ctl1", 400),
        ({"status": "disabled"}, "h9", 404),
    ],
)
async def test_what_is_no_change_of_a_service_is_refused(
    body: object, host: str, status: int
) -> None:
    async with asked() as a:
        assert (await put(a, body, host)).status_code == status


# Hypervisors


async def test_hypervisors_show_capacities_until_2_87() -> None:
    async with asked([image_server("a")]) as a:
        row = (await a.nova("/os-hypervisors/detail", "2.53"))["hypervisors"][0]
        assert (row["vcpus_used"], row["service"]["host"], row["host_ip"]) == (1, "h1", "192.0.2.1")
        new = (await a.nova("/os-hypervisors/detail", "2.88"))["hypervisors"][0]
        assert "vcpus" not in new
        assert "uptime" in new
        one = (await a.nova(f"/os-hypervisors/{row['id']}", "2.53"))["hypervisor"]
        assert one == row
        assert "No hypervisor matching" in await refused(
            a, "/os-hypervisors", "compute 2.53", 404, hypervisor_hostname_pattern="zzz"
        )


# Servers


async def names(a: Asker, version: str = "2.72", **params: str) -> list[str]:
    found = await a.nova("/servers/detail", version, **params)
    return [s["name"] for s in found["servers"]]


async def test_servers_are_listed_newest_first_of_all_projects_or_of_ones_own() -> None:
    mine = replace(server("mine"), project_id=ADMIN.project_id)
    async with asked([server("a"), server("b", "h2"), mine]) as a:
        assert await names(a, all_tenants="1") == ["mine", "b", "a"]
        assert await names(a) == ["mine"]
        assert await names(a, all_tenants="1", host="h2") == ["b"]
        assert await names(a, all_tenants="1", project_id="p") == ["b", "a"]
        assert await names(a, all_tenants="1", name="^b$") == ["b"]
        assert await names(a, all_tenants="1", vm_state="stopped") == []
        assert await names(a, all_tenants="1", status="ACTIVE") == ["mine", "b", "a"]
        brief = await a.nova("/servers", all_tenants="1")
        assert set(brief["servers"][0]) == {"id", "name", "links"}


async def test_who_is_no_administrator_sees_no_other_projects_and_gets_no_host_filter() -> None:
    theirs = [
        replace(server(n, on), project_id=READER.project_id) for n, on in (("a", "h1"), ("b", "h2"))
    ]
    async with asked([*theirs, server("other")], user=READER) as a:
        await refused(a, "/servers/detail", "compute 2.72", 403, all_tenants="1")
        assert await names(a, host="h2") == ["b", "a"]
        shown = (await a.nova("/servers/a"))["server"]
        assert "OS-EXT-SRV-ATTR:host" not in shown
        assert "host_status" not in shown
        await refused(a, "/servers/other", "compute 2.72", 404)
        assert (await a.act("other", {"os-stop": None})).status_code == 404


async def test_pages_end_with_a_link_as_long_as_they_are_full() -> None:
    async with asked([server(n) for n in "abcd"]) as a:
        first = await a.nova("/servers", all_tenants="1", limit="2")
        assert [s["name"] for s in first["servers"]] == ["d", "c"]
        (link,) = first["servers_links"]
        assert link["rel"] == "next"
        assert "marker=c" in link["href"]
        second = await a.nova("/servers", all_tenants="1", limit="2", marker="c")
        assert [s["name"] for s in second["servers"]] == ["b", "a"]
        assert "servers_links" in second
        third = await a.nova("/servers", all_tenants="1", limit="2", marker="a")
        assert third == {"servers": []}
        text = await refused(a, "/servers", "compute 2.72", 400, marker="zzz", all_tenants="1")
        assert text == "marker [zzz] not found"
        await refused(a, "/servers", "compute 2.72", 400, limit="many")


async def test_a_server_shows_its_disks_and_its_fault() -> None:
    broken = image_server("b", vm_state="error", fault="No valid host was found.")
    async with asked([server("a"), broken]) as a:
        volume = (await a.nova("/servers/a"))["server"]
        image = (await a.nova("/servers/b"))["server"]
        assert volume["image"] == ""
        assert [v["id"] for v in volume["os-extended-volumes:volumes_attached"]] == ["vol-a"]
        assert image["image"]["id"] == "image-1"
        assert image["fault"]["message"] == "No valid host was found."
        (attached,) = (await a.nova("/servers/a/os-volume_attachments", "2.89"))[
            "volumeAttachments"
        ]
        assert (attached["volumeId"], attached["device"]) == ("vol-a", "/dev/vda")
        assert "attachment_id" in attached
        assert "id" not in attached


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "UP"),
        ({"enabled": False}, "MAINTENANCE"),
        ({"enabled": False, "forced_down": True}, "DOWN"),
    ],
)
async def test_a_server_tells_of_its_host(changes: dict[str, bool], status: str) -> None:
    async with asked([server("a")]) as a:
        a.cloud.edit("nova-compute@h1", **changes)
        assert (await a.nova("/servers/a"))["server"]["host_status"] == status


async def test_diagnostics_ask_the_hypervisor_and_wait_a_minute_for_one_that_is_silent() -> None:
    async with asked([server("a")]) as a:
        assert (await a.nova("/servers/a/diagnostics", "2.48"))["state"] == "running"
        a.world.physics.stop_guest(ServerId("a"), H1)
        await refused(a, "/servers/a/diagnostics", "compute 2.48", 409)
        a.world.physics.cut_power(H1)
        began = anyio.current_time()
        text = await refused(a, "/servers/a/diagnostics", "compute 2.48", 500)
        assert "MessagingTimeout" in text
        assert anyio.current_time() - began >= 60


# Actions


async def test_evacuate_is_held_to_its_microversion() -> None:
    async with asked([server("a")]) as a:
        a.cloud.edit("nova-compute@h1", forced_down=True)
        bodies = [
            ("2.68", {"host": "h2", "force": True}),
            ("2.68", {"host": "h2", "onSharedStorage": True}),
            ("2.13", {"host": "h2"}),
            ("2.67", {"force": True}),
            ("2.13", {"onSharedStorage": True, "adminPass": "x"}),
        ]
        for version, body in bodies:
            answer = await a.act("a", {"evacuate": body}, version)
            assert answer.status_code == 400, (version, body)
        assert list(a.cloud.records) == []
        assert (await a.act("a", {"evacuate": {"host": "h2"}}, "2.68")).status_code == 200


async def test_before_2_14_an_evacuate_tells_a_password_but_not_for_a_disk_that_is_there() -> None:
    async with asked([server("a"), server("b")]) as a:
        a.cloud.edit("nova-compute@h1", forced_down=True)
        said = {
            name: (await a.act(name, {"evacuate": {"onSharedStorage": shared}}, "2.13")).json()
            for name, shared in (("a", False), ("b", True))
        }
        assert said["a"]["adminPass"]
        assert said["b"] == {"adminPass": None}


async def test_evacuate_is_refused_in_novas_words() -> None:
    async with asked([server("a"), server("b", vm_state="paused")]) as a:
        answer = await a.act("a", {"evacuate": {"host": "nowhere"}}, "2.68")
        assert answer.json()["itemNotFound"]["message"] == "Compute host nowhere not found."
        answer = await a.act("a", {"evacuate": {"host": "h2"}}, "2.68")
        assert answer.json()["badRequest"]["message"] == "Compute service of h1 is still in use."
        answer = await a.act("b", {"evacuate": {"host": "h2"}}, "2.68")
        assert answer.json()["conflictingRequest"]["message"] == (
            "Cannot 'evacuate' instance b while it is in vm_state paused"
        )
        answer = await a.act("zzz", {"evacuate": {"host": "h2"}}, "2.68")
        assert answer.json()["itemNotFound"]["message"] == "Instance zzz could not be found."


async def test_stop_start_reboot_and_reset_are_accepted() -> None:
    async with asked([server("a")]) as a:
        assert (await a.act("a", {"os-stop": None})).status_code == 202
        await anyio.sleep(10)
        assert (await a.nova("/servers/a"))["server"]["status"] == "SHUTOFF"
        assert (await a.act("a", {"os-stop": None})).status_code == 409
        assert (await a.act("a", {"os-start": None})).status_code == 202
        await anyio.sleep(10)
        assert (await a.nova("/servers/a"))["server"]["status"] == "ACTIVE"
        assert (await a.act("a", {"os-start": None})).status_code == 409
        assert (await a.act("a", {"os-resetState": {"state": "error"}})).status_code == 202
        assert (await a.nova("/servers/a"))["server"]["status"] == "ERROR"
        assert (await a.act("a", {"reboot": {"type": "HARD"}})).status_code == 202
        await anyio.sleep(10)
        assert (await a.nova("/servers/a"))["server"]["status"] == "ACTIVE"
        assert (await a.act("a", {"lock": None})).status_code == 202
        assert (await a.nova("/servers/a"))["server"]["locked"] is True
        assert (await a.act("a", {"unlock": None})).status_code == 202
        assert (await a.ask("DELETE", f"{NOVA}/servers/a")).status_code == 204
        assert (await a.ask("GET", f"{NOVA}/servers/a")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"dance": None},
        {"reboot": {}},
        {"reboot": {"type": "GENTLE"}},
        {"os-resetState": {"state": "stopped"}},
        {"os-migrateLive": {"host": None}},
        {"os-start": None, "os-stop": None},
    ],
)
async def test_what_is_no_action_is_refused(body: object) -> None:
    async with asked([server("a")]) as a:
        assert (await a.act("a", body)).status_code == 400


# Records and groups


async def test_records_are_filtered_and_paged_and_know_no_other_parameter() -> None:
    async with asked([server("a"), server("b"), server("c", "h2")]) as a:
        for host in ("h1", "h2"):
            a.world.physics.cut_power(HostName(host))
            a.cloud.edit(f"nova-compute@{host}", forced_down=True)
        for name in "abc":
            await a.act(name, {"evacuate": {"host": "h3"}}, "2.68")
        rows = (await a.nova("/os-migrations", "2.59"))["migrations"]
        assert [r["instance_uuid"] for r in rows] == ["c", "b", "a"]
        assert {r["migration_type"] for r in rows} == {"evacuation"}
        found = await a.nova("/os-migrations", "2.59", source_compute="h1", instance_uuid="a")
        assert [r["instance_uuid"] for r in found["migrations"]] == ["a"]
        paged = await a.nova("/os-migrations", "2.59", limit="2")
        assert len(paged["migrations"]) == 2
        marker = paged["migrations"][-1]["uuid"]
        rest = await a.nova("/os-migrations", "2.59", limit="2", marker=marker)
        assert [r["instance_uuid"] for r in rest["migrations"]] == ["a"]
        none = await a.nova("/os-migrations", "2.59", migration_type="live-migration")
        assert none["migrations"] == []
        assert "uuid" not in (await a.nova("/os-migrations", "2.58"))["migrations"][0]
        await refused(a, "/os-migrations", "compute 2.59", 400, colour="red")
        assert (await a.nova("/servers/a/migrations", "2.59"))["migrations"] == []


async def test_groups_are_of_ones_own_project_unless_all_are_asked_for() -> None:
    async with asked([server("a")]) as a:
        members = frozenset({ServerId("a"), ServerId("gone")})
        a.cloud.groups.append(ServerGroup(id="g", policy="anti-affinity", members=members))
        assert (await a.nova("/os-server-groups", "2.64"))["server_groups"] == []
        found = await a.nova("/os-server-groups", "2.64", all_projects="true")
        (group,) = found["server_groups"]
        assert (group["policy"], group["members"]) == ("anti-affinity", ["a"])
        beyond = await a.nova("/os-server-groups", "2.64", all_projects="true", offset="1")
        assert beyond["server_groups"] == []


async def test_what_was_asked_of_a_server_is_told_newest_first() -> None:
    async with asked([server("a")]) as a:
        await a.act("a", {"os-stop": None})
        await anyio.sleep(10)
        await a.act("a", {"os-start": None})
        listed = (await a.nova("/servers/a/os-instance-actions"))["instanceActions"]
        assert [row["action"] for row in listed] == ["start", "stop"]
        path = f"/servers/a/os-instance-actions/{listed[0]['request_id']}"
        assert (await a.nova(path))["instanceAction"]["action"] == "start"
        await refused(a, "/servers/a/os-instance-actions/req-zzz", "compute 2.72", 404)
        await refused(a, "/servers/zzz/os-instance-actions", "compute 2.72", 404)
        await a.ask("DELETE", f"{NOVA}/servers/a")
        kept = (await a.nova("/servers/a/os-instance-actions"))["instanceActions"]
        assert [row["action"] for row in kept] == ["delete", "start", "stop"]


async def test_a_server_is_migrated_cold_and_confirmed() -> None:
    async with asked([server("a")]) as a:
        assert (await a.act("a", {"migrate": {"host": "h2"}}, "2.56")).status_code == 202
        await anyio.sleep(60)
        assert (await a.nova("/servers/a"))["server"]["status"] == "VERIFY_RESIZE"
        assert (await a.act("a", {"confirmResize": None})).status_code == 204
        await anyio.sleep(60)
        shown = (await a.nova("/servers/a"))["server"]
        assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "h2")
