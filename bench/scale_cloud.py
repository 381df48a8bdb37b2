"""The cloud of the scale bench: simulated, served on the loopback, in a process of its own.

It speaks with the bench over its standard streams: one JSON line for each command that it carried
out. The hosts' management network is a file that both processes map into memory, one byte a host:
what a probe finds there costs next to nothing, as probes are measured apart.
"""

import json
import mmap
import sys
import uuid
from pathlib import Path
from typing import Any

import anyio

from koboshi.domain.facts.cloud import Flavor, Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.http import KOBOSHI, Face, serving
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host
from koboshi.sim.world import World

SERVERS_A_HOST = 20
FLAVORS = [
    Flavor(name=f"m1.{n}", vcpus=1, ram_mb=1024 * n, disk_gb=10, extra_specs={"hw:cpu_policy": "x"})
    for n in (1, 2)
]
PROJECTS = [uuid.uuid5(uuid.NAMESPACE_OID, f"project-{n}").hex for n in range(200)]


def machine(number: int) -> Host:
    """Return one host, with room for a few servers more than it has."""
    address = f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
    return Host(
        name=HostName(f"compute-{number:05}"), address=address, vcpus=40, ram_mb=65_536, spawn_s=1.0
    )


def instance(number: int, host: HostName) -> Server:
    """Return one server, on volumes, with metadata as people write them."""
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"server-{number}"))
    return Server(
        id=ServerId(name),
        name=f"web-{number:06}",
        project_id=PROJECTS[number % len(PROJECTS)],
        host=host,
        status="ACTIVE",
        vm_state="active",
        task_state=None,
        power_state=1,
        flavor=FLAVORS[number % len(FLAVORS)],
        volume_ids=(str(uuid.uuid5(uuid.NAMESPACE_OID, f"volume-{number}")),),
        metadata={"HA_Enabled": "True", "owner": f"team-{number % 50}"},
        availability_zone="nova",
    )


class Counting(Face):
    """Counts requests by what they are for."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.nova = 0
        self.bmc = 0
        self.changes_told_at = 0.0
        """When a question for changed servers was answered last."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if str(scope.get("path", "")).startswith("/redfish"):
            self.bmc += 1
        else:
            self.nova += 1
        await super().__call__(scope, receive, send)
        if b"changes-since" in scope.get("query_string", b""):
            self.changes_told_at = anyio.current_time()


async def main(hosts: int, folder: Path) -> None:
    """Serve until the standard input ends."""
    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([machine(n) for n in range(hosts)])
        cloud.line.latency_s = 0.002
        cloud.begin(tasks)
        world = World.around(cloud)
        names = list(cloud.physics.hosts)
        for number in range(hosts * SERVERS_A_HOST):
            cloud.add(instance(number, names[number % hosts]))
        management = folder / "management"
        management.write_bytes(b"\1" * hosts)
        with management.open("r+b") as file, mmap.mmap(file.fileno(), 0) as network:
            counting = Counting(world)
            async with serving(counting) as served:
                (folder / "clouds.yaml").write_text(served.clouds_yaml("scale", KOBOSHI))
                tell({"url": served.url, "hosts": [[h, m.address] for h, m in hosts_of(cloud)]})
                await obey(cloud, counting, network)
        tasks.cancel_scope.cancel()


def hosts_of(cloud: SimCloud) -> list[tuple[str, Host]]:
    """Return every host by its name."""
    return [(str(name), host) for name, host in cloud.physics.hosts.items()]


async def obey(cloud: SimCloud, counting: Counting, network: mmap.mmap) -> None:
    """Carry out commands until there are no more."""
    names = list(cloud.physics.hosts)
    async for line in anyio.wrap_file(sys.stdin):
        command, *numbers = line.split()
        now_s = anyio.current_time()
        match command:
            case "counts":
                tell(
                    {
                        "nova": counting.nova,
                        "bmc": counting.bmc,
                        "changes_told_at": counting.changes_told_at,
                        "now": now_s,
                    }
                )
            case "kill":
                for number in map(int, numbers):
                    network[number] = 0
                    cloud.physics.cut_power(names[number])
                tell({"at_s": now_s})
            case "evacuations":
                tell({"at_s": [s.at_s for s in cloud.line.sent if s.call == "evacuate"]})
            case "delete":
                cloud.delete(list(cloud.servers_by_id)[int(numbers[0])])
                tell({"at_s": now_s})
            case _:
                tell({"error": f"no such command: {command}"})


def tell(what: object) -> None:
    """Say one thing to the bench."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]), Path(sys.argv[2]))
