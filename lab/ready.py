"""When a fresh cloud may be called ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab import cloud as rest
from lab import network, seed
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.cloud import Cloud
    from lab.layout import Layout

CINDER_SERVICES = 2  # scheduler and volume


def first_requests(lab: Layout) -> None:
    """Ask each API once, one after the other: their lazy set-up does not bear a race."""
    cloud = seed.admin(lab)
    cloud.get(f"{rest.PLACEMENT}/resource_providers")
    cloud.get(f"{rest.GLANCE}/images")
    cloud.get(f"{rest.NEUTRON}/ports")
    cloud.get(f"{rest.CINDER}/{cloud.project_id}/volumes")
    cloud.get(f"{rest.NOVA}/servers")


def wait(lab: Layout, hosts: int, timeout_s: float = 180.0) -> None:
    """Wait until all hosts have sent heartbeats, are mapped to their cell and have inventory, and cinder is up."""
    deadline = time.monotonic() + timeout_s
    with network.inside(lab.control_ns):
        cloud = seed.admin(lab)
        while True:
            try:
                found = _counts(cloud)
            except LabError as error:
                found = {"error": str(error)}
            else:
                computes = min(found[what] for what in ("up", "mapped", "inventory"))
                if computes >= hosts and found["cinder"] >= CINDER_SERVICES:
                    return
            if time.monotonic() > deadline:
                raise LabError(f"not ready after {timeout_s:.0f} s, of {hosts} hosts: {found}")
            time.sleep(0.5)


def _counts(cloud: Cloud) -> dict[str, int]:
    services = cloud.get(f"{rest.NOVA}/os-services?binary=nova-compute")["services"]
    hypervisors = cloud.get(f"{rest.NOVA}/os-hypervisors")["hypervisors"]
    providers = cloud.get(f"{rest.PLACEMENT}/resource_providers?resources=VCPU:1")
    volume = cloud.get(f"{rest.CINDER}/{cloud.project_id}/os-services")["services"]
    return {
        # A service counts as up from its creation, and may go down again before its first heartbeat:
        # the scheduler then finds no valid host.
        "up": sum(s["state"] == "up" and s["updated_at"] is not None for s in services),
        "mapped": len(hypervisors),
        "inventory": len(providers["resource_providers"]),
        "cinder": sum(s["state"] == "up" for s in volume),
    }
