"""What the witnesses beyond Nova, the management network and the BMCs say, for each host."""

from collections.abc import Collection

import anyio

from koboshi.cli.checks import Check, Result
from koboshi.domain.errors import CloudError
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.names import HostName, NetworkName
from koboshi.engine.witnesses import Watched, Witnesses

AT_ONCE = 16
ANSWERED = frozenset({ProbeAnswer.USERLAND, ProbeAnswer.KERNEL})


async def check_witnesses(who: Witnesses, hosts: Collection[HostName]) -> list[Check]:
    """Return a row for each host on each further network, and one for each other witness."""
    rows: list[Check] = []
    for name, watched in who.networks.items():
        rows += await _network(name, watched, hosts)
    rows += await _agents(who, hosts)
    rows += await _samples(who, hosts)
    return rows


async def _network(name: NetworkName, watched: Watched, hosts: Collection[HostName]) -> list[Check]:
    await watched.book.refresh(hosts)
    limiter, rows = anyio.CapacityLimiter(AT_ONCE), dict[HostName, Check]()

    async def look(host: HostName) -> None:
        async with limiter:
            rows[host] = await _one(name, watched, host)

    async with anyio.create_task_group() as tasks:
        for host in hosts:
            tasks.start_soon(look, host)
    return [rows[host] for host in sorted(rows)]


async def _one(name: NetworkName, watched: Watched, host: HostName) -> Check:
    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check=f"network {name}", subject=host, result=result, detail=detail, cure=cure)

    address = watched.book.address_of(host)
    if address is None:
        cure = f"add it to [networks.{name}]: addresses, inventory or pattern"
        return row(Result.WARN, "has no known address there: it is not asked", cure)
    answer = await watched.probe.ask(address)
    where = f"{address} ({watched.probe.name})"
    if answer in ANSWERED:
        return row(Result.OK, f"{where} answers")
    if answer is ProbeAnswer.SILENT:
        return row(
            Result.WARN, f"{where} is silent", "let this machine through, or mend the address"
        )
    cure = "run this where the daemon will run, with a route to that network"
    return row(Result.FAIL, f"{where} cannot be asked from here", cure)


async def _agents(who: Witnesses, hosts: Collection[HostName]) -> list[Check]:
    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="neutron agents", subject="", result=result, detail=detail, cure=cure)

    if who.agents is None:
        return [row(Result.OK, "not read: the catalog has no Neutron, or [neutron] agents is off")]
    try:
        found = {agent.host for agent in await who.agents.agents()}
    except CloudError as error:
        cure = "let the user list agents (admin, or admin reader), or set [neutron] agents = false"
        return [row(Result.WARN, str(error), cure)]
    return [row(Result.OK, f"{len(found & set(hosts))} of {len(hosts)} hosts have one")]


async def _samples(who: Witnesses, hosts: Collection[HostName]) -> list[Check]:
    if who.samples is None:
        return []

    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="prometheus", subject="", result=result, detail=detail, cure=cure)

    try:
        found = {sample.host for sample in await who.samples.samples()}
    except CloudError as error:
        detail, _, cure = str(error).rpartition("; ")
        return [row(Result.FAIL, detail or cure, cure if detail else "look at [prometheus] url")]
    missing = sorted(set(hosts) - found)
    if missing:
        cure = "mend queries (plain selectors only), host_label or host_pattern in [prometheus]"
        few = ", ".join(missing[:5])
        return [row(Result.WARN, f"no sample of {len(missing)} of {len(hosts)} hosts: {few}", cure)]
    return [row(Result.OK, f"has samples of all {len(hosts)} hosts")]
