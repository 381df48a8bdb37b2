"""What one life of the daemon sees the world through: simulated ports, or the real adapters.

The simulated ports are the fast face: no text is written or read. The real adapters speak HTTP with
the cloud's other face, in memory and in virtual time; only probes and the journal stay simulated.
"""

import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from koboshi.adapters.fencing.redfish import BmcAccess, RedfishFence
from koboshi.adapters.openstack import Carrier, CloudAccess, TimeLimits, connect
from koboshi.domain.facts.device import BMC
from koboshi.domain.facts.world import ApiHealth
from koboshi.domain.names import HostName
from koboshi.engine.witnesses import NOBODY, Witnesses
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import Cloud
from koboshi.ports.fence import Fence
from koboshi.ports.probe import Probe
from koboshi.rehearsal.devices import Devices, fence_of
from koboshi.rehearsal.witnesses import Asked, witnesses_of
from koboshi.sim.hearsay import SimKdump
from koboshi.sim.http import BMC_USER, KOBOSHI, PASSWORD, Face
from koboshi.sim.http.memory import URL, KeystoneInMemory, MemoryTransport
from koboshi.sim.http.serving import Served
from koboshi.sim.world import World

NAME = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the engine is given of the world."""

    cloud: Cloud
    probe: Probe
    fences: Mapping[HostName, Fence]
    api_health: Callable[[], ApiHealth]
    witnesses: Witnesses = NOBODY
    kdump: SimKdump | None = None
    """Where crashed kernels' messages arrive."""


Opens = Callable[[Clock], AbstractAsyncContextManager[Ports]]
"""Gives the ports for one life of the daemon, by its clock."""


def simulated(world: World, devices: Devices | None = None, asked: Asked | None = None) -> Opens:
    """Return the simulated ports; `devices` are those that are known, every host's BMC if None."""
    witnesses = witnesses_of(world, asked or Asked())

    @asynccontextmanager
    async def open_ports(_clock: Clock) -> AsyncGenerator[Ports]:
        known = _all_bmcs(world) if devices is None else devices
        fences = {h: fence_of(world, h, names) for h, names in known.items()}
        yield Ports(
            cloud=world.cloud,
            probe=world.probe,
            fences=fences,
            api_health=world.cloud.line.health,
            witnesses=witnesses,
            kdump=world.kdump,
        )

    return open_ports


def real_adapters(
    face: Face,
    devices: Devices | None = None,
    asked: Asked | None = None,
    *,
    limits: TimeLimits | None = None,
) -> Opens:
    """Return the real adapters of the cloud and of its BMCs, over HTTP in memory."""
    world = face.world
    known = _all_bmcs(world) if devices is None else devices
    witnesses = witnesses_of(world, asked or Asked())

    @asynccontextmanager
    async def open_ports(clock: Clock) -> AsyncGenerator[Ports]:
        transport = MemoryTransport(face, world.cloud.tasks, world.uplink)
        keystone = KeystoneInMemory(face)
        async with AsyncExitStack() as stack:
            cloud = await stack.enter_async_context(
                connect(
                    _access(stack),
                    clock=clock,
                    limits=limits,
                    transport=transport,
                    keystone=Carrier(run=keystone.run, session=keystone.session),
                )
            )
            fences: dict[HostName, Fence] = {}
            for host, names in known.items():
                if names != (BMC,):  # outlets speak no Redfish
                    fences[host] = fence_of(world, host, names)
                    continue
                fence = RedfishFence(_bmc(host), transport=transport)
                fences[host] = await stack.enter_async_context(fence)
            yield Ports(
                cloud=cloud,
                probe=world.probe,
                fences=fences,
                # Agents by the real adapter, over the face's Neutron.
                api_health=cloud.api_health,
                witnesses=replace(witnesses, agents=cloud if witnesses.agents else None),
                kdump=world.kdump,
            )

    return open_ports


def _all_bmcs(world: World) -> Devices:
    return dict.fromkeys(world.fences, (BMC,))


def _access(stack: AsyncExitStack) -> CloudAccess:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="koboshi-")))
    path = folder / "clouds.yaml"
    path.write_text(Served(url=URL).clouds_yaml(NAME, KOBOSHI))
    return CloudAccess(name=NAME, config_file=path)


def _bmc(host: HostName) -> BmcAccess:
    return BmcAccess(
        host=host,
        url=URL,
        username=BMC_USER,
        password=SecretStr(PASSWORD),
        system_id=host,
        verify_tls=False,
    )
