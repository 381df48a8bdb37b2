"""The whole cloud's forecast: what each host's death would cost, its servers packed onto the others."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from koboshi.domain.facts.cloud import COMPUTE_BINARY, ComputeService, Room, Server, ServerGroup
from koboshi.domain.facts.stock import Gap, Space, Stock
from koboshi.domain.forecasting.capacity import (
    Field,
    Pacing,
    Spot,
    Turn,
    bring_back,
    nothing_hinders,
)
from koboshi.domain.forecasting.disk_forecast import Storage
from koboshi.domain.forecasting.forecast import Facts, Outcome, ServerForecast, WaitsFor, forecasts
from koboshi.domain.forecasting.not_counted import servers_not_counted
from koboshi.domain.forecasting.nova_filters import aggregate_hindrance
from koboshi.domain.forecasting.time_bombs import TimeBomb, time_bombs
from koboshi.domain.names import DomainName, HostName, ServerId
from koboshi.domain.policies.resolving import Policy, policy_of
from koboshi.domain.recoveries.recovery import Candidate
from koboshi.domain.restraint.bound import bound
from koboshi.domain.rules import Rules

NAMED: Final = 3
_SAY_WISHES: Final = frozenset({"volumes", "images", "ports"})
"""What of a cloud may ask a host for more than room: while it could not be read, nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostForecast:
    """What one host's death would cost."""

    host: HostName
    zone: str
    closed: str
    """Why it takes no servers now; empty where it does."""
    is_protected: bool
    servers: tuple[ServerForecast, ...]
    bombs: tuple[TimeBomb, ...] = ()

    def count(self, outcome: Outcome) -> int:
        """Return how many of its servers end so."""
        return sum(s.outcome is outcome for s in self.servers)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Return the servers that would be evacuated, room left aside."""
        return tuple(s.candidate for s in self.servers if s.candidate is not None)


class Survival:
    """A cloud, and what would become of it."""

    def __init__(
        self,
        stock: Stock,
        rules: Rules,
        protected: frozenset[HostName],
        shared_aggregates: Collection[str] = (),
        domains: Mapping[DomainName, frozenset[HostName]] | None = None,
    ) -> None:
        self.stock = stock
        self.rules = rules
        self.domains = domains or {}
        """Hosts that can fail together for one cause, as the settings declare them."""
        self._services = {s.host: s for s in stock.services if s.binary == COMPUTE_BINARY}
        self._closed = {h: c for h, s in self._services.items() if (c := _closed(s, protected))}
        shared = tuple(a for a in stock.aggregates if a.name in shared_aggregates)
        on = _field(stock, self._services, self._closed)
        self.on = replace(on, sharing={a.name: a.hosts for a in shared})
        self._facts = Facts(
            groups=_groups(stock),
            images_active=_images(stock),
            storage=Storage(
                volumes=stock.volumes,
                images=stock.images,
                shared=shared,
                destinations=frozenset(s.host for s in self.on.spots),
                tpm_hosts=stock.tpm_hosts,
                ports=stock.ports or {},
            ),
            rules=rules,
            protected=protected,
            aggregates=stock.aggregates,
        )
        self._not_counted = servers_not_counted(stock)
        self.bombs = time_bombs(stock)
        self.gaps = (
            *stock.gaps,
            *_silent_cells(self._services),
            *_strangers(stock, shared_aggregates),
        )
        by_host: dict[HostName, list[ServerForecast]] = defaultdict(list)
        for found in forecasts(stock.servers, self._facts):
            by_host[found.host].append(found)
        self._by_host = by_host

    @property
    def hosts(self) -> tuple[HostName, ...]:
        """Return every host that has servers or could take some."""
        return tuple(sorted(self._services.keys() | self._by_host.keys()))

    @property
    def open_hosts(self) -> tuple[HostName, ...]:
        """Return the hosts that are protected and serve."""
        return tuple(sorted(self._services.keys() - self._closed.keys()))

    @property
    def knows_room(self) -> bool:
        """Return whether Placement told what hosts can take."""
        return self.stock.spaces is not None

    @property
    def down(self) -> tuple[HostName, ...]:
        """Return the hosts that Nova takes for down, or is told to, and that nobody disabled."""
        return tuple(
            sorted(
                h
                for h, s in self._services.items()
                if s.enabled and (s.up is False or s.forced_down)
            )
        )

    @property
    def bound(self) -> int:
        """Return how many hosts the brake lets be in trouble at once, cells left aside."""
        counted = sum(s.enabled for s in self._services.values())
        return bound(counted, self.rules)

    @property
    def is_anything_hindered(self) -> bool:
        """Return whether aggregates keep any server from any host."""
        return self.on.hinders is not nothing_hinders

    def candidates_of(self, host: HostName) -> tuple[Candidate, ...]:
        """Return the servers of a host that would be evacuated, room left aside."""
        return tuple(s.candidate for s in self._by_host.get(host, ()) if s.candidate)

    def why_not_counted(self, hosts: Collection[HostName]) -> str:
        """Return why it is not known whether all servers of these hosts fit; empty where it is."""
        names = [c.server for h in hosts for c in self.candidates_of(h)]
        untold = [g.what for g in self.stock.gaps if g.what in _SAY_WISHES] if names else []
        asked = sorted({a for name in names if (a := self._not_counted.get(name))})
        parts: list[str] = []
        if asked:
            number = sum(name in self._not_counted for name in names)
            asks = "1 server asks" if number == 1 else f"{number} servers ask"
            more = f" and {len(asked) - NAMED} more" if len(asked) > NAMED else ""
            parts.append(
                f"{asks} for what no count of room tells: {'; '.join(asked[:NAMED])}{more}"
            )
        if untold:
            parts.append(f"{' and '.join(untold)}, which may ask for such, could not be read")
        return "; ".join(parts)

    def seen_with(self, server: ServerForecast, turn: Turn | None) -> ServerForecast:
        """Return a server's forecast with what the packing found."""
        return with_room(server, turn, self._not_counted.get(server.server, ""))

    def if_dies(self, host: HostName) -> HostForecast:
        """Return what would become of a host's servers if it alone died now."""
        told = {t.candidate.server: t for t in self.bring_back((host,))}
        service = self._services.get(host)
        return HostForecast(
            host=host,
            zone=service.zone if service else "",
            closed=self._closed.get(host, ""),
            is_protected=host in self._facts.protected,
            servers=tuple(
                self.seen_with(s, told.get(s.server)) for s in self._by_host.get(host, ())
            ),
            bombs=tuple(b for b in self.bombs if b.host == host),
        )

    def each(self, tell: Callable[[int], None] = lambda _: None) -> tuple[HostForecast, ...]:
        """Return what each host's death would cost; `tell` hears how many are done."""
        found: list[HostForecast] = []
        for host in self.hosts:
            found.append(self.if_dies(host))
            tell(len(found))
        return tuple(found)

    def bring_back(
        self, dead: Collection[HostName], pacing: Pacing | None = None
    ) -> tuple[Turn, ...]:
        """Return the turns of all servers that would be evacuated if these hosts died together."""
        if not self.knows_room:
            return ()
        return bring_back({h: self.candidates_of(h) for h in dead}, self.on, self.rules, pacing)

    def policy(self, server: Server) -> Policy:
        """Return what is wanted for a server, and by whom."""
        return policy_of(server, self._facts.sources, self.rules)

    def servers_of(self, host: HostName) -> tuple[ServerForecast, ...]:
        """Return the forecasts of a host's servers, room left aside."""
        return tuple(self._by_host.get(host, ()))


