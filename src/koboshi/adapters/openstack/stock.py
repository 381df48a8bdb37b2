"""The whole cloud, read once: a number of calls that grows with nothing but the pages of lists."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from koboshi.adapters.openstack import stock_shapes as shapes
from koboshi.adapters.openstack.bulk import parse
from koboshi.adapters.openstack.calls import Calls
from koboshi.adapters.openstack.cloud import OpenStackCloud
from koboshi.adapters.openstack.listing import by_marker
from koboshi.adapters.openstack.network_ports import read_ports
from koboshi.adapters.openstack.wire import Answer, Request
from koboshi.domain.errors import CloudError, ConfigurationError, InvalidAnswer
from koboshi.domain.facts.cloud import Hypervisor, Migration, Room
from koboshi.domain.facts.stock import Gap, Image, Space, Stock
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.stranded import not_known_to

T = TypeVar("T")

ANY_ROOM = "MEMORY_MB:1"
"""What every server asks for: a host without it is full."""
PLACEMENT = "1.29"
BOMBS = ("accepted", "pre-migrating")
"""The statuses of an evacuation record that make its source's nova-compute destroy a guest."""


async def take_stock(cloud: OpenStackCloud, tell: Callable[[str], None] = lambda _: None) -> Stock:
    """Read everything that a forecast needs. `tell` hears what was read.

    Without Nova there is no forecast: its errors are raised. What Cinder, Glance, Neutron and
    Placement do not tell is a gap.
    """
    gaps: list[Gap] = []
    calls = cloud.calls

    async def must(what: str, ask: Callable[[], Awaitable[T]]) -> T:
        answer = await ask()
        tell(what)
        return answer

    async def may(what: str, cure: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await must(what, ask)
        except (CloudError, ConfigurationError) as error:
            why, _, said = str(error).rpartition("; ")
            gaps.append(Gap(what=what, why=why or said, cure=cure))
            return None

    await cloud.verify()
    services = await must("services", cloud.services)
    hypervisors = await must("hypervisors", cloud.hypervisors)
    servers = await must("servers", cloud.servers)
    groups = await must("server groups", cloud.server_groups)
    if not await _is_admin(cloud):
        gaps += [
            Gap(
                what=what,
                why=f"without the `admin` role {service} shows only our own project's",
                cure="give the user the `admin` role",
            )
            for what, service in (("server groups", "Nova"), ("ports", "Neutron"))
        ]
    records = await must("evacuation records", lambda: _open_records(cloud))
    aggregates = await must("aggregates", cloud.aggregates)
    volumes = await may(
        "volumes",
        "give the user the `admin` role in Cinder, and register its endpoint (volumev3) in Keystone",
        cloud.volumes,
    )
    tpm_hosts: frozenset[HostName] | None = frozenset()
    if any(not_known_to(s, volumes or {}) for s in servers if s.image_id is None):
        tpm_hosts = await may("hosts with vTPMs", "let the user read Placement", cloud.tpm_hosts)
    images = await may("images", "let the user list Glance's images", lambda: _images(calls))
    ports = await may(
        "ports",
        "give the user the `admin` role in Neutron, and register its endpoint (network) in Keystone",
        lambda: read_ports(calls),
    )
    spaces = await may(
        "room on hosts", "give the user the `admin` role", lambda: _spaces(calls, hypervisors)
    )
    return Stock(
        services=services,
        hypervisors=hypervisors,
        servers=servers,
        groups=groups,
        open_records=records,
        aggregates=aggregates,
        volumes=volumes,
        images=images,
        ports=ports,
        tpm_hosts=tpm_hosts,
        spaces=spaces,
        gaps=tuple(gaps),
    )


async def _is_admin(cloud: OpenStackCloud) -> bool:
    """Return whether Nova heeds all_projects: it drops it silently for everyone else."""
    roles = (await cloud.grant()).access.role_names or []
    return "admin" in {role.lower() for role in roles}


async def take_records(cloud: OpenStackCloud) -> Stock:
    """Read only what time bombs are found by: services (for Nova's time), servers, open records."""
    return Stock(
        services=await cloud.services(),
        hypervisors=(),
        servers=await cloud.servers(),
        open_records=await _open_records(cloud),
    )


async def _open_records(cloud: OpenStackCloud) -> tuple[Migration, ...]:
    found: list[Migration] = []
    for status in BOMBS:
        found += await cloud.migrations(evacuations_only=True, status=status)
    return tuple(found)


async def _images(calls: Calls) -> Mapping[str, Image]:
    """Return every image; those that are hidden from lists can be booted from all the same."""

    def page(answer: Answer) -> tuple[list[Image], bool]:
        parsed = parse(shapes.Images, answer)
        return [shapes.image_of(row) for row in parsed.images], parsed.next is not None

    found: dict[str, Image] = {}
    for hidden in ("false", "true"):
        params = {"visibility": "all", "os_hidden": hidden}
        request = Request(service="image", method="GET", path="/images", params=params)
        for row in await by_marker(calls, request, page, lambda row: row.id):
            found[row.id] = row
    return found


async def _spaces(calls: Calls, hypervisors: Iterable[Hypervisor]) -> tuple[Space, ...]:
    """Return what every host that is not full can take: with its own disk, or with a shared one."""
    hosts = {h.id: h.host for h in hypervisors}
    found: dict[HostName, Space] = {}
    for resources in (ANY_ROOM, f"{ANY_ROOM},DISK_GB:1"):
        candidates = await _candidates(calls, resources)
        for request in candidates.requests:
            space = _space(request, candidates.providers, hosts)
            if space is not None:
                found[space.room.host] = space
    return tuple(found.values())


async def _candidates(calls: Calls, resources: str) -> shapes.Candidates:
    request = Request(
        service="placement",
        method="GET",
        path="/allocation_candidates",
        microversion=PLACEMENT,
        params={"resources": resources},
    )
    return parse(shapes.Candidates, await calls.read(request))


def _space(
    request: shapes.AllocationRequest,
    providers: Mapping[str, shapes.Provider],
    hosts: Mapping[str, HostName],
) -> Space | None:
    """Return a host's space by one way to satisfy a small demand; None where it is no host of Nova's."""
    left: dict[str, int] = {}
    host: HostName | None = None
    pool: str | None = None
    traits: set[str] = set()
    for identifier, allocation in request.allocations.items():
        provider = providers.get(identifier)
        if provider is None:
            raise InvalidAnswer(
                f"GET /allocation_candidates: provider {identifier} has no summary",
            )
        named = hosts.get(provider.root)
        host = host or named
        traits.update(provider.traits)
        if named is None and "DISK_GB" in allocation.resources:
            pool = identifier
        for name, inventory in provider.resources.items():
            if name in allocation.resources or named is not None:
                left[name] = inventory.capacity - inventory.used
    if host is None:
        return None
    room = Room(
        host=host,
        vcpus=left.get("VCPU", 0),
        ram_mb=left.get("MEMORY_MB", 0),
        disk_gb=left.get("DISK_GB", 0),
    )
    return Space(room=room, traits=frozenset(traits), pool=pool)
