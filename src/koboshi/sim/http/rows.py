"""Nova's rows as its API shows them, field by field and version by version.

After nova 34's api/openstack/compute/views/servers.py, services.py, hypervisors.py, migrations.py.
What the world does not model (addresses, key pairs) is shown as for a server without any.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from koboshi.domain.facts.cloud import ComputeService, Flavor, Hypervisor, Migration, Room, Server
from koboshi.sim.http.call import Document, Version
from koboshi.sim.http.users import NAMES, id_of
from koboshi.sim.physics import Host

SERVICE_UUIDS = HYPERVISOR_UUIDS = (2, 53)
WITH_FAULT = frozenset({"ERROR", "DELETED"})
WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
IN_PROGRESS = frozenset({"queued", "preparing", "running", "post-migrating"})


def uuid_of(kind: str, name: str) -> str:
    """Return the UUID of something that has only a name here."""
    return str(uuid.uuid5(NAMES, f"{kind}:{name}"))


def naive(value: datetime | None) -> str | None:
    """Return a time as nova's older fields write it: UTC, without saying so."""
    return None if value is None else value.replace(tzinfo=None).isoformat("T", "microseconds")


def zulu(value: datetime) -> str:
    """Return a time as a server's `created` and `updated` write it."""
    return value.replace(tzinfo=None).isoformat("T", "seconds") + "Z"


def service(row: ComputeService, number: int, version: Version) -> Document:
    """Return one service."""
    if row.id is None:  # its cell does not answer (2.69)
        return {"binary": row.binary, "host": row.host, "status": "UNKNOWN"}
    shown: Document = {
        "binary": row.binary,
        "host": row.host,
        "id": row.id if version >= SERVICE_UUIDS else number,
        "zone": row.zone,
        "status": "enabled" if row.enabled else "disabled",
        "state": "up" if row.up else "down",
        "updated_at": naive(row.updated_at),
        "disabled_reason": row.disabled_reason,
    }
    if version >= (2, 11):
        shown["forced_down"] = row.forced_down
    return shown


def hypervisor(
    row: Hypervisor,
    of: ComputeService,
    machine: Host,
    room: Callable[[], Room],
    number: int,
    version: Version,
    *,
    detail: bool,
    runs: int = 0,
) -> Document:
    """Return one hypervisor; `room` is asked only where capacities are shown."""
    shown: Document = {
        "id": row.id if version >= HYPERVISOR_UUIDS else number,
        "hypervisor_hostname": row.hypervisor_hostname,
        "state": "up" if of.up else "down",
        "status": "enabled" if of.enabled else "disabled",
    }
    if not detail:
        return shown
    shown |= {
        "hypervisor_type": row.type,
        "hypervisor_version": 9000000,
        "host_ip": row.address,
        "service": {
            "id": of.id if version >= SERVICE_UUIDS else number,
            "host": row.host,
            "disabled_reason": of.disabled_reason,
        },
    }
    if version >= (2, 88):
        return shown | {"uptime": None}
    free = room()
    cpu: Document = {"arch": "x86_64", "model": "Nehalem", "vendor": "Intel", "features": []}
    return shown | {
        "vcpus": machine.vcpus,
        "memory_mb": machine.ram_mb,
        "local_gb": machine.disk_gb,
        "vcpus_used": machine.vcpus - free.vcpus,
        "memory_mb_used": machine.ram_mb - free.ram_mb,
        "local_gb_used": machine.disk_gb - free.disk_gb,
        "free_ram_mb": free.ram_mb,
        "free_disk_gb": free.disk_gb,
        "current_workload": 0,
        "running_vms": runs,
        "disk_available_least": free.disk_gb,
        "cpu_info": cpu,
    }


def migration(row: Migration, number: int, server: Server | None, version: Version) -> Document:
    """Return one migration record."""
    shown: Document = {
        "id": number,
        "instance_uuid": row.server,
        "source_compute": row.source,
        "source_node": row.source,
        "dest_compute": row.destination,
        "dest_node": row.destination,
        "dest_host": None,
        "old_instance_type_id": 1,
        "new_instance_type_id": 1,
        "status": row.status,
        "created_at": naive(row.created_at),
        "updated_at": naive(row.updated_at),
    }
    if version >= (2, 23):
        shown["migration_type"] = row.type
    if version >= (2, 59):
        shown["uuid"] = row.id
    if version >= (2, 80):
        shown["user_id"] = id_of("user", "admin")
        shown["project_id"] = server.project_id if server else None
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTimes:
    """When what happened to a server, by Nova's clock."""

    created: datetime
    updated: datetime


def bare_server(row: Server, base_url: str) -> Document:
    """Return a server as `GET /servers` lists it."""
    return {"id": row.id, "name": row.name, "links": _links(row, base_url)}


