"""The witnesses beyond Nova, the management network and the power: further networks, and hearsay.

Whoever of them is not configured is not asked. A failed reading says nothing of any host.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import anyio
import structlog

from koboshi.domain.alone.health import target_of
from koboshi.domain.errors import CloudError
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.facts.sweep import Checked
from koboshi.domain.interest import Interest
from koboshi.domain.names import HostName, NetworkName, ServerId
from koboshi.domain.policies.readiness import Readiness
from koboshi.engine.pace import MAX_CHECKS_AT_ONCE, MAX_PROBES_AT_ONCE, Pace
from koboshi.engine.schedule import Order
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.probe import Probe, ServerProbe
from koboshi.ports.witness import AddressBook, AgentsReader, SampleReader

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One network: how hosts are asked there, and where they answer."""

    probe: Probe
    book: AddressBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Who is asked beyond Nova, the management network and the power."""

    networks: Mapping[NetworkName, Watched] = field(default_factory=dict[NetworkName, Watched])
    independent: frozenset[NetworkName] = frozenset()
    """Networks that share no switch with the management network."""
    agents: AgentsReader | None = None
    samples: SampleReader | None = None
    servers: ServerProbe | None = None
    """Who asks servers whose owners want it."""
    server_networks: tuple[str, ...] = ()
    """Where servers may be asked at all."""
    management: AddressBook | None = None
    """Where hosts answer on the management network, where Nova does not tell or is wrong."""


NOBODY = Witnesses()


class WitnessObservers:
    """Asks them, each at its own pace."""

    def __init__(
        self, *, board: Whiteboard, clock: Clock, pace: Pace, witnesses: Witnesses
    ) -> None:
        self._board = board
        self._clock = clock
        self._pace = pace
        self._witnesses = witnesses
        self._failing: set[str] = set()
        board.declare_independent(witnesses.independent)

    def orders(self, interest: Interest) -> Iterator[Order]:
        """Return everything that should be asked now and again."""
        pace, who = self._pace, self._witnesses
        for name, watched in who.networks.items():
            work = partial(self._probe_round, name, watched)
            yield Order(key=("probes", name), every=pace.probes, work=work)
            work = partial(self._refresh, watched.book)
            yield Order(key=("addresses", name), every=pace.addresses, work=work)
        if who.management is not None:
            work = partial(self._refresh, who.management)
            yield Order(key="addresses", every=pace.addresses, work=work)
        if who.agents is not None:
            services = pace.services_suspect if interest.suspicion else pace.services
            yield Order(key="agents", every=services, work=partial(self._agents, who.agents))
        if who.servers is not None and who.server_networks:
            work = partial(self._checks, who.servers)
            yield Order(key="checks", every=pace.checks, work=work)
        if who.servers is not None:
            for asked in interest.ready:
                work = partial(self._ready, who.servers, asked)
                yield Order(key=("ready", asked), every=pace.ready, work=work)
        if who.samples is not None:
            work = partial(self._samples, who.samples)
            yield Order(key="samples", every=pace.samples, work=work)
            work = partial(self._boots, who.samples)
            yield Order(key="boots", every=pace.boots, work=work)

    async def _probe_round(self, name: NetworkName, watched: Watched) -> None:
        hosts = self._board.world.protected
        found = {h: a for h in hosts if (a := watched.book.address_of(h))}
        await probe_all(found, watched.probe, self._board, self._clock, name)

    async def _refresh(self, book: AddressBook) -> None:
        await book.refresh(self._board.world.protected)

    async def _agents(self, reader: AgentsReader) -> None:
        asked_at = self._clock.now()

        async def read() -> None:
            rows = await reader.agents()
            self._board.see_agents(rows, self._clock.now(), asked_at)

        await self._ask("Neutron's agents", read)

    async def _samples(self, reader: SampleReader) -> None:
        asked_at = self._clock.now()

        async def read() -> None:
            self._board.see_samples(await reader.samples(), asked_at)

        await self._ask("Prometheus", read)

    async def _checks(self, prober: ServerProbe) -> None:
        sweep = self._board.world.sweep
        networks = self._witnesses.server_networks
        targets = {
            server: target
            for server, checked in (sweep.checked if sweep else dict[ServerId, Checked]()).items()
            if (target := target_of(checked.check, networks)) is not None
        }
        answers = dict[ServerId, ProbeAnswer]()
        rest = iter(targets.items())

        async def in_turn() -> None:
            for server, target in rest:
                answers[server] = await prober.ask(target)

        async with anyio.create_task_group() as tasks:
            for _ in range(min(MAX_CHECKS_AT_ONCE, len(targets))):
                tasks.start_soon(in_turn)
        self._board.see_checks(answers, self._clock.now())

    async def _ready(self, prober: ServerProbe, asked: Readiness) -> None:
        at = self._clock.now()
        answer = await prober.ask(asked.target)
        self._board.see_ready(asked, answer, at)

    async def _boots(self, reader: SampleReader) -> None:
        asked_at = self._clock.now()

        async def read() -> None:
            self._board.see_boots(await reader.boot_times(), asked_at)

        await self._ask("boot times of Prometheus", read)

    async def _ask(self, what: str, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
        except CloudError as error:
            if what not in self._failing:
                self._failing.add(what)
                log.warning("read_failed", what=what, error=str(error))
            await self._clock.sleep(max(self._pace.failed, timedelta(seconds=5)))
            return
        if what in self._failing:
            self._failing.discard(what)
            log.info("read_recovered", what=what)


async def probe_all(
    addresses: Mapping[HostName, str],
    probe: Probe,
    board: Whiteboard,
    clock: Clock,
    network: NetworkName,
) -> None:
    """Ask each host once, many at the same time: a task a host would cost more than the question."""
    hosts = iter(addresses.items())

    async def in_turn() -> None:
        for host, address in hosts:
            answer = await probe.ask(address)
            board.see_probe(host, answer, clock.now(), f"{probe.name}@{address}", network)

    async with anyio.create_task_group() as tasks:
        for _ in range(min(MAX_PROBES_AT_ONCE, len(addresses))):
            tasks.start_soon(in_turn)
