"""From settings to adapters, for the daemon and for the commands that ask as it would."""

import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from koboshi.adapters.fencing import (
    AgentAccess,
    AgentFence,
    BmcAccess,
    Chain,
    Feeds,
    RedfishFence,
    Trouble,
    inspect,
)
from koboshi.adapters.openstack import CloudAccess, TimeLimits
from koboshi.domain.facts.cloud import PROTECTED_HYPERVISORS, Hypervisor
from koboshi.domain.facts.device import BMC, OUTLETS
from koboshi.domain.names import HostName
from koboshi.ports.fence import Fence
from koboshi.settings import AgentDevice, Device, HostDevices, Settings


def cloud_access(settings: Settings) -> CloudAccess:
    """Return which cloud is meant."""
    cloud = settings.cloud
    return CloudAccess(
        name=cloud.name,
        config_file=cloud.config_file,
        region=cloud.region,
        interface=cloud.interface,
    )


def time_limits(settings: Settings) -> TimeLimits:
    """Return how long the cloud's answers are waited for."""
    read_s = settings.cloud.read_timeout.total_seconds()
    return TimeLimits(
        read_s=read_s,
        read_total_s=2 * read_s,
        command_s=settings.cloud.command_timeout.total_seconds(),
    )


def protected_hosts(settings: Settings, listed: Iterable[Hypervisor]) -> frozenset[HostName]:
    """Return the hosts that Koboshi looks after, of those that Nova lists."""
    return frozenset(
        h.host
        for h in listed
        if h.type.upper() in PROTECTED_HYPERVISORS and settings.hosts.is_protected(h.host)
    )


@asynccontextmanager
async def fence(devices: HostDevices) -> AsyncGenerator[Fence]:
    """Open all power devices of one host, as one."""
    async with AsyncExitStack() as stack:
        named: dict[str, Fence] = {}
        if devices.bmc is not None:
            named[BMC] = await _opened(devices.bmc, stack)
        outlets = {name: await _opened(one, stack) for name, one in devices.outlets.items()}
        if outlets:
            named[OUTLETS] = Feeds(outlets)
        yield Chain(named) if OUTLETS in named else named[BMC]


@asynccontextmanager
async def device(one: Device) -> AsyncGenerator[Fence]:
    """Open one power device."""
    async with AsyncExitStack() as stack:
        yield await _opened(one, stack)


async def _opened(one: Device, stack: AsyncExitStack) -> Fence:
    if isinstance(one, AgentDevice):
        return AgentFence(agent_access(one))
    return await stack.enter_async_context(
        RedfishFence(
            BmcAccess(
                host=one.host,
                url=one.url,
                username=one.username,
                password=one.password,
                system_id=one.system_id,
                verify_tls=one.verify_tls,
                ca_file=one.ca_file,
                fingerprint=one.fingerprint,
                timeout=one.timeout,
            )
        )
    )


async def inspected(one: Device) -> tuple[Trouble, ...]:
    """Return what is wrong with a device's fence agent; nothing is switched."""
    return await inspect(agent_access(one)) if isinstance(one, AgentDevice) else ()


def agent_access(one: AgentDevice) -> AgentAccess:
    """Return how a device is reached through its fence agent."""
    return AgentAccess(
        host=one.host,
        agent=one.agent,
        folder=one.folder,
        parameters=one.parameters,
        username=one.username,
        password=one.password,
        timeout=one.timeout,
    )


def device_tables(settings: Settings) -> dict[HostName, dict[str, str]]:
    """Return what each host's devices are, in short: another text is another device."""
    found: dict[HostName, dict[str, str]] = {}
    for host in settings.fencing.known_hosts():
        devices = settings.fencing.of(host)
        named = found.setdefault(HostName(host), {})
        if devices is not None and devices.bmc is not None:
            named[BMC] = _short(devices.bmc.table)
        if devices is not None and devices.outlets:
            named[OUTLETS] = _short("\n".join(one.table for one in devices.outlets.values()))
    return found


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
