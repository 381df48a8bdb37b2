"""What each fresh cloud contains, and the saved copy of it that makes a fresh cloud quick.

The copy (the database's folder, the images, the keys and the passwords) is keyed by everything
that it was made from, so that a change of the lock or of this file makes it anew.
"""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from lab import cloud as rest
from lab import configure
from lab.cloud import Cloud
from lab.errors import LabError
from lab.layout import CONTROL_IP, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.layout import Layout

SERVICES = (
    ("placement", "placement", f"http://{CONTROL_IP}:8778"),
    ("glance", "image", f"http://{CONTROL_IP}:9292"),
    ("cinder", "block-storage", f"http://{CONTROL_IP}:8776/v3"),
    ("cinder", "volumev3", f"http://{CONTROL_IP}:8776/v3"),
    ("neutron", "network", f"http://{CONTROL_IP}:9696"),
    ("nova", "compute", f"http://{CONTROL_IP}:8774/v2.1"),
)
# name, ram, vcpus, root GB, ephemeral GB, swap MB
FLAVORS = (
    ("m.tiny", 64, 1, 1, 0, 0),
    ("m.eph", 64, 1, 1, 2, 64),
    ("m.bfv", 64, 1, 0, 0, 0),
    ("m.big", 4096, 4, 20, 0, 0),
)
UNLIMITED = -1
_SAVED = ("mysql", "images", "keys")
_SECRETS = ("admin", "member", "service")


def folder(lab: Layout) -> Path:
    """Name the folder of the copy that fits this checkout."""
    made_of = [lab.source / name for name in ("openstack.lock", "seed.py", "databases.py")]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()[:12]
    return lab.cache / f"seed-{key}"


def exists(lab: Layout) -> bool:
    """Say whether there is a complete copy."""
    return (folder(lab) / "complete").exists()


def restore(lab: Layout) -> None:
    """Put the copy where the services will find it."""
    for name in _SAVED:
        shutil.copytree(folder(lab) / name, lab.run / name)
    (lab.secrets).mkdir()
    for name in _SECRETS:
        shutil.copy2(folder(lab) / "secrets" / name, lab.secrets / name)


def keep(lab: Layout) -> None:
    """Save the copy; MariaDB must be stopped."""
    for old in lab.cache.glob("seed-*"):
        shutil.rmtree(old)
    target = folder(lab)
    target.mkdir(parents=True, mode=0o700)
    for name in _SAVED:
        shutil.copytree(lab.run / name, target / name)
    (target / "secrets").mkdir()
    for name in _SECRETS:
        shutil.copy2(lab.secrets / name, target / "secrets" / name)
    (target / "complete").touch()


def admin(lab: Layout) -> Cloud:
    """Give a client with all rights."""
    return Cloud("admin", configure.admin_password(lab), "admin")


def create_users(lab: Layout) -> None:
    """Make the services' users and endpoints, and a project with a plain member."""
    cloud = admin(lab)
    url = rest.KEYSTONE
    roles = {r["name"]: r["id"] for r in cloud.get(f"{url}/roles")["roles"]}
    if "service" not in roles:
        made = cloud.post(f"{url}/roles", {"role": {"name": "service"}})
        roles["service"] = made["role"]["id"]
    project = _project(cloud, "service")
    for name in configure.SERVICE_USERS:
        user = _user(cloud, name, configure.service_password(lab))
        for role in ("admin", "service"):
            cloud.put(f"{url}/projects/{project}/users/{user}/roles/{roles[role]}")
    for name, kind, endpoint in SERVICES:
        body = {"service": {"name": name, "type": kind}}
        service = cloud.post(f"{url}/services", body)["service"]["id"]
        for interface in ("public", "internal", "admin"):
            body = {"service_id": service, "interface": interface, "url": endpoint}
            cloud.post(f"{url}/endpoints", {"endpoint": {**body, "region_id": REGION}})
    project = _project(cloud, "member")
    user = _user(cloud, "member", configure.member_password(lab))
    cloud.put(f"{url}/projects/{project}/users/{user}/roles/{roles['member']}")


def create_resources(lab: Layout) -> None:
    """Make the image, the flavors and the network, and lift the quotas."""
    cloud = admin(lab)
    body: dict[str, object] = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
    body["visibility"] = "public"
    image = cloud.post(f"{rest.GLANCE}/images", body)["id"]
    cloud.call("PUT", f"{rest.GLANCE}/images/{image}/file", raw=bytes(65536))
    for name, ram, vcpus, disk, ephemeral, swap in FLAVORS:
        flavor = {"name": name, "ram": ram, "vcpus": vcpus, "disk": disk, "swap": swap}
        flavor["OS-FLV-EXT-DATA:ephemeral"] = ephemeral
        cloud.post(f"{rest.NOVA}/flavors", {"flavor": flavor})
    body = {"name": "net1", "shared": True}
    network = cloud.post(f"{rest.NEUTRON}/networks", {"network": body})["network"]["id"]
    body = {"network_id": network, "ip_version": 4, "cidr": "10.10.0.0/16", "enable_dhcp": False}
    cloud.post(f"{rest.NEUTRON}/subnets", {"subnet": {**body, "name": "sub1"}})
    for project in ("admin", "member"):
        set_quotas(cloud, _project(cloud, project), UNLIMITED)


def set_quotas(
    cloud: Cloud, project: str, limit: int, volumes: Mapping[str, int] | None = None
) -> None:
    """Let a project have so many of everything, and of Cinder's `volumes`, `gigabytes`, `snapshots`.

    Cinder takes no limit below what there is; Nova and Neutron do.
    """
    countable = ("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members")
    compute: dict[str, object] = {**dict.fromkeys(countable, limit), "force": True}
    cloud.put(f"{rest.NOVA}/os-quota-sets/{project}", {"quota_set": compute})
    volume = volumes or dict.fromkeys(("volumes", "gigabytes", "snapshots"), limit)
    url = f"{rest.CINDER}/{cloud.project_id}/os-quota-sets/{project}"
    cloud.put(url, {"quota_set": dict(volume)})
    cloud.put(f"{rest.NEUTRON}/quotas/{project}", {"quota": {"port": limit}})


def _project(cloud: Cloud, name: str) -> str:
    found = cloud.get(f"{rest.KEYSTONE}/projects?name={name}")["projects"]
    if found:
        return found[0]["id"]
    body = {"project": {"name": name, "domain_id": "default"}}
    return cloud.post(f"{rest.KEYSTONE}/projects", body)["project"]["id"]


def _user(cloud: Cloud, name: str, password: str) -> str:
    if cloud.get(f"{rest.KEYSTONE}/users?name={name}")["users"]:
        raise LabError(f"user {name} exists before the seed is made: make lab-down, then make lab")
    body = {"user": {"name": name, "password": password, "domain_id": "default"}}
    return cloud.post(f"{rest.KEYSTONE}/users", body)["user"]["id"]
