"""Each host, looked at as the daemon will: whether it answers, and its BMC tells its power."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from difflib import get_close_matches

import anyio

from koboshi.adapters.fencing.inspecting import Trouble
from koboshi.cli.checks import Check, Result
from koboshi.daemon.wiring import protected_hosts
from koboshi.domain.errors import ConfigurationError, FenceError
from koboshi.domain.facts.cloud import Hypervisor, Power, ProbeAnswer
from koboshi.domain.facts.device import NAMELESS, Identity, mistaken
from koboshi.domain.names import HostName
from koboshi.domain.rules import Mode, ProofPolicy
from koboshi.ports.fence import Fence
from koboshi.ports.probe import Probe
from koboshi.ports.witness import AddressBook
from koboshi.settings import AgentDevice, Device, ProbeKind, Settings

AT_ONCE = 16
"""Hosts asked at the same time: hundreds take seconds, and no network notices."""

NewFence = Callable[[Device], AbstractAsyncContextManager[Fence]]
"""Opens a power device; it is closed behind the check."""
Inspect = Callable[[Device], Awaitable[Iterable[Trouble]]]
"""Looks at a device's fence agent, and switches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What hosts are asked with."""

    probe: Probe
    book: AddressBook
    """Where hosts answer, but for what Nova tells."""
    new_fence: NewFence
    inspect: Inspect


async def check_hosts(
    settings: Settings,
    hypervisors: Iterable[Hypervisor] | None,
    instruments: Instruments,
) -> list[Check]:
    """Return a row for each thing of each host. `hypervisors` is None when Nova did not tell."""
    listed: dict[str, Hypervisor] | None = (
        None if hypervisors is None else {h.host: h for h in hypervisors}
    )
    found = [] if listed is None else [_protected(settings, listed), *_strangers(settings, listed)]
    chosen = sorted(_chosen(settings, listed or {}))
    await instruments.book.refresh([HostName(host) for host in chosen])
    rows: dict[str, list[Check]] = {}
    identities: dict[HostName, Identity] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def look(host: str) -> None:
        async with limiter:
            address = instruments.book.address_of(HostName(host))
            if address is None and listed is not None and host in listed:
                address = listed[host].address
            answer, row = await _probe(host, address, settings, instruments.probe)
            rows[host] = [row, *await _power(host, answer, settings, instruments)]
            identities[HostName(host)] = await _identity(host, settings, instruments)

    async with anyio.create_task_group() as group:
        for host in chosen:
            group.start_soon(look, host)
    known = [HostName(host) for host in listed or chosen]
    mapped = _mapping(mistaken(identities, known, settings.fencing.machines()))
    return [*found, *(row for host in chosen for row in rows[host]), *mapped]


def _chosen(settings: Settings, listed: dict[str, Hypervisor]) -> frozenset[HostName]:
    """Return the hosts to look at: the protected ones, or, unknown to Nova, the configured ones."""
    if not listed:
        return frozenset(map(HostName, settings.fencing.known_hosts()))
    return protected_hosts(settings, listed.values())


def _protected(settings: Settings, listed: dict[str, Hypervisor]) -> Check:
    hosts = protected_hosts(settings, listed.values())
    others = sorted(set(listed) - hosts)
    detail = f"{len(hosts)} of {len(listed)} hosts are protected"
    if others:
        detail += f"; not: {', '.join(others[:5])}" + (" …" if len(others) > 5 else "")  # noqa: PLR2004 - as many as a row holds
    return Check(
        check="hosts",
        subject="protect",
        result=Result.OK if hosts else Result.FAIL,
        detail=detail,
        cure="" if hosts else "mend protect and exclude in [hosts]; only QEMU/KVM hosts count",
    )


def _strangers(settings: Settings, listed: dict[str, Hypervisor]) -> Iterable[Check]:
    """Return a warning for each host in the settings that Nova does not know: often a typo."""
    for table, names in (
        ("fencing.hosts", settings.fencing.hosts),
        ("fencing.outlets", settings.fencing.outlets),
        ("hosts.addresses", settings.hosts.addresses),
    ):
        for name in sorted(set(names) - set(listed)):
            close = get_close_matches(name, listed, n=1)
            yield Check(
                check="unknown host",
                subject=name,
                result=Result.WARN,
                detail=f"[{table}] names it, and Nova has no such host",
                cure=f"did you mean {close[0]}?" if close else "remove it, or mend its spelling",
            )


