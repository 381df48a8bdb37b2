"""A large cloud, for commands that ask one."""

from typing import Any

from koboshi.rehearsal.spec import CloudSpec, Disks, HostSpec, ServerSpec

KINDS = (Disks.VOLUMES, Disks.VOLUMES, Disks.VOLUMES, Disks.IMAGE, Disks.VOLUMES_AND_SWAP)
FLAVORS_MB = (1024, 2048, 4096)


def large(servers: int, hosts: int = 50, **more: Any) -> CloudSpec:
    """Return a cloud of many servers in 30 projects, of all kinds of disks."""
    rows = {
        f"s{n:04}": ServerSpec(
            host=f"h{n % hosts + 1}",
            disks=KINDS[n % len(KINDS)],
            ram_mb=FLAVORS_MB[n % len(FLAVORS_MB)],
            project=f"project{n % 30:02}",
        )
        for n in range(servers)
    }
    roomy = {f"h{n}": HostSpec(ram_mb=262_144, vcpus=128) for n in range(1, hosts + 1)}
    return CloudSpec(hosts=hosts, server=rows, host=roomy, **more)