def server(
    row: Server,
    times: ServerTimes,
    host_status: str,
    base_url: str,
    version: Version,
    *,
    zone: str,
    as_admin: bool = True,
) -> Document:
    """Return a server with everything that is told of it; `zone` is its host's."""
    shown: Document = {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "tenant_id": row.project_id,
        "user_id": id_of("user", "admin"),
        "metadata": dict(row.metadata),
        "hostId": host_id(row),
        "image": _image(row, base_url, version),
        "flavor": _flavor(row.flavor, base_url, version),
        "created": zulu(times.created),
        "updated": zulu(times.updated),
        "addresses": {},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": _links(row, base_url),
        "OS-DCF:diskConfig": "AUTO",
        "OS-EXT-AZ:availability_zone": zone,
        "config_drive": "True" if row.config_drive else "",
        "key_name": None,
        "OS-SRV-USG:launched_at": naive(times.created) if row.launched else None,
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": row.task_state,
        "OS-EXT-STS:vm_state": row.vm_state,
        "OS-EXT-STS:power_state": row.power_state,
        "os-extended-volumes:volumes_attached": [
            {"id": volume, "delete_on_termination": False} if version >= (2, 3) else {"id": volume}
            for volume in row.volume_ids
        ],
    }
    if row.status in WITH_PROGRESS:
        shown["progress"] = 0
    if row.status in WITH_FAULT and row.fault is not None:
        shown["fault"] = {"code": 500, "created": zulu(times.updated), "message": row.fault}
    if as_admin:
        shown |= _attributes(row, version)
        if version >= (2, 16):
            shown["host_status"] = host_status
    return shown | _since(row, version)


def bare_lost_server(row: Server, base_url: str) -> Document:
    """Return a server as `GET /servers` lists it when its cell does not answer (2.69)."""
    return {"id": row.id, "status": "UNKNOWN", "links": _links(row, base_url)}


def lost_server(
    row: Server, created: datetime, base_url: str, version: Version, *, alone: bool = False
) -> Document:
    """Return what is told of a server whose cell does not answer (2.69)."""
    shown = bare_lost_server(row, base_url) | {
        "tenant_id": row.project_id,
        "created": zulu(created),
    }
    if not alone:
        return shown | {"security_groups": [{"name": "default"}]}
    return shown | {
        "image": _image(row, base_url, version),
        "flavor": _flavor(row.flavor, base_url, version),
        "OS-EXT-AZ:availability_zone": row.availability_zone or "UNKNOWN",
        "OS-EXT-STS:power_state": 0,
        "user_id": id_of("user", "admin"),
    }


def _attributes(row: Server, version: Version) -> Document:
    shown: Document = {
        "OS-EXT-SRV-ATTR:host": row.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": row.host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{row.id[:8]}",
    }
    if version >= (2, 3):
        shown |= {
            "OS-EXT-SRV-ATTR:hostname": row.name,
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:launch_index": 0,
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:reservation_id": f"r-{row.id[:8]}",
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
            "OS-EXT-SRV-ATTR:user_data": None,
        }
    return shown


def _since(row: Server, version: Version) -> Document:
    """Return the fields that came one by one."""
    later: tuple[tuple[Version, str, object], ...] = (
        ((2, 9), "locked", row.locked),
        ((2, 19), "description", None),
        ((2, 26), "tags", sorted(row.tags)),
        ((2, 63), "trusted_image_certificates", None),
        ((2, 73), "locked_reason", None),
        ((2, 96), "pinned_availability_zone", row.availability_zone or None),
        ((2, 100), "scheduler_hints", {}),
    )
    return {name: value for since, name, value in later if version >= since}


def host_id(row: Server) -> str:
    """Return the hash that tells a project of a change of host (nova/utils.py, generate_hostid)."""
    if row.host is None:
        return ""
    return hashlib.sha224(f"{row.project_id}{row.host}".encode()).hexdigest()


def host_status(of: ComputeService | None) -> str:
    """Return what a server says of its host (compute/api.py, get_instance_host_status)."""
    if of is None:
        return ""
    if of.forced_down:
        return "DOWN"
    if not of.enabled:
        return "MAINTENANCE"
    return "UP" if of.up else "UNKNOWN"


def _image(row: Server, base_url: str, version: Version) -> object:
    if row.image_id is None:
        return ""
    href = f"{base_url.rpartition('/')[0]}/images/{row.image_id}"
    shown: Document = {"id": row.image_id, "links": [{"rel": "bookmark", "href": href}]}
    if version >= (2, 98):
        shown["properties"] = {}
    return shown


def _flavor(flavor: Flavor, base_url: str, version: Version) -> Document:
    if version < (2, 47):
        href = f"{base_url.rpartition('/')[0]}/flavors/{flavor.name}"
        return {"id": flavor.name, "links": [{"rel": "bookmark", "href": href}]}
    return {
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mb,
        "disk": flavor.disk_gb,
        "ephemeral": flavor.ephemeral_gb,
        "swap": flavor.swap_mb,
        "original_name": flavor.name,
        "extra_specs": dict(flavor.extra_specs),
    }


def _links(row: Server, base_url: str) -> list[Document]:
    bookmark = base_url.rpartition("/")[0]
    return [
        {"rel": "self", "href": f"{base_url}/servers/{row.id}"},
        {"rel": "bookmark", "href": f"{bookmark}/servers/{row.id}"},
    ]
