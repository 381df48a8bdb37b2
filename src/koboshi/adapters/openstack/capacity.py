"""Room on hosts by Placement's account, told in Nova's host names."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from koboshi.adapters.openstack import shapes
from koboshi.adapters.openstack.calls import OK, Calls, reason
from koboshi.adapters.openstack.wire import Request
from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.facts.cloud import Demand, Hypervisor, Room
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName
from koboshi.ports.clock import Clock

BAD_REQUEST = 400
MICROVERSION = "1.29"
"""Every provider of a candidate's tree, each with its root."""
MAX_CANDIDATES = "1000"
"""As many as Nova's own scheduler looks at by default."""
STRANGERS = timedelta(seconds=60)
"""How long a provider that is no hypervisor is not asked for again."""
TPM_TRAITS = ("COMPUTE_SECURITY_TPM_1_2", "COMPUTE_SECURITY_TPM_2_0")
"""One of them is on every host that gives vTPMs (nova 34 scheduler/utils.py: _translate_vtpm_request)."""
NOT_DISABLED = "!COMPUTE_STATUS_DISABLED"


class Capacity:
    """Placement's candidates, with the hypervisors' names cached.

    A host that died is still among them: only its own nova-compute would tell Placement that it is
    disabled (nova 34 compute/api.py: no call to a service that is down; seen on the lab).
    """

    def __init__(
        self,
        calls: Calls,
        clock: Clock,
        hypervisors: Callable[[], Awaitable[tuple[Hypervisor, ...]]],
    ) -> None:
        self._calls = calls
        self._clock = clock
        self._hypervisors = hypervisors
        self._hosts: dict[str, HostName] = {}
        self._strangers: frozenset[str] = frozenset()
        self._looked: Instant | None = None

    async def room(self, demand: Demand) -> tuple[Room, ...]:
        """Return the hosts that can take `demand` now, and what they have left."""
        candidates = await self._candidates(demand)
        if candidates is None:
            return ()
        summaries = candidates.provider_summaries
        await self._learn({provider.root_provider_uuid for provider in summaries.values()})
        rooms: dict[HostName, Room] = {}
        for request in candidates.allocation_requests:
            room = self._room(request, summaries)
            if room is not None:
                rooms.setdefault(room.host, room)
        return tuple(rooms.values())

    async def with_any(self, traits: Iterable[str]) -> frozenset[HostName]:
        """Return the hosts whose provider has any of these traits, dead ones too."""
        found: set[HostName] = set()
        for trait in traits:
            request = Request(
                service="placement",
                method="GET",
                path="/resource_providers",
                microversion=MICROVERSION,
                params={"required": trait},
            )
            answer = await self._calls.read(request, expect=frozenset({OK, BAD_REQUEST}))
            if answer.status == BAD_REQUEST:
                if "trait" not in reason(answer).lower():
                    raise InvalidAnswer(f"{request.label}: HTTP 400: {reason(answer)}")
                continue  # an older Placement does not know it, and no host can have it
            rows = shapes.parse(shapes.Providers, answer).resource_providers
            ids = {row.uuid for row in rows}
            await self._learn(ids)
            found.update(self._hosts[i] for i in ids if i in self._hosts)
        return frozenset(found)

    async def _candidates(self, demand: Demand) -> shapes.Candidates | None:
        wanted = {"VCPU": demand.vcpus, "MEMORY_MB": demand.ram_mb, "DISK_GB": demand.disk_gb}
        resources = ",".join(f"{name}:{amount}" for name, amount in wanted.items() if amount > 0)
        request = Request(
            service="placement",
            method="GET",
            path="/allocation_candidates",
            microversion=MICROVERSION,
            params={
                "resources": resources,
                "required": ",".join([NOT_DISABLED, *sorted(demand.required_traits)]),
                "limit": MAX_CANDIDATES,
            },
        )
        answer = await self._calls.read(request, expect=frozenset({OK, BAD_REQUEST}))
        if answer.status == BAD_REQUEST:
            # A trait that nobody has is not even known to Placement.
            if demand.required_traits and "trait" in reason(answer).lower():
                return None
            raise InvalidAnswer(f"{request.label}: HTTP 400: {reason(answer)}")
        return shapes.parse(shapes.Candidates, answer)

    async def _learn(self, roots: set[str]) -> None:
        """Look the hypervisors up again when a provider appears that has no name yet."""
        unknown = roots - self._hosts.keys()
        now = self._clock.now()
        recently = self._looked is not None and now.since(self._looked) < STRANGERS
        if not unknown or (recently and unknown <= self._strangers):
            return
        self._hosts = {found.id: found.host for found in await self._hypervisors()}
        self._looked = now
        # Nova's storage pools that hosts share, and Ironic's nodes, are providers too.
        self._strangers = frozenset(roots - self._hosts.keys())

    def _room(
        self,
        request: shapes.AllocationRequest,
        summaries: dict[str, shapes.Provider],
    ) -> Room | None:
        """Return what the providers of one way to satisfy the demand have left."""
        left: dict[str, int] = {}
        host: HostName | None = None
        for provider, allocation in request.allocations.items():
            summary = summaries.get(provider)
            if summary is None:
                raise InvalidAnswer(
                    f"GET /allocation_candidates: provider {provider} has no summary",
                )
            named = self._hosts.get(summary.root_provider_uuid)
            host = host or named
            for name, inventory in summary.resources.items():
                # A host's own disk is told even where none was asked for.
                if name in allocation.resources or named is not None:
                    left[name] = inventory.capacity - inventory.used
        if host is None:
            return None
        return Room(
            host=host,
            vcpus=left.get("VCPU", 0),
            ram_mb=left.get("MEMORY_MB", 0),
            disk_gb=left.get("DISK_GB", 0),
        )
