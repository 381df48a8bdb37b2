"""The observers: what is read, when, and what a failed reading means (nothing is known)."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

import anyio
import structlog

from koboshi.domain.errors import CloudError, FenceError
from koboshi.domain.facts.cloud import (
    PROTECTED_HYPERVISORS,
    Aggregate,
    Demand,
    Hypervisor,
    Migration,
    Power,
    Server,
)
from koboshi.domain.facts.device import BMC
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.places import DomainSource, Places
from koboshi.domain.facts.world import (
    ActionsRead,
    ApiHealth,
    GroupsRead,
    ImageRead,
    MigrationsRead,
    RoomRead,
    RunningRead,
    ServerRead,
    ServersRead,
    World,
    with_item,
)
from koboshi.domain.forecasting.stale import is_stale
from koboshi.domain.instant import Instant
from koboshi.domain.interest import Interest
from koboshi.domain.judging.evidence import PowerReading
from koboshi.domain.names import MANAGEMENT, HostName, ServerId
from koboshi.engine.pace import (
    HYPERVISORS_A_MINUTE,
    MAX_DIAGNOSTICS_AT_ONCE,
    MAX_PATROL_READS_AT_ONCE,
    MAX_POWER_READS_AT_ONCE,
    MAX_READS_AT_ONCE,
    RECORDS_REST,
    SERVICES_REST,
    Pace,
)
from koboshi.engine.patrol import Patrol
from koboshi.engine.schedule import Order
from koboshi.engine.sweeping import Sweeper
from koboshi.engine.volumes import Volumes
from koboshi.engine.whiteboard import Whiteboard
from koboshi.engine.witnesses import Witnesses, WitnessObservers, probe_all
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import CloudReader
from koboshi.ports.fence import Fence, spoke, trusted
from koboshi.ports.probe import Probe

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_LEFT_OPEN_READ = 50
"""Servers of old open evacuation records that one look reads by id."""
IDENTITY_EVERY = timedelta(hours=1)
"""How often a device is asked whose it is: boards are exchanged, and cables moved, by day."""


class Observers:
    """Everything that is read of the world, and where it is written."""

    def __init__(  # noqa: PLR0913 each is a port or a rule of its own, given once
        self,
        *,
        board: Whiteboard,
        clock: Clock,
        cloud: CloudReader,
        probe: Probe,
        fences: Mapping[HostName, Fence],
        pace: Pace,
        is_protected: Callable[[HostName], bool],
        witnesses: Witnesses,
        places: Places | None = None,
        reads_aggregates: bool = False,
        api_health: Callable[[], ApiHealth] = ApiHealth,
    ) -> None:
        self._board = board
        self._clock = clock
        self._cloud = cloud
        self._probe = probe
        self._fences = fences
        self._pace = pace
        self._is_protected = is_protected
        self._book = witnesses.management
        self._witnesses = WitnessObservers(board=board, clock=clock, pace=pace, witnesses=witnesses)
        self._places = places or Places()
        self._reads_aggregates = reads_aggregates or (
            self._places.source is DomainSource.AGGREGATES
        )
        self._api_health = api_health
        self._known_aggregates: tuple[Aggregate, ...] = ()
        self._sweeper = Sweeper(board=board, clock=clock, cloud=cloud, pace=pace)
        self._patrol = Patrol(fences, pace.power, MAX_PATROL_READS_AT_ONCE)
        self._power_limit = anyio.CapacityLimiter(MAX_POWER_READS_AT_ONCE)
        self._diagnostics_limit = anyio.CapacityLimiter(MAX_DIAGNOSTICS_AT_ONCE)
        self._read_limit = anyio.CapacityLimiter(MAX_READS_AT_ONCE)
        self._failing: set[str] = set()
        self._volumes = Volumes(
            board=board, clock=clock, cloud=cloud, pace=pace, ask=self._ask, limit=self._read_limit
        )
        self._services_took = pace.services
        self._records_took = pace.records
        self._identified: dict[HostName, Instant] = {}

    def orders(self, interest: Interest) -> Iterator[Order]:
        """Return everything that should be read now and again, each with its pace."""
        pace = self._pace
        if interest.api_is_unwell:  # whoever asks more of it now keeps it unwell
            yield Order(key="services", every=pace.services_unwell, work=self._services)
            yield Order(key="probes", every=pace.probes, work=self._probe_round)
            yield from self._witnesses.orders(interest)
            yield from self._power_orders(interest)
            return
        services = pace.services_suspect if interest.suspicion else self._calm_services()
        if interest.services_now:
            services = min(services, pace.decisive)
        yield Order(key="services", every=services, work=self._services)
        known = len(self._board.world.hypervisors)
        calmly = max(pace.hypervisors, timedelta(minutes=known / HYPERVISORS_A_MINUTE))
        hypervisors = calmly if self._board.knows_all_hypervisors() else pace.calm
        yield Order(key="hypervisors", every=hypervisors, work=self._hypervisors)
        yield Order(key="probes", every=pace.probes, work=self._probe_round)
        if self._board.world.services_read_at is not None:  # they tell Nova's time
            soon = interest.sweep_soon
            every, work = (pace.sweep_soon, self._sweep_soon) if soon else (pace.sweep, self._sweep)
            yield Order(key="sweep", every=every, work=work)
            yield Order(key="stale", every=pace.stale_records, work=self._stale_records)
        yield Order(key="backends", every=pace.backends, work=self._volumes.backends)
        yield from self._witnesses.orders(interest)
        if interest.groups and self._board.world.aggregates is None:
            yield Order(key="aggregates", every=pace.calm, work=self._aggregates)
        elif interest.groups or self._reads_aggregates:
            yield Order(key="aggregates", every=pace.aggregates, work=self._aggregates)
        yield from self._power_orders(interest)
        yield from self._incident_orders(interest)

    def _power_orders(self, interest: Interest) -> Iterator[Order]:
        now, read = self._clock.now(), self._board.world.power
        pause = self._pace.power_suspect
        for host in interest.power_now & self._fences.keys():
            yield Order(key=("power", host), every=timedelta(), work=partial(self._power, host))
        for host in (interest.power - interest.power_now) & self._fences.keys():
            track = read.get(host)
            if track is None or now.since(track.newest.at) >= pause:
                yield Order(key=("power", host), every=pause, work=partial(self._power, host))
        for host in self._patrol.due(now):
            yield Order(key=("power", host), every=timedelta(), work=partial(self._patrolled, host))

    def _incident_orders(self, interest: Interest) -> Iterator[Order]:
        pace = self._pace

        def urgent(interval: timedelta) -> timedelta:
            return interval if interest.urgent else max(interval, pace.calm)

        records = self._quick_records() if interest.slots_awaited else urgent(pace.records)
        for host in interest.list_records:
            yield Order(key=("records", host), every=records, work=partial(self._records, host))
        for host in interest.list_servers:
            listing = pace.calm if host in interest.list_again else pace.listing
            yield Order(key=("listing", host), every=listing, work=partial(self._listing, host))
        for server in interest.servers:
            yield Order(
                key=("server", server),
                every=urgent(pace.servers),
                work=partial(self._server, server),
            )
        for server in interest.partners - interest.servers:
            work = partial(self._server, server)
            yield Order(key=("partner", server), every=pace.calm, work=work)
        for server in interest.running:
            yield Order(
                key=("running", server), every=pace.running, work=partial(self._running, server)
            )
        for server in interest.actions:
            yield Order(
                key=("actions", server), every=pace.actions, work=partial(self._actions, server)
            )
        for demand in interest.demands:
            yield Order(key=("room", demand), every=pace.room, work=partial(self._room, demand))
        for image in interest.images:
            yield Order(key=("image", image), every=pace.images, work=partial(self._image, image))
        yield from self._volumes.orders(interest)
        if interest.tpm_hosts:
            yield Order(key="tpm hosts", every=pace.calm, work=self._volumes.tpm_hosts)
        for project in interest.projects:
            work = partial(self._listing_of, project)
            yield Order(key=("project", project), every=pace.calm, work=work)
        if interest.groups:
            yield Order(key="groups", every=pace.groups, work=self._groups)

    async def _ask(self, what: str, question: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer, or None when there was none; a failure is logged once, and its end."""
        try:
            answer = await question()
        except CloudError as error:
            if what not in self._failing:
                self._failing.add(what)
                log.warning("read_failed", what=what, error=str(error))
            await self._clock.sleep(self._pace.failed)
            return None
        if what in self._failing:
            self._failing.discard(what)
            log.info("read_recovered", what=what)
        return answer

    def _calm_services(self) -> timedelta:
        """Return the pause between two reads while all is well: short where the API answers at once."""
        pace = self._pace
        quick = self._services_took * SERVICES_REST
        return min(max(quick, pace.services_suspect), pace.services)

    def _quick_records(self) -> timedelta:
        """Return the pause between two reads of records while servers wait for one of them to end."""
        pace = self._pace
        return min(max(self._records_took * RECORDS_REST, pace.records_awaited), pace.records)

    async def _services(self) -> None:
        asked_at = self._clock.now()
        try:
            rows = await self._cloud.services()
        except CloudError as error:
            if "services" not in self._failing:
                self._failing.add("services")
                log.warning("read_failed", what="services", error=str(error))
            self._board.miss_services(str(error), self._clock.now())
            self._board.see_health(self._api_health())
            return
        self._failing.discard("services")
        self._services_took = self._clock.now().since(asked_at)
        self._board.see_services(rows, self._clock.now(), asked_at)
        self._board.see_health(self._api_health())
        self._board.place(self._places, self._known_aggregates)

    async def _hypervisors(self) -> None:
        rows = await self._ask("hypervisors", self._cloud.hypervisors)
        if rows is None:
            return
        protected = frozenset(
            r.host
            for r in rows
            if r.type.upper() in PROTECTED_HYPERVISORS and self._is_protected(r.host)
        )
        ours = frozenset(
            r.host for r in rows if self._places.is_ours(r.host, self._address_of_row(r))
        )
        self._board.see_hypervisors(rows, protected, ours)

    async def _aggregates(self) -> None:
        rows = await self._ask("aggregates", self._cloud.aggregates)
        if rows is not None:
            self._known_aggregates = rows
            self._board.see_aggregates(rows)
            self._board.place(self._places, rows)

    def _address_of_row(self, row: Hypervisor) -> str | None:
        listed = self._book.address_of(row.host) if self._book is not None else None
        return listed or row.address

    def _address_of(self, host: HostName, world: World) -> str | None:
        if self._book is not None and (address := self._book.address_of(host)):
            return address
        hypervisor = world.hypervisors.get(host)
        return hypervisor.address if hypervisor else None

    async def _probe_round(self) -> None:
        world = self._board.world
        addresses = {h: a for h in world.protected if (a := self._address_of(h, world))}
        await probe_all(addresses, self._probe, self._board, self._clock, MANAGEMENT)

    async def _patrolled(self, host: HostName) -> None:
        """Read the power, and now and again whose device this is."""
        await self._power(host)
        told_at = self._identified.get(host)
        if told_at is None or self._clock.now().since(told_at) >= IDENTITY_EVERY:
            async with self._power_limit:
                await self._identify(host)

    async def _identify(self, host: HostName) -> None:
        try:
            identity = await self._fences[host].identity()
        except FenceError:
            return  # the power of it cannot be read either, and that is told
        except Exception:  # an odd device must not blind us to the others
            log.exception("identity_crashed", host=host)
            return
        self._identified[host] = self._clock.now()
        self._board.see_identity(host, identity)

    async def _power(self, host: HostName) -> None:
        asked = self._fences[host]
        # One alone is asked even when it is not believed: that is how it may be believed again.
        fence = trusted(asked, self._board.distrusted_of(host)) or asked
        async with self._power_limit:
            try:
                power, detail = await fence.power_state(), ""
            except FenceError as error:
                power, detail = Power.UNKNOWN, str(error)
            except Exception as error:  # an odd device must not blind us to the others
                log.exception("power_reading_crashed", host=host)
                power, detail = Power.UNKNOWN, f"an internal error: {type(error).__name__}"
            answered = power is not Power.UNKNOWN and spoke(fence) == BMC
            if answered and host not in self._board.world.identities:
                await self._identify(host)  # an *off* of it counts only when it is the host's
        now = self._clock.now()
        reading = PowerReading(at=now, power=power, detail=detail, device=spoke(fence))
        self._board.see_power(host, reading)
        self._patrol.rest(host, now)

    async def _sweep(self) -> None:
        await self._ask("servers", self._sweeper.sweep)

    async def _sweep_soon(self) -> None:
        await self._ask("servers", self._sweeper.sweep_soon)

    async def _stale_records(self) -> None:
        now = self._clock.now()
        records = await self._ask("open evacuation records", self._open_records)
        if records is None:
            return
        read = await self._servers_left_open(records)
        self._board.world = replace(
            self._board.world,
            evacuations=MigrationsRead(at=now, records=records, unbroken_since=now),
            left_open=read,
        )

    async def _servers_left_open(
        self, records: Iterable[Migration]
    ) -> Mapping[ServerId, Server | None]:
        """Read the servers of old open records: what such a record destroys, only they tell."""
        before, nova = self._board.world.left_open, nova_now(self._board.world)
        old = dict.fromkeys(r.server for r in records if is_stale(r, nova))
        found: dict[ServerId, Server | None] = {}
        for server in islice(old, MAX_LEFT_OPEN_READ):
            read = await self._ask(
                "a server", partial(self._read_server, server, self._clock.now())
            )
            if read is not None:
                found[server] = read.server
            elif server in before:
                found[server] = before[server]
        return found

    async def _open_records(self) -> tuple[Migration, ...]:
        accepted = await self._cloud.migrations(evacuations_only=True, status="accepted")
        claimed = await self._cloud.migrations(evacuations_only=True, status="pre-migrating")
        return accepted + claimed

    async def _records(self, host: HostName) -> None:
        started = self._clock.now()
        records = await self._ask(
            f"evacuation records of {host}",
            lambda: self._cloud.migrations(source=host, evacuations_only=True),
        )
        self._records_took = self._clock.now().since(started)
        if records is None:
            self._board.miss_records(host)
        else:
            self._board.see_records(host, records, started)

    async def _listing(self, host: HostName) -> None:
        started = self._clock.now()
        servers = await self._ask(f"servers of {host}", lambda: self._cloud.servers(host))
        if servers is not None:
            read = ServersRead(at=started, servers=servers)
            self._board.world = replace(
                self._board.world, on_host=with_item(self._board.world.on_host, host, read)
            )

    async def _listing_of(self, project: str) -> None:
        started = self._clock.now()
        servers = await self._ask(
            f"servers of project {project}", lambda: self._cloud.servers(project=project)
        )
        if servers is not None:
            read = ServersRead(at=started, servers=servers)
            self._board.world = replace(
                self._board.world,
                of_project=with_item(self._board.world.of_project, project, read),
            )

    async def _server(self, server: ServerId) -> None:
        started = self._clock.now()
        async with self._read_limit:
            found = await self._ask("a server", lambda: self._read_server(server, started))
        if found is not None:
            self._board.world = replace(
                self._board.world, servers=with_item(self._board.world.servers, server, found)
            )

    async def _read_server(self, server: ServerId, started: Instant) -> ServerRead:
        return ServerRead(at=started, server=await self._cloud.server(server))

    async def _running(self, server: ServerId) -> None:
        started = self._clock.now()
        async with self._diagnostics_limit:
            running = await self._cloud.is_running(server)
        read = RunningRead(at=started, running=running)
        self._board.world = replace(
            self._board.world, running=with_item(self._board.world.running, server, read)
        )

    async def _actions(self, server: ServerId) -> None:
        started = self._clock.now()
        async with self._read_limit:
            actions = await self._ask("a server's actions", lambda: self._cloud.actions(server))
        if actions is not None:
            self._board.see_actions(server, ActionsRead(at=started, actions=actions))

    async def _room(self, demand: Demand) -> None:
        rooms = await self._ask("room on the hosts", lambda: self._cloud.room(demand))
        if rooms is not None:
            read = RoomRead(at=self._clock.now(), rooms=rooms)
            self._board.world = replace(
                self._board.world, room=with_item(self._board.world.room, demand, read)
            )

    async def _image(self, image: str) -> None:
        found = await self._ask("an image", lambda: self._read_image(image))
        if found is not None:
            self._board.world = replace(
                self._board.world, images=with_item(self._board.world.images, image, found)
            )

    async def _read_image(self, image: str) -> ImageRead:
        return ImageRead(at=self._clock.now(), image=await self._cloud.image(image))

    async def _groups(self) -> None:
        groups = await self._ask("server groups", self._cloud.server_groups)
        if groups is not None:
            self._board.world = replace(
                self._board.world, groups=GroupsRead(at=self._clock.now(), groups=groups)
            )
