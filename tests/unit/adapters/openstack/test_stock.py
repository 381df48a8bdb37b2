"""The whole cloud is read in few calls; what Cinder, Glance or Placement do not tell is a gap."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from koboshi.adapters.openstack import take_stock
from koboshi.domain.errors import NotAuthorised
from koboshi.domain.facts.stock import Stock
from koboshi.domain.names import HostName
from tests.unit.adapters.loopback import Behaviour, Reply, Seen
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.openstack.test_survey import FORBIDDEN, NOVA, healthy

pytestmark = pytest.mark.anyio

VOLUMES = "/volumev3/volumes/detail"
IMAGES = "/image/v2/images"
PORTS = "/network/v2.0/ports"
PROVIDERS = "/placement/resource_providers"
CANDIDATES = "/placement/allocation_candidates"
HYPERVISOR = {
    "id": "rp1",
    "hypervisor_hostname": "cmp1",
    "hypervisor_type": "QEMU",
    "host_ip": "192.0.2.1",
    "service": {"id": "s1", "host": "cmp1", "disabled_reason": None},
}


def provider(root: str = "rp1", traits: tuple[str, ...] = (), **resources: int) -> dict[str, Any]:
    return {
        "resources": {n: {"capacity": 100, "used": u} for n, u in resources.items()},
        "traits": list(traits),
        "parent_provider_uuid": None,
        "root_provider_uuid": root,
    }


def candidates(allocations: Mapping[str, str], **providers: dict[str, Any]) -> Reply:
    request = {"allocations": {p: {"resources": {r: 1}} for p, r in allocations.items()}}
    return Reply(body={"allocation_requests": [request], "provider_summaries": providers})


def whole() -> SimCloud:
    fake = healthy()
    fake.types = ("compute", "placement", "image", "volumev3", "network")
    fake.json(PORTS, {"ports": []})
    fake.json(f"{NOVA}/os-hypervisors/detail", {"hypervisors": [HYPERVISOR]})
    aggregate = {"name": "nfs", "hosts": ["cmp1"], "metadata": {"ssd": "true"}, "id": 1}
    fake.json(f"{NOVA}/os-aggregates", {"aggregates": [aggregate]})
    volumes: list[dict[str, Any]] = [
        {"id": "v1", "os-vol-host-attr:host": "cmp1@lvm#pool", "status": "in-use"},
        {
            "id": "v2",
            "volume_image_metadata": {
                "hw_firmware_type": "uefi",
                "hw_cpu_policy": "dedicated",
                "image_name": "x",
            },
        },
    ]
    fake.json(VOLUMES, {"volumes": volumes})
    fake.json(PROVIDERS, {"resource_providers": [{"uuid": "rp1", "name": "cmp1"}]})

    def images(seen: Seen) -> Behaviour:
        shown = {
            "id": "i1",
            "status": "active",
            "hw_firmware_type": "uefi",
            "hw_numa_nodes": "2",
            "trait:CUSTOM_X": "required",
            "hw_disk_bus": "scsi",
        }
        hidden = {"id": "i2", "status": "deactivated"}
        rows = [hidden] if seen.query.get("os_hidden") == "true" else [shown]
        return Reply(body={"images": rows})

    fake.on("GET", IMAGES, images)
    fake.on(
        "GET",
        CANDIDATES,
        candidates({"rp1": "MEMORY_MB"}, rp1=provider(traits=("CUSTOM_X",), VCPU=1, MEMORY_MB=40)),
    )
    return fake


async def stock_of(fake: SimCloud, folder: Path) -> Stock:
    async with connected(fake, folder) as cloud:
        return await take_stock(cloud)


async def test_everything_is_read(tmp_path: Path) -> None:
    fake = whole()
    stock = await stock_of(fake, tmp_path)
    assert stock.gaps == ()
    assert stock.tpm_hosts == frozenset()
    assert not fake.server.asked("GET", PROVIDERS), "who has a vTPM is known"
    assert [(a.name, a.hosts, a.metadata) for a in stock.aggregates] == [
        ("nfs", {"cmp1"}, {"ssd": "true"})
    ]
    assert stock.volumes is not None
    assert (stock.volumes["v1"].backend, stock.volumes["v2"].firmware) == ("cmp1@lvm#pool", "uefi")
    assert stock.images is not None
    assert {i.id: (i.active, i.firmware) for i in stock.images.values()} == {
        "i1": (True, "uefi"),
        "i2": (False, ""),
    }
    assert stock.volumes["v2"].wishes == {"hw_cpu_policy": "dedicated"}
    assert stock.images["i1"].wishes == {"hw_numa_nodes": "2", "trait:CUSTOM_X": "required"}
    assert stock.spaces is not None
    (space,) = stock.spaces
    assert (space.room.host, space.room.vcpus, space.room.ram_mb) == (HostName("cmp1"), 99, 60)
    assert (space.traits, space.pool) == ({"CUSTOM_X"}, None)


async def test_a_pool_that_hosts_share_is_told_apart_from_a_disk(tmp_path: Path) -> None:
    fake = whole()
    shared = candidates(
        {"rp1": "MEMORY_MB", "pool": "DISK_GB"},
        rp1=provider(VCPU=0, MEMORY_MB=0),
        pool=provider("pool", DISK_GB=70),
    )
    alone = candidates({"rp1": "MEMORY_MB"}, rp1=provider(VCPU=0, MEMORY_MB=0))
    fake.on(
        "GET", CANDIDATES, lambda seen: shared if "DISK_GB" in seen.query["resources"] else alone
    )
    stock = await stock_of(fake, tmp_path)
    assert stock.spaces is not None
    (space,) = stock.spaces
    assert (space.pool, space.room.disk_gb, space.room.ram_mb) == ("pool", 30, 100)


async def test_ports_that_ask_something_are_kept(tmp_path: Path) -> None:
    fake = whole()
    bandwidth: dict[str, Any] = {
        "id": "g",
        "resources": {"NET_BW_EGR_KILOBIT_PER_SEC": 1000},
        "required": [],
    }
    rows: list[dict[str, Any]] = [
        {"id": "p1", "device_id": "a", "binding:vnic_type": "direct", "resource_request": None},
        {"id": "p2", "device_id": "a", "binding:vnic_type": "normal"},
        {
            "id": "p3",
            "device_id": "b",
            "binding:vnic_type": "normal",
            "resource_request": {"request_groups": [bandwidth], "same_subtree": ["g"]},
        },
        {
            "id": "p4",
            "device_id": "c",
            "binding:vnic_type": "of-tomorrow",
            "resource_request": {"resources": {"NET_PACKET_RATE_KILOPACKET_PER_SEC": 5}},
        },
        {"id": "p5", "device_id": "", "binding:vnic_type": "direct"},
        {"id": "p6", "device_id": None, "binding:vnic_type": None},
    ]
    asked: list[Mapping[str, str]] = []

    def ports(seen: Seen) -> Behaviour:
        asked.append(seen.query)
        if "marker" in seen.query:
            return Reply(body={"ports": rows[3:]})
        links = [{"rel": "next", "href": "?marker=p3"}]
        return Reply(body={"ports": rows[:3], "ports_links": links})

    fake.on("GET", PORTS, ports)
    stock = await stock_of(fake, tmp_path)
    assert stock.ports is not None
    assert {s: [(p.id, p.asks) for p in of] for s, of in stock.ports.items()} == {
        "a": [("p1", ("a port of type direct",))],
        "b": [("p3", ("a port with NET_BW_EGR_KILOBIT_PER_SEC",))],
        "c": [
            (
                "p4",
                (
                    "a port of type of-tomorrow",
                    "a port with NET_PACKET_RATE_KILOPACKET_PER_SEC",
                ),
            )
        ],
    }
    # What is no filter is refused with 400.
    assert [set(query) for query in asked] == [{"fields", "limit"}, {"fields", "limit", "marker"}]


async def test_a_cloud_without_cinder_has_a_gap_with_its_cure(tmp_path: Path) -> None:
    fake = whole()
    fake.types = ("compute", "placement", "image", "network")
    stock = await stock_of(fake, tmp_path)
    assert stock.volumes is None
    (gap,) = stock.gaps
    assert (gap.what, "volumev3" in gap.cure) == ("volumes", True)
    assert stock.tpm_hosts == {"cmp1"}, "whose servers may hide a vTPM now"


@pytest.mark.parametrize(
    ("path", "what"),
    [(VOLUMES, "volumes"), (IMAGES, "images"), (PORTS, "ports"), (CANDIDATES, "room on hosts")],
)
async def test_what_may_not_be_read_is_a_gap(tmp_path: Path, path: str, what: str) -> None:
    fake = whole()
    fake.on("GET", path, FORBIDDEN)
    stock = await stock_of(fake, tmp_path)
    assert [g.what for g in stock.gaps] == [what]
    assert "Policy doesn't allow it" in stock.gaps[0].why


async def test_without_nova_there_is_no_forecast(tmp_path: Path) -> None:
    fake = whole()
    fake.on("GET", f"{NOVA}/os-services", FORBIDDEN)
    with pytest.raises(NotAuthorised):
        await stock_of(fake, tmp_path)