async def _probe(
    host: str,
    address: str | None,
    settings: Settings,
    probe: Probe,
) -> tuple[ProbeAnswer, Check]:
    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="probe", subject=host, result=result, detail=detail, cure=cure)

    if address is None:
        cure = f'add to [hosts.addresses]: {host} = "ADDRESS"'
        return ProbeAnswer.OWN_TROUBLE, row(Result.FAIL, "has no known address", cure)
    answer = await probe.ask(address)
    kind, port, ask = settings.probe.kind, settings.probe.port, settings.probe.ask
    where = f"{address} ({', '.join(ask)})" if ask else f"{address} port {port}"
    match answer:
        case ProbeAnswer.USERLAND:
            return answer, row(Result.OK, f"{where} answers")
        case ProbeAnswer.KERNEL if kind is ProbeKind.TCP:
            return answer, row(Result.OK, f"{where} answers (its kernel does)")
        case ProbeAnswer.KERNEL if ask:
            cure = "does a program answer there? One that is asked should tell that userland lives"
            return answer, row(Result.WARN, f"{where}: its kernel answers, no program does", cure)
        case ProbeAnswer.KERNEL:
            cure = "is sshd there, and does it let this machine in? Otherwise set [probe] port"
            return answer, row(Result.WARN, f"{where}: its kernel answers, no ssh server", cure)
        case ProbeAnswer.SILENT:
            cure = "let this machine through the firewall, or set [hosts.addresses]"
            return answer, row(Result.WARN, f"{where} is silent", cure)
        case ProbeAnswer.OWN_TROUBLE:
            cure = "run this where the daemon will run, with a route to the hosts"
            return answer, row(Result.FAIL, f"{where} cannot be asked from here", cure)


def _without_device(host: str, settings: Settings) -> tuple[Result, str, str]:
    cure = f"add [fencing.hosts.{host}], or the host to exclude in [hosts]"
    match settings.policy.proof:
        case ProofPolicy.POWER:
            result = Result.FAIL if settings.mode is Mode.ACT else Result.WARN
            return result, "no power device: its death could not be proven", cure
        case ProofPolicy.WORD:
            said = f"should it die, a person must say so: koboshi host confirm-dead {host}"
            return Result.WARN, f"no power device: {said}", cure
        case ProofPolicy.SILENCE:
            return Result.WARN, "no power device: its death would be assumed, not proven", cure


async def _power(
    host: str, answer: ProbeAnswer, settings: Settings, instruments: Instruments
) -> list[Check]:
    """Return a row for each of the host's power devices, and for what is odd about its agent."""
    devices = settings.fencing.of(host)
    if devices is None:
        result, detail, cure = _without_device(host, settings)
        return [Check(check="power", subject=host, result=result, detail=detail, cure=cure)]
    rows: list[Check] = []
    bmc = () if devices.bmc is None else ((f"fencing.hosts.{host}", "its BMC", devices.bmc),)
    outlets = (
        (f"fencing.outlets.{host}.{name}", f"its outlet {name}", device)
        for name, device in devices.outlets.items()
    )
    for table, name, device in (*bmc, *outlets):
        if isinstance(device, AgentDevice):
            name = f"{name} ({device.agent})"  # noqa: PLW2901 the longer name is for the rows only
        troubles = list(await instruments.inspect(device))
        rows += [
            Check(
                check="fence agent",
                subject=host,
                result=Result.FAIL if trouble.is_fatal else Result.WARN,
                detail=trouble.text,
                cure=trouble.cure,
            )
            for trouble in troubles
        ]
        if not any(trouble.is_fatal for trouble in troubles):
            row = _Row(host=host, table=table, name=name)
            rows.append(await _one_device(row, answer, device, instruments.new_fence))
    return rows


async def _identity(host: str, settings: Settings, instruments: Instruments) -> Identity:
    """Return what the host's first device says it is; one that does not answer has its row already."""
    device = settings.fencing.device(host)
    if device is None or isinstance(device, AgentDevice):
        return NAMELESS
    try:
        async with instruments.new_fence(device) as fence:
            return await fence.identity()
    except (FenceError, ConfigurationError):
        return NAMELESS


def _mapping(wrong: Mapping[HostName, str]) -> list[Check]:
    """Return a row for each device that says that it is another host's."""
    return [
        Check(
            check="mapping",
            subject=host,
            result=Result.FAIL,
            detail=why,
            cure=f"compare the address in [fencing.hosts.{host}] with the machine itself",
        )
        for host, why in sorted(wrong.items())
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Of which device a row tells."""

    host: str
    table: str
    name: str

    def says(self, result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="power", subject=self.host, result=result, detail=detail, cure=cure)


async def _one_device(row: _Row, answer: ProbeAnswer, device: Device, new_fence: NewFence) -> Check:
    try:
        async with new_fence(device) as fence:
            power = await fence.power_state()
    except (FenceError, ConfigurationError) as error:
        detail, _, cure = str(error).partition("; ")
        return row.says(Result.FAIL, detail, cure or f"mend [{row.table}]")
    answers = answer in {ProbeAnswer.USERLAND, ProbeAnswer.KERNEL}
    if power is Power.ON:
        return row.says(Result.OK, f"{row.name} reads on")
    if power is Power.OFF and answers:
        cure = f"what [{row.table}] names is probably another machine's"
        return row.says(Result.FAIL, f"{row.name} reads off, but the host answers", cure)
    if power is Power.OFF:
        cure = "switch it on, or exclude it in [hosts]"
        return row.says(Result.WARN, f"{row.name} reads off", cure)
    cure = "look at its web page; reset the BMC"
    return row.says(Result.FAIL, f"{row.name} does not say on or off", cure)
