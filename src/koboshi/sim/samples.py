"""Hosts and servers as tests want them."""

from typing import Any

from koboshi.domain.facts.cloud import Flavor, Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.physics import Host

SMALL = Flavor(name="small", vcpus=1, ram_mb=1024, disk_gb=10)


def host(number: int) -> Host:
    """Return the machine `h<number>`."""
    return Host(name=HostName(f"h{number}"), address=f"192.0.2.{number}")


def server(
    name: str,
    on: str | None = "h1",
    *,
    volume: bool = True,
    image: bool = False,
    vm_state: str = "active",
    flavor: Flavor = SMALL,
    **more: Any,
) -> Server:
    """Return a server; boot from volume unless it has an image. `more` are further fields."""
    status = {"active": "ACTIVE", "stopped": "SHUTOFF"}.get(vm_state, vm_state.upper())
    fields: dict[str, Any] = {"task_state": None, **more}
    return Server(
        id=ServerId(name),
        name=name,
        project_id="p",
        host=HostName(on) if on else None,
        status=status,
        vm_state=vm_state,
        power_state=1 if vm_state == "active" else 4,
        flavor=flavor,
        image_id="image-1" if image else None,
        volume_ids=("vol-" + name,) if volume else (),
        **fields,
    )


def image_server(name: str, on: str = "h1", **more: Any) -> Server:
    """Return a server whose only disk lies on its host."""
    return server(name, on, volume=False, image=True, **more)
