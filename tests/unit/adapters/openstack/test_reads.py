"""What is read is believed only in the shape, the version and the scope that were asked for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from koboshi.adapters.openstack import TimeLimits
from koboshi.domain.errors import CloudUnavailable, InvalidAnswer, NotAuthorised
from koboshi.domain.facts.cloud import Demand, Running
from koboshi.domain.facts.stock import Volume
from koboshi.domain.names import HostName, ServerId
from tests.unit.adapters.loopback import Behaviour, Reply, Seen
from tests.unit.adapters.openstack.fake_cloud import QUICK, SimCloud, connected

pytestmark = pytest.mark.anyio

NOVA = "/compute/v2.1"
HTML = Reply(body=b"<html>maintenance</html>", headers={"Content-Type": "text/html"})
LINKS = [{"rel": "next", "href": "http://elsewhere.example/"}]


def service(**more: Any) -> dict[str, Any]:
    return {
        "id": "s1",
        "binary": "nova-compute",
        "host": "cmp1",
        "zone": "nova",
        "status": "enabled",
        "state": "up",
        "forced_down": False,
        "updated_at": "2026-01-01T10:00:00.000000",
        "disabled_reason": None,
        "something": "new",
    } | more


def server(**more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "a",
        "name": "web",
        "tenant_id": "p",
        "status": "ACTIVE",
        "OS-EXT-SRV-ATTR:host": "cmp1",
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:power_state": 1,
        "OS-SRV-USG:launched_at": "2026-01-01T10:00:00.000000",
        "OS-EXT-AZ:availability_zone": "nova",
        "os-extended-volumes:volumes_attached": [{"id": "v1", "delete_on_termination": True}],
        "flavor": {
            "original_name": "m1",
            "vcpus": 1,
            "ram": 64,
            "disk": 1,
            "ephemeral": 0,
            "swap": 0,
            "extra_specs": {},
        },
        "image": "",
        "config_drive": "",
        "metadata": {"HA_Enabled": "False"},
        "locked": False,
        "host_status": "UP",
    }
    return row | more


def migration(**more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "uuid": "m1",
        "instance_uuid": "a",
        "source_compute": "cmp1",
        "dest_compute": None,
        "status": "accepted",
        "migration_type": "evacuation",
        "created_at": "2026-01-01T10:00:00.000000",
        "updated_at": None,
    } | more


def without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}


async def test_services_are_read_with_utc_times_and_placeholders(tmp_path: Path) -> None:
    fake = SimCloud()
    down_cell = {"binary": "nova-compute", "host": "cmp2", "status": "UNKNOWN"}
    disabled = service(id="s3", host="cmp3", state="down", status="disabled", forced_down=True)
    fake.json(f"{NOVA}/os-services", {"services": [service(), down_cell, disabled]})
    async with connected(fake, tmp_path) as cloud:
        up, unknown, down = await cloud.services()
    assert up.up is True
    assert up.updated_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert (unknown.up, unknown.id, unknown.host) == (None, None, "cmp2")
    assert (down.up, down.enabled, down.forced_down) == (False, False, True)
    (seen,) = fake.server.asked("GET", f"{NOVA}/os-services")
    assert seen.headers["openstack-api-version"] == "compute 2.69"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([], "no service at all"),
        ([service(), service()], "2 rows for s1"),
        ([service(), service(id="s2")], "2 rows for cmp1"),
        ([service(state="sideways")], "state 'sideways'"),
        ([service(status="paused")], "status 'paused'"),
        ([service(forced_down="no")], "forced_down"),
        ([without(service(), "forced_down")], "forced_down is missing"),
        ([without(service(), "host")], r"`host` - at `\$\.services\[0\]`"),
        ([service(updated_at="yesterday")], r"services\[0\]\.updated_at"),
    ],
)
async def test_unbelievable_services_are_refused(
    tmp_path: Path, rows: list[dict[str, Any]], named: str
) -> None:
    fake = SimCloud()
    fake.json(f"{NOVA}/os-services", {"services": rows})
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(InvalidAnswer, match=named):
            await cloud.services()


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (HTML, "HTML"),
        (Reply(body=b'{"services": [{"id"'), "GET /os-services"),
        (Reply(body=[]), "GET /os-services"),
        (Reply(status=400, body={"badRequest": {"message": "odd"}}), "odd"),
        (Reply(status=302, headers={"Location": "http://203.0.113.9/"}), "HTTP 302"),
        (Reply(body={}, headers={"OpenStack-API-Version": "compute 2.1"}), "answered as"),
    ],
)
async def test_answers_of_another_shape_are_invalid_at_once(
    tmp_path: Path, reply: Reply, named: str
) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/os-services", reply)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(InvalidAnswer, match=named):
            await cloud.services()
    assert len(fake.server.asked("GET", f"{NOVA}/os-services")) == 1


@pytest.mark.parametrize(
    "bad",
    [
        Reply(status=503),
        Reply(status=500, body={"computeFault": {"message": "db"}}),
        Reply(status=429),
        Reply(status=413),
        Reply(body=b'{"services": []}', cut=5),
        "drop",
        "hang",
    ],
)
async def test_a_read_is_asked_again_after_a_passing_failure(
    tmp_path: Path, bad: Behaviour
) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/servers/a", bad, Reply(body={"server": server()}))
    async with connected(fake, tmp_path) as cloud:
        found = await cloud.server(ServerId("a"))
        assert found is not None
        assert found.metadata == {"HA_Enabled": "False"}
        refused = isinstance(bad, Reply) and bad.status in {429, 413}
        assert cloud.health.failures == (0 if refused else 1)


async def test_a_read_gives_up_in_time(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/servers/a", Reply(status=503, body=b"busy"))
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CloudUnavailable, match="503: busy"):
            await cloud.server(ServerId("a"))
    assert 1 < len(fake.server.asked("GET", f"{NOVA}/servers/a")) <= 4


async def test_a_deaf_service_ends_at_the_deadline(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/servers/a", "hang")
    limits = TimeLimits(read_s=5, read_total_s=0.3)
    async with connected(fake, tmp_path, limits=limits) as cloud:
        with pytest.raises(CloudUnavailable, match=r"within 0\.3 s"):
            await cloud.server(ServerId("a"))


async def test_a_service_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        await cloud.verify()
        await fake.server.__aexit__()
        with pytest.raises(CloudUnavailable, match="ConnectError"):
            await cloud.server(ServerId("a"))
        await fake.server.__aenter__()


async def test_a_flood_of_an_answer_is_cut_off(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/servers/a", Reply(body=b" " * (65 << 20)))
    limits = TimeLimits()
    async with connected(fake, tmp_path, limits=limits) as cloud:
        with pytest.raises(InvalidAnswer, match="more than 64 MiB"):
            await cloud.server(ServerId("a"))


async def test_servers_are_read_page_by_page(tmp_path: Path) -> None:
    fake = SimCloud()

    def page(seen: Seen) -> Behaviour:
        if seen.query.get("marker") == "a":
            return Reply(body={"servers": [server(id="b")]})
        return Reply(body={"servers": [server()], "servers_links": LINKS})

    fake.on("GET", f"{NOVA}/servers/detail", page)
    async with connected(fake, tmp_path) as cloud:
        found = await cloud.servers(HostName("cmp1"))
    assert [item.id for item in found] == ["a", "b"]
    first = fake.server.asked("GET", f"{NOVA}/servers/detail")[0]
    assert first.query == {"all_tenants": "1", "host": "cmp1", "limit": "500"}
    assert first.headers["openstack-api-version"] == "compute 2.96"
    assert found[0].volume_ids == ("v1",)
    assert found[0].image_id is None


async def test_a_deleted_marker_starts_the_list_again(tmp_path: Path) -> None:
    fake = SimCloud()
    gone = Reply(status=400, body={"badRequest": {"message": "marker [a] not found"}})
    more = Reply(body={"servers": [server()], "servers_links": LINKS})
    fake.on("GET", f"{NOVA}/servers/detail", more, gone, Reply(body={"servers": [server(id="b")]}))
    async with connected(fake, tmp_path) as cloud:
        assert [item.id for item in await cloud.servers()] == ["b"]
        fake.on(
            "GET", f"{NOVA}/servers/detail", lambda seen: gone if "marker" in seen.query else more
        )
        with pytest.raises(CloudUnavailable, match="keeps changing"):
            await cloud.servers()


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        ({"servers": [server(), server()]}, InvalidAnswer, "listed twice"),
        ({"servers": [server()], "servers_links": LINKS}, InvalidAnswer, "same page"),
        ({"servers": [], "servers_links": LINKS}, InvalidAnswer, "empty page"),
        ({"servers": [server(**{"OS-EXT-SRV-ATTR:host": "cmp2"})]}, InvalidAnswer, "cmp2"),
        ({"servers": [server(**{"OS-EXT-SRV-ATTR:host": None})]}, InvalidAnswer, "None"),
        ({"servers": [without(server(), "OS-EXT-SRV-ATTR:host")]}, NotAuthorised, "admin"),
        ({"servers": [without(server(), "flavor")]}, InvalidAnswer, r"servers\.0\.flavor"),
        ({"servers": [server(locked="no")]}, InvalidAnswer, r"servers\.0\.locked"),
        ({}, InvalidAnswer, "servers"),
    ],
)
async def test_unbelievable_server_lists_are_refused(
    tmp_path: Path, body: object, error: type[Exception], named: str
) -> None:
    fake = SimCloud()
    fake.json(f"{NOVA}/servers/detail", body)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(error, match=named):
            await cloud.servers(HostName("cmp1"))


async def test_an_unplaced_server_has_no_host(tmp_path: Path) -> None:
    fake = SimCloud()
    row = server(
        **{
            "OS-EXT-SRV-ATTR:host": None,
            "OS-SRV-USG:launched_at": None,
            "image": {"id": "i1", "links": []},
            "config_drive": "True",
            "fault": {"message": "No valid host", "code": 500},
        }
    )
    fake.json(f"{NOVA}/servers/detail", {"servers": [row]})
    async with connected(fake, tmp_path) as cloud:
        (found,) = await cloud.servers()
    assert (found.host, found.launched, found.image_id) == (None, False, "i1")
    assert (found.config_drive, found.fault) == (True, "No valid host")


async def test_a_server_is_gone_only_by_novas_own_word(tmp_path: Path) -> None:
    fake = SimCloud()
    path = f"{NOVA}/servers/a"
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.server(ServerId("a")) is None
        for proxy in (Reply(status=404, body=HTML.body), Reply(status=404, body=b"{}")):
            fake.on("GET", path, proxy)
            with pytest.raises(InvalidAnswer, match="not Nova's"):
                await cloud.server(ServerId("a"))
        fake.json(path, {"server": {"id": "a", "status": "UNKNOWN", "tenant_id": "p"}})
        with pytest.raises(CloudUnavailable, match="cell does not answer"):
            await cloud.server(ServerId("a"))
        fake.json(path, {"server": server(id="b")})
        with pytest.raises(InvalidAnswer, match="answered with server b"):
            await cloud.server(ServerId("a"))


async def test_a_forbidden_read_says_what_is_needed(tmp_path: Path) -> None:
    fake = SimCloud()
    refusal = Reply(status=403, body={"forbidden": {"message": "Policy doesn't allow it"}})
    fake.on("GET", f"{NOVA}/servers/a", refusal)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(NotAuthorised, match=r"Policy doesn't allow it.*admin"):
            await cloud.server(ServerId("a"))


async def test_migrations_are_filtered_by_nova_and_checked_by_us(tmp_path: Path) -> None:
    fake = SimCloud()
    path = f"{NOVA}/os-migrations"
    fake.json(path, {"migrations": [migration()]})
    async with connected(fake, tmp_path) as cloud:
        (record,) = await cloud.migrations(
            source=HostName("cmp1"),
            server=ServerId("a"),
            evacuations_only=True,
            status="accepted",
        )
        assert (record.id, record.destination, record.is_open) == ("m1", None, True)
        assert fake.server.asked("GET", path)[0].query == {
            "source_compute": "cmp1",
            "instance_uuid": "a",
            "migration_type": "evacuation",
            "status": "accepted",
            "limit": "500",
        }
        with pytest.raises(InvalidAnswer, match="not what was asked for"):
            await cloud.migrations(source=HostName("cmp2"))
        with pytest.raises(InvalidAnswer, match="not what was asked for"):
            await cloud.migrations(server=ServerId("b"))
        with pytest.raises(InvalidAnswer, match="not what was asked for"):
            await cloud.migrations(status="done")
        fake.json(path, {"migrations": [migration(migration_type="resize")]})
        with pytest.raises(InvalidAnswer, match="not what was asked for"):
            await cloud.migrations(evacuations_only=True)
        fake.json(path, {"migrations": [without(migration(), "source_compute")]})
        with pytest.raises(NotAuthorised, match="index:host"):
            await cloud.migrations()


async def test_hypervisors_tell_type_and_address(tmp_path: Path) -> None:
    fake = SimCloud()
    row = {
        "id": "h1",
        "hypervisor_hostname": "cmp1.example",
        "hypervisor_type": "QEMU",
        "host_ip": "192.0.2.1",
        "service": {"id": "s1", "host": "cmp1"},
    }
    fake.json(f"{NOVA}/os-hypervisors/detail", {"hypervisors": [row]})
    async with connected(fake, tmp_path) as cloud:
        (found,) = await cloud.hypervisors()
    assert (found.host, found.type, found.address) == ("cmp1", "QEMU", "192.0.2.1")


async def test_server_groups_are_read_to_the_end(tmp_path: Path) -> None:
    fake = SimCloud()
    one = {"policy": "anti-affinity", "members": ["a"], "name": "apart", "project_id": "p1"}
    rows = [one | {"id": f"g{n}"} for n in range(5)]

    def page(seen: Seen) -> Behaviour:
        offset = int(seen.query["offset"])
        return Reply(body={"server_groups": rows[offset : offset + 2]})

    fake.on("GET", f"{NOVA}/os-server-groups", page)
    async with connected(fake, tmp_path) as cloud:
        groups = await cloud.server_groups()
        assert [group.id for group in groups] == ["g0", "g1", "g2", "g3", "g4"]
        assert (groups[0].name, groups[0].project_id) == ("apart", "p1")
        fake.json(f"{NOVA}/os-server-groups", {"server_groups": []})
        assert await cloud.server_groups() == ()
        # A list that ignores the offset, or changes with every page, is no list.
        fake.json(f"{NOVA}/os-server-groups", {"server_groups": rows})
        with pytest.raises(CloudUnavailable, match="keeps changing"):
            await cloud.server_groups()


async def test_where_volumes_are_served(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.volume_backends() == frozenset(), (
            "a cloud without a Cinder has no volumes"
        )
        assert await cloud.volume("v1") is None
        with pytest.raises(InvalidAnswer):
            await cloud.volumes()
    fake = SimCloud()
    fake.types += ("volumev3",)
    rows = [{"binary": f"cinder-{b}", "host": f"{b}@lvm"} for b in ("scheduler", "volume")]
    fake.json("/volumev3/os-services", {"services": rows})
    told = {"os-vol-host-attr:host": "cmp1@lvm#pool"}
    image = {"volume_image_metadata": {"hw_tpm_version": "2.0", "os_type": "linux"}}
    fake.json("/volumev3/volumes/v1", {"volume": {"id": "v1"} | told | image})
    listed = {"id": "v3", "volume_image_metadata": {"hw_firmware_type": "uefi"}}
    fake.json("/volumev3/volumes/detail", {"volumes": [listed]})
    fake.json("/volumev3/volumes/v2", {"volume": {"id": "v2"}})
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.volume_backends() == {"volume@lvm"}
        assert await cloud.volume("v1") == Volume(id="v1", backend="cmp1@lvm#pool", tpm="2.0")
        assert await cloud.volume("v2") == Volume(id="v2")
        assert await cloud.volume("gone") is None
        assert await cloud.volumes() == {"v3": Volume(id="v3", firmware="uefi")}


@pytest.mark.parametrize(
    ("reply", "running"),
    [
        (Reply(body={"state": "running"}), Running.YES),
        (Reply(body={"state": "paused"}), Running.YES),
        (Reply(body={"state": "shutdown"}), Running.UNKNOWN),
        (Reply(body={}), Running.UNKNOWN),
        (HTML, Running.UNKNOWN),
        (Reply(status=409, body={"conflictingRequest": {"message": "power"}}), Running.NO),
        (Reply(status=409, body=HTML.body), Running.UNKNOWN),
        (Reply(status=500), Running.UNKNOWN),
        (Reply(status=404), Running.UNKNOWN),
        (Reply(status=403), Running.UNKNOWN),
        ("drop", Running.UNKNOWN),
        ("hang", Running.UNKNOWN),
    ],
)
async def test_running_is_known_only_from_a_clear_answer(
    tmp_path: Path, reply: Behaviour, running: Running
) -> None:
    fake = SimCloud()
    fake.on("GET", f"{NOVA}/servers/a/diagnostics", reply)
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.is_running(ServerId("a")) is running
        assert (cloud.health.successes, cloud.health.failures) == (0, 0)
    (seen,) = fake.server.asked("GET", f"{NOVA}/servers/a/diagnostics")
    assert seen.headers["openstack-api-version"] == "compute 2.48"


def provider(root: str, **resources: tuple[int, int]) -> dict[str, Any]:
    return {
        "resources": {
            name: {"capacity": capacity, "used": used}
            for name, (capacity, used) in resources.items()
        },
        "traits": [],
        "root_provider_uuid": root,
        "parent_provider_uuid": None,
    }


async def test_room_is_what_placement_has_left(tmp_path: Path) -> None:
    fake = SimCloud()
    listed = [
        {
            "id": f"h{n}",
            "hypervisor_hostname": f"cmp{n}",
            "hypervisor_type": "QEMU",
            "host_ip": None,
            "service": {"host": f"cmp{n}"},
        }
        for n in (1, 2)
    ]
    fake.json(f"{NOVA}/os-hypervisors/detail", {"hypervisors": listed})
    small = {"VCPU": 1, "MEMORY_MB": 64}
    candidates = {
        "allocation_requests": [
            {"allocations": {"h1": {"resources": small}}, "mappings": {}},
            # Disk from a pool that hosts share, and a provider that is no hypervisor of Nova's.
            {"allocations": {"h2": {"resources": small}, "pool": {"resources": {"DISK_GB": 1}}}},
            {"allocations": {"ironic": {"resources": small}}},
        ],
        "provider_summaries": {
            "h1": provider("h1", VCPU=(16, 3), MEMORY_MB=(1000, 100), DISK_GB=(10, 1)),
            "h2": provider("h2", VCPU=(8, 0), MEMORY_MB=(500, 0)),
            "pool": provider("pool", DISK_GB=(1000, 1)),
            "ironic": provider("ironic", VCPU=(8, 0), MEMORY_MB=(500, 0)),
        },
    }
    fake.json("/placement/allocation_candidates", candidates)
    async with connected(fake, tmp_path) as cloud:
        demand = Demand(vcpus=1, ram_mb=64, disk_gb=0, required_traits=frozenset({"HW_X"}))
        first, second = await cloud.room(demand)
        assert (first.host, first.vcpus, first.ram_mb, first.disk_gb) == ("cmp1", 13, 900, 9)
        assert (second.host, second.vcpus, second.disk_gb) == ("cmp2", 8, 999)
        await cloud.room(Demand(vcpus=1, ram_mb=64, disk_gb=5))
    with_traits, with_disk = fake.server.asked("GET", "/placement/allocation_candidates")
    assert with_traits.query["resources"] == "VCPU:1,MEMORY_MB:64"
    assert with_traits.query["required"] == "!COMPUTE_STATUS_DISABLED,HW_X"
    assert with_disk.query["resources"] == "VCPU:1,MEMORY_MB:64,DISK_GB:5"
    assert len(fake.server.asked("GET", f"{NOVA}/os-hypervisors/detail")) == 1


async def test_no_room_where_nobody_has_the_trait(tmp_path: Path) -> None:
    fake = SimCloud()
    refusal = {"errors": [{"status": 400, "detail": "No such trait(s): CUSTOM_X"}]}
    fake.on("GET", "/placement/allocation_candidates", Reply(status=400, body=refusal))
    async with connected(fake, tmp_path, limits=QUICK) as cloud:
        demand = Demand(vcpus=1, ram_mb=64, disk_gb=0, required_traits=frozenset({"CUSTOM_X"}))
        assert await cloud.room(demand) == ()
        with pytest.raises(InvalidAnswer, match="No such trait"):
            await cloud.room(Demand(vcpus=1, ram_mb=64, disk_gb=0))