_KEEP_FREE: Final = (
    "keep that free on another host; only Nova can tell whether one has it (a migration of the server "
    "shows it)"
)


def with_room(server: ServerForecast, turn: Turn | None, not_counted: str = "") -> ServerForecast:
    """Return the forecast with what the packing found: a server without a place waits for one.

    `not_counted` is what it asks for, and the packing does not count.
    """
    if turn is None:
        return server
    if turn.destination is not None:
        if not not_counted:
            return server
        return replace(
            server,
            not_counted=not_counted,
            why=f"{server.why}; whether a host can take it is unknown (not counted: {not_counted})",
            change=server.change or _KEEP_FREE,
        )
    return replace(
        server,
        outcome=Outcome.WAITS,
        waits_for=WaitsFor.ROOM,
        why=f"no room: {turn.lacking}",
        change="room on a host that suits it: it is offered again by itself as soon as there is some",
    )


def totals(hosts: Collection[HostForecast]) -> Counter[Outcome]:
    """Return how many servers end how, each as its own host's death would have it."""
    return Counter(s.outcome for h in hosts for s in h.servers)


def _silent_cells(services: Mapping[HostName, ComputeService]) -> Iterator[Gap]:
    """Return the gap that a cell leaves: Nova lists none of its servers, and says nothing of it."""
    silent = sorted(h for h, s in services.items() if s.up is None)
    if silent:
        more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
        yield Gap(
            what=f"servers of {', '.join(silent[:NAMED])}{more}",
            why="their cell of Nova does not answer, and Nova lists none of its servers",
            cure="bring back the cell's database and message queue, and ask again",
        )


