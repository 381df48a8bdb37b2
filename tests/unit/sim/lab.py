"""A small cloud to try things on: its hosts, and what a test does to them in a word."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host
from koboshi.sim.samples import host

H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
A = ServerId("a")


class Lab:
    """The cloud, and short words for what a test asks of it."""

    def __init__(self, cloud: SimCloud) -> None:
        self.cloud = cloud
        self.physics = cloud.physics

    def host(self, name: HostName = H1) -> Host:
        return self.physics.hosts[name]

    def row(self, server: ServerId = A) -> Server:
        return self.cloud.servers_by_id[server]

    def shows(self, server: ServerId = A) -> tuple[str, str | None, str | None]:
        """Return vm_state, task_state and host."""
        row = self.row(server)
        return row.vm_state, row.task_state, row.host

    def records(self, server: ServerId = A) -> list[tuple[str, str | None]]:
        return [(r.status, r.destination) for r in self.cloud.records_of(server)]

    def lose(self, name: HostName = H1) -> None:
        """Take a host's power, and force it down in Nova."""
        self.physics.cut_power(name)
        self.cloud.accept_service_update(name, forced_down=True)

    async def evacuated(self, to: HostName | None = H2, server: ServerId = A) -> None:
        self.cloud.accept_evacuate(server, to)
        await anyio.sleep(10)

    async def back(self, name: HostName = H1, after_s: float = 20.0) -> None:
        """Let a host return, and its nova-compute go through its start."""
        await self.cloud.boot(name)
        await anyio.sleep(after_s)


@asynccontextmanager
async def lab(
    servers: Sequence[Server], hosts: int = 3, shared: Sequence[HostName] = ()
) -> AsyncGenerator[Lab]:
    """Let a cloud run; the hosts in `shared` keep their servers' disks on one NFS."""
    async with anyio.create_task_group() as tasks:
        machines = [host(n) for n in range(1, hosts + 1)]
        for machine in machines:
            machine.storage = "nfs" if machine.name in shared else None
        cloud = SimCloud(machines)
        cloud.begin(tasks)
        for row in servers:
            cloud.add(row)
        yield Lab(cloud)
        tasks.cancel_scope.cancel()
