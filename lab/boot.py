"""Create servers on a given host, quickly, and wait until they are ACTIVE."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab import cloud as rest
from lab import network, seed
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cloud import Cloud
    from lab.layout import Layout

# kind -> (prefix of the names, flavor)
KINDS = {
    "bfv": ("bfv", "m.bfv"),
    "volume": ("vol", "m.tiny"),
    "image": ("img", "m.tiny"),
    "ephemeral": ("eph", "m.eph"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """A server that was created."""

    id: str
    name: str
    host: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    host: str
    kind: str
    flavor: str
    image: str
    network: str | None
    group: str | None
    zone: str | None = None


def boot(
    lab: Layout,
    *,
    host: str,
    kind: str,
    count: int,
    name: str | None,
    ports: bool,
    wishes: Mapping[str, str],
    timeout_s: float = 180.0,
) -> list[Booted]:
    """Create `count` servers at once; the names are numbered on from those that exist.

    Wishes are the ids of another `flavor` or `image` than the kind's, of a server `group`, and the name of
    an availability `zone` that the owner asks for.
    """
    if kind not in KINDS:
        raise LabError(f"unknown kind {kind!r}; choose one of {', '.join(KINDS)}")
    prefix, flavor = KINDS[kind]
    with network.inside(lab.control_ns):
        cloud = seed.admin(lab)
        order = replace(_order(cloud, host, kind, flavor, ports=ports), **wishes)
        names = [name] if name and count == 1 else _free_names(cloud, name or prefix, count)
        with ThreadPoolExecutor(min(count, 12)) as pool:

            def create(own: str) -> Booted:
                with network.inside(lab.control_ns):
                    return _create(cloud, order, own)

            booted = list(pool.map(create, names))
        _await_active(cloud, booted, time.monotonic() + timeout_s)
        if kind == "volume":
            _attach_volumes(cloud, booted, time.monotonic() + timeout_s)
    return booted


def _order(cloud: Cloud, host: str, kind: str, flavor: str, *, ports: bool) -> _Order:
    flavors = {f["name"]: f["id"] for f in cloud.get(f"{rest.NOVA}/flavors")["flavors"]}
    image = cloud.get(f"{rest.GLANCE}/images?name=tiny")["images"][0]["id"]
    net = None
    if ports:
        net = cloud.get(f"{rest.NEUTRON}/networks?name=net1")["networks"][0]["id"]
    return _Order(
        host=host, kind=kind, flavor=flavors[flavor], image=image, network=net, group=None
    )


def _free_names(cloud: Cloud, prefix: str, count: int) -> list[str]:
    taken = {s["name"] for s in cloud.get(f"{rest.NOVA}/servers?all_tenants=1")["servers"]}
    numbers = (n for n in range(1, len(taken) + count + 1) if f"{prefix}-{n}" not in taken)
    return [f"{prefix}-{n}" for n, _ in zip(numbers, range(count), strict=False)]


def _create(cloud: Cloud, order: _Order, name: str) -> Booted:
    body: dict[str, object] = {"name": name, "flavorRef": order.flavor, "host": order.host}
    if order.zone:
        body["availability_zone"] = order.zone
    body["networks"] = [{"uuid": order.network}] if order.network else "none"
    if order.kind == "bfv":
        root = {"boot_index": 0, "uuid": order.image, "source_type": "image", "volume_size": 1}
        root |= {"destination_type": "volume", "delete_on_termination": True}
        body["block_device_mapping_v2"] = [root]
    else:
        body["imageRef"] = order.image
    hints = {"OS-SCH-HNT:scheduler_hints": {"group": order.group}} if order.group else {}
    server = cloud.post(f"{rest.NOVA}/servers", {"server": body, **hints})["server"]["id"]
    return Booted(id=server, name=name, host=order.host, kind=order.kind)


def _await_active(cloud: Cloud, booted: list[Booted], deadline: float) -> None:
    # The short list is asked again and again, the long one once: nova pays for each field.
    url = f"{rest.NOVA}/servers?all_tenants=1&status=BUILD&host={booted[0].host}"
    building = {b.id for b in booted}
    while building:
        time.sleep(0.5)
        building &= {s["id"] for s in cloud.get(url)["servers"]}
        if time.monotonic() > deadline:
            raise LabError(f"still BUILD: {', '.join(b.name for b in booted if b.id in building)}")
    for server in booted:
        _require_active(cloud, server, deadline)


def _require_active(cloud: Cloud, server: Booted, deadline: float) -> None:
    while True:
        found = cloud.get(f"{rest.NOVA}/servers/{server.id}")["server"]
        if found["status"] == "ERROR":
            fault = found.get("fault", {}).get("message", "no fault is recorded")
            raise LabError(f"server {server.name} went to ERROR: {fault}")
        if found["status"] == "ACTIVE" and found["OS-EXT-STS:task_state"] is None:
            return
        if time.monotonic() > deadline:
            raise LabError(f"server {server.name} is not ACTIVE but {found['status']}")
        time.sleep(0.3)


def _attach_volumes(cloud: Cloud, booted: list[Booted], deadline: float) -> None:
    """Give each server a data volume."""
    base = f"{rest.CINDER}/{cloud.project_id}/volumes"
    volumes = {
        b.id: cloud.post(base, {"volume": {"size": 1, "name": f"data-{b.name}"}})["volume"]["id"]
        for b in booted
    }
    _await_volumes(cloud, base, set(volumes.values()), "available", deadline)
    for server, volume in volumes.items():
        url = f"{rest.NOVA}/servers/{server}/os-volume_attachments"
        cloud.post(url, {"volumeAttachment": {"volumeId": volume, "delete_on_termination": True}})
    _await_volumes(cloud, base, set(volumes.values()), "in-use", deadline)


def _await_volumes(cloud: Cloud, base: str, ids: set[str], wanted: str, deadline: float) -> None:
    while True:
        found = {v["id"]: v["status"] for v in cloud.get(f"{base}/detail")["volumes"]}
        left = {i: found.get(i) for i in ids if found.get(i) != wanted}
        if not left:
            return
        if any(str(status).startswith("error") for status in left.values()):
            raise LabError(f"volumes did not become {wanted}: {left}")
        if time.monotonic() > deadline:
            raise LabError(f"volumes not {wanted} in time: {left}")
        time.sleep(0.3)
