"""The simulation's side: served on a port, in real time, on a loop in a thread of its own."""

import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from koboshi.domain.facts.cloud import Flavor, Server
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.happening import Happenings
from koboshi.sim.http import ADMIN, BMC_USER, PASSWORD, Face, serving
from koboshi.sim.physics import Host
from koboshi.sim.world import World
from tests.contract.side import Bmc, Entry, Kind, Lever, Service
from tests.contract.telling import TellingCloud

HEARTBEAT_S, DOWN_AFTER_S = 2.0, 6.0
"""The lab's fast intervals."""
BOOT_S = 3.0
SPAWN_S = 0.5
IMAGE = "3c6e5a0e-6d0a-4c4e-9a57-2f3a5b6e2f10"
FLAVORS = {
    Kind.BFV: Flavor(name="m.bfv", vcpus=1, ram_mb=64, disk_gb=0),
    Kind.IMAGE: Flavor(name="m.tiny", vcpus=1, ram_mb=64, disk_gb=1),
}
FAULTS = {Lever.POWER: FaultKind.POWER_LOSS, Lever.PROCESS: FaultKind.COMPUTE_DIES}
SERVICES = {
    Service.SCHEDULER: FaultKind.SCHEDULER_DIES,
    Service.CONDUCTOR: FaultKind.CONDUCTOR_DIES,
}


@contextmanager
def simulated(hosts: int) -> Generator["SimSide"]:
    """Serve a cloud of so many hosts until the block ends."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_served(hosts)) as (cloud, world, happenings, url),
    ):
        yield SimSide(portal, cloud, world, happenings, url)


@asynccontextmanager
async def _served(hosts: int) -> AsyncGenerator[tuple[TellingCloud, World, Happenings, str]]:
    async with anyio.create_task_group() as tasks:
        cloud = TellingCloud(
            [_host(n) for n in range(1, hosts + 1)],
            heartbeat_s=HEARTBEAT_S,
            down_after_s=DOWN_AFTER_S,
        )
        cloud.begin(tasks)
        world = World.around(cloud)
        async with serving(Face(world)) as served:
            yield cloud, world, Happenings(world, tasks), served.auth_url
        tasks.cancel_scope.cancel()


def _host(number: int) -> Host:
    return Host(
        name=HostName(f"cmp{number}"),
        address=f"192.0.2.{number}",
        vcpus=64,
        ram_mb=131_072,
        disk_gb=4_096,
        boot_s=BOOT_S,
        spawn_s=SPAWN_S,
    )


class SimSide:
    """Implements Side by the simulated world."""

    name = "simulation"
    username = ADMIN.name
    password = ADMIN.password
    project = ADMIN.project

    def __init__(
        self,
        portal: BlockingPortal,
        cloud: TellingCloud,
        world: World,
        happenings: Happenings,
        auth_url: str,
    ) -> None:
        self._portal = portal
        self._world = world
        self._cloud = cloud
        self._happenings = happenings
        self.auth_url = auth_url

    def inside(self) -> AbstractContextManager[None]:
        """Return nothing special: it is served on the loopback."""
        return nullcontext()

    def _do(self, act: Callable[..., Any], *args: Any) -> Any:
        return self._portal.call(act, *args)

    def _befall(self, kind: FaultKind, **more: Any) -> None:
        self._do(self._happenings.begin, Fault(kind=kind, **more))

    def bmc(self, host: str) -> Bmc:
        """Return the one address of all of them."""
        url = self.auth_url.partition("/identity")[0]
        return Bmc(url=url, username=BMC_USER, password=PASSWORD, system_id=host)

    def boot(self, host: str, kind: Kind, count: int) -> list[str]:
        """Put servers on a host."""
        rows = [_server(host, kind) for _ in range(count)]
        for row in rows:
            self._do(self._world.cloud.add, row)
        return [row.id for row in rows]

    def pull(self, host: str, lever: Lever) -> None:
        """Let the fault befall."""
        if lever is not Lever.START:
            self._befall(FAULTS[lever], host=host)
        elif self._world.host(host).power:
            self._befall(FaultKind.COMPUTE_STARTS, host=host)
        else:
            self._befall(FaultKind.START, host=host)

    def spawns(self, host: str, *, fail: bool = False, take_s: float = 0.0) -> None:
        """Let faults of spawns befall."""
        self._do(self._happenings.calm, host)
        if fail:
            text = "Failed to deploy instance: lab: the knob spawn_fails is set"
            self._befall(FaultKind.SPAWNS_FAIL, host=host, text=text)
        if take_s:
            self._befall(FaultKind.SPAWNS_SLOW, host=host, by_s=take_s)

    def stop_service(self, service: Service) -> None:
        """Let it die."""
        self._befall(SERVICES[service])

    def start_service(self, service: Service) -> None:  # noqa: ARG002 only one is dead at a time
        """Let that end."""
        self._do(self._happenings.calm)

    def truth(self, server: str) -> list[Entry]:
        """Read the physics."""
        return self._do(self._truth, ServerId(server))

    def _truth(self, server: ServerId) -> list[Entry]:
        physics = self._world.physics
        found: list[Entry] = []
        for host in physics.hosts.values():
            copies = physics.disks.at(server, host.place)
            if server in host.defined or copies:
                made = tuple(f"{copy.disk}-{copy.made}" for copy in copies)
                running = server in host.domains
                found.append(Entry(host=host.name, running=running, local_disks=made))
        return found

    def told(self, what: str, server: str, since_s: float) -> list[tuple[float, Any]]:
        """Return every state since a moment, and the one that was so then."""
        every = self._do(lambda: list(self._cloud.told.get((what, server), ())))
        before = [state for at_s, state in every if at_s < since_s][-1:]
        return [(since_s, state) for state in before] + [t for t in every if t[0] >= since_s]

    def calm(self) -> None:
        """Begin with an empty cloud: every scene has one of its own here."""


def _server(host: str, kind: Kind) -> Server:
    identifier = str(uuid.uuid4())
    is_image = kind is Kind.IMAGE
    return Server(
        id=ServerId(identifier),
        name=f"{kind}-{identifier[:4]}",
        project_id=ADMIN.project_id,
        host=HostName(host),
        status="ACTIVE",
        vm_state="active",
        power_state=1,
        flavor=FLAVORS[kind],
        image_id=IMAGE if is_image else None,
        volume_ids=() if is_image else (str(uuid.uuid4()),),
        launched=True,
        task_state=None,
    )