def _strangers(stock: Stock, shared_aggregates: Collection[str]) -> Iterator[Gap]:
    known = sorted(a.name for a in stock.aggregates)
    for name in shared_aggregates:
        if name not in known:
            yield Gap(
                what=f"aggregate {name}",
                why="[storage] shared_aggregates names it, and Nova has none of this name",
                cure=f"there are: {', '.join(known) or 'none'}",
            )


def _closed(service: ComputeService, protected: frozenset[HostName]) -> str:
    if service.up is None:
        return "its cell does not answer"
    if service.forced_down:
        return "forced down"
    if not service.up:
        return "down"
    if not service.enabled:
        reason = f" ({service.disabled_reason})" if service.disabled_reason else ""
        return f"disabled{reason}"
    return "" if service.host in protected else "not protected"


def _field(
    stock: Stock, services: Mapping[HostName, ComputeService], closed: Mapping[HostName, str]
) -> Field:
    spaces = {space.room.host: space for space in stock.spaces or ()}
    full = {h: Space(room=Room(host=h, vcpus=0, ram_mb=0, disk_gb=0)) for h in services}
    spots = tuple(
        Spot(
            host=host,
            zone=services[host].zone,
            room=space.room,
            traits=space.traits,
            pool=space.pool,
        )
        for host, space in sorted((full | spaces).items())
        if host in services and host not in closed
    )
    where = {s.id: s.host for s in stock.servers if s.host is not None}
    return Field(
        spots=spots,
        where=where,
        hinders=aggregate_hindrance(stock.servers, stock.aggregates),
    )


def _groups(stock: Stock) -> Mapping[ServerId, tuple[ServerGroup, ...]]:
    found: dict[ServerId, tuple[ServerGroup, ...]] = {}
    for group in stock.groups:
        for member in group.members:
            found[member] = (*found.get(member, ()), group)
    return found


def _images(stock: Stock) -> Mapping[str, bool]:
    """Return whether images are active; where Glance told nothing, the recovery would wait for it."""
    used = {s.image_id for s in stock.servers if s.image_id is not None}
    if stock.images is None:
        return dict.fromkeys(used, True)
    return {i: (image := stock.images.get(i)) is not None and image.active for i in used}


def server_named(stock: Stock, wanted: str) -> tuple[Server, ...]:
    """Return the servers of this id or name; several may share a name."""
    by_id = tuple(s for s in stock.servers if s.id == wanted)
    return by_id or tuple(s for s in stock.servers if s.name == wanted)
