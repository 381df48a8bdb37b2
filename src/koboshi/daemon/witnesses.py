"""From settings to the witnesses beyond Nova and the power devices."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from koboshi.adapters.hearsay import (
    KdumpListener,
    KdumpTrust,
    Prometheus,
    PrometheusAccess,
    listen,
)
from koboshi.adapters.openstack.cloud import OpenStackCloud
from koboshi.adapters.probing import (
    Addresses,
    HttpProbe,
    IcmpProbe,
    ServerProber,
    SeveralProbes,
    SshProbe,
    TcpProbe,
    read_inventory,
    why_no_icmp,
)
from koboshi.domain.errors import ConfigurationError
from koboshi.domain.instant import Instant
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName
from koboshi.engine.whiteboard import Whiteboard
from koboshi.engine.witnesses import Watched, Witnesses
from koboshi.ports.clock import Clock
from koboshi.ports.probe import Probe
from koboshi.settings import ProbeKind, Settings
from koboshi.settings.witnesses import question_of

log = structlog.get_logger(__name__)

DIRECTORY_LASTS = timedelta(seconds=10)


def probe(settings: Settings) -> Probe:
    """Return the way of asking hosts on the management network."""
    said = settings.probe
    if said.ask:
        return asking(said.ask, settings)
    if said.kind is ProbeKind.SSH:
        return SshProbe(port=said.port, timeout=said.timeout)
    return TcpProbe(port=said.port, timeout=said.timeout)


def asking(ask: tuple[str, ...], settings: Settings) -> Probe:
    """Return the way of asking all of this at once. Raises ConfigurationError where we may not."""
    probes = [_one(text, settings) for text in ask]
    return probes[0] if len(probes) == 1 else SeveralProbes(probes)


def _one(text: str, settings: Settings) -> Probe:
    question, timeout = question_of(text), settings.probe.timeout
    match question.kind:
        case "icmp":
            if (why := why_no_icmp()) is not None:
                raise ConfigurationError(why)
            return IcmpProbe(timeout=timeout)
        case "ssh":
            return SshProbe(port=question.port, timeout=timeout)
        case "tcp":
            return TcpProbe(port=question.port, timeout=timeout)
        case _:
            return HttpProbe(
                port=question.port, path=question.path, expect=question.expect, timeout=timeout
            )


def management(settings: Settings) -> Addresses:
    """Return where hosts answer on the management network, but for what Nova tells."""
    hosts = settings.hosts
    listed = read_inventory(hosts.inventory, MANAGEMENT) if hosts.inventory else {}
    table = listed | {HostName(h): a for h, a in hosts.addresses.items()}
    return Addresses(table, hosts.pattern)


def networks(settings: Settings) -> dict[NetworkName, Watched]:
    """Return the further networks. Raises ConfigurationError for an inventory that cannot be read."""
    found: dict[NetworkName, Watched] = {}
    for text, said in settings.networks.items():
        name = NetworkName(text)
        listed = read_inventory(said.inventory, name) if said.inventory else {}
        table = listed | {HostName(h): a for h, a in said.addresses.items()}
        found[name] = Watched(probe=asking(said.ask, settings), book=Addresses(table, said.pattern))
    return found


def prometheus(settings: Settings) -> Prometheus | None:
    """Return Prometheus, where one is named."""
    said = settings.prometheus
    if said.url is None:
        return None
    return Prometheus(
        PrometheusAccess(
            url=said.url,
            queries=said.queries,
            boot_times=said.boot_times or None,
            host_label=said.host_label,
            host_pattern=said.host_pattern,
            username=said.username,
            password=said.password,
            ca_file=said.ca_file,
            timeout=said.timeout,
        )
    )


async def witnesses(settings: Settings, cloud: OpenStackCloud, stack: AsyncExitStack) -> Witnesses:
    """Return everybody who is asked; what must be closed is closed by `stack`."""
    samples = prometheus(settings)
    if samples is not None:
        await stack.enter_async_context(samples)
    agents = cloud if settings.neutron.agents and await cloud.has_neutron() else None
    if settings.neutron.agents and agents is None:
        log.warning("no_neutron", meaning="the catalog names none: its agents are not read")
    return Witnesses(
        networks=networks(settings),
        independent=frozenset(
            NetworkName(n) for n, s in settings.networks.items() if s.independent
        ),
        agents=agents,
        samples=samples,
        servers=ServerProber(),
        server_networks=tuple(str(n) for n in settings.health.networks),
        management=management(settings),
    )


async def hear_kdumps(
    settings: Settings, board: Whiteboard, who: Witnesses, clock: Clock, stack: AsyncExitStack
) -> None:
    """Listen for crashed kernels until `stack` is closed. Raises ConfigurationError."""
    said = settings.kdump
    if said.listen is None:
        return

    directory = _Directory(board, who, clock)

    def heard(host: HostName, proven: bool) -> None:  # noqa: FBT001 - the listener's own signature
        log.warning("kdump_heard", host=host, proven=proven)
        board.see_kdump(host, clock.now(), authenticated=proven)

    listener = KdumpListener(
        trust=KdumpTrust.of(said.secret, said.isolated),
        host_at=directory.host_at,
        is_known=lambda host: host in board.world.services,
        heard=heard,
        now=clock.now,
    )
    try:
        transport = await listen(listener, said.listen, said.port)
    except OSError as error:
        raise ConfigurationError(
            f"[kdump] cannot listen on {said.listen} port {said.port}: {error.strerror or error}; "
            "set listen and port to what this machine has and nobody else uses"
        ) from None
    stack.callback(transport.close)


class _Directory:
    """Whose address is whose, made anew now and again: messages may come in hundreds."""

    def __init__(self, board: Whiteboard, who: Witnesses, clock: Clock) -> None:
        self._board = board
        self._who = who
        self._clock = clock
        self._made_at: Instant | None = None
        self._hosts: dict[str, HostName | None] = {}

    def host_at(self, address: str) -> HostName | None:
        """Return whose address this is; None when it is nobody's, or more than one's."""
        now = self._clock.now()
        if self._made_at is None or now.since(self._made_at) > DIRECTORY_LASTS:
            self._hosts = {}
            for host in self._board.world.protected:
                for known in self._addresses_of(host):
                    mine = self._hosts.get(known, host) == host
                    self._hosts[known] = host if mine else None
            self._made_at = now
        return self._hosts.get(address)

    def _addresses_of(self, host: HostName) -> Iterator[str]:
        hypervisor = self._board.world.hypervisors.get(host)
        if hypervisor is not None and hypervisor.address is not None:
            yield hypervisor.address
        books = [watched.book for watched in self._who.networks.values()]
        for book in (self._who.management, *books):
            if book is not None and (address := book.address_of(host)) is not None:
                yield address
