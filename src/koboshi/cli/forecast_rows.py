"""What a forecast says, as rows: the one source of every output format."""

from collections.abc import Iterable
from typing import Any, Final

from koboshi.api.build import bomb_view
from koboshi.domain.facts.stock import Gap
from koboshi.domain.forecasting.capacity import Turn
from koboshi.domain.forecasting.claims import Claim
from koboshi.domain.forecasting.disk_forecast import DiskForecast
from koboshi.domain.forecasting.forecast import Outcome, ServerForecast, WaitsFor
from koboshi.domain.forecasting.survival import HostForecast, totals
from koboshi.domain.forecasting.time_bombs import TimeBomb

Row = dict[str, Any]

SERVER_COLUMNS: Final = (
    "server",
    "name",
    "project",
    "host",
    "outcome",
    "waits_for",
    "why",
    "change",
    "vm_state",
    "flavor",
    "layout",
    "priority",
    "findings",
    "disks",
    "not_counted",
)
DISK_COLUMNS: Final = ("server", "name", "host", "disk", "id", "outcome", "why")
TURN_COLUMNS: Final = (
    "order",
    "server",
    "name",
    "project",
    "source",
    "destination",
    "begins_s",
    "ends_s",
    "outcome",
    "why",
    "change",
    "not_counted",
)


def not_sure(servers: Iterable[ServerForecast]) -> int:
    """Return how many return only if Nova finds a host: they ask for what is not counted."""
    return sum(not s.is_sure for s in servers)


def waiting(servers: Iterable[ServerForecast], what: WaitsFor) -> int:
    """Return how many wait for this."""
    return sum(s.outcome is Outcome.WAITS and s.waits_for is what for s in servers)


def summary(
    cloud: str,
    hosts: tuple[HostForecast, ...],
    bombs: tuple[TimeBomb, ...],
    gaps: tuple[Gap, ...],
    claims: tuple[Claim, ...],
) -> Row:
    """Return the whole cloud's forecast as one item."""
    servers = [s for h in hosts for s in h.servers]
    count = totals(hosts)
    return {
        "cloud": cloud,
        "hosts": len(hosts),
        "servers": len(servers),
        "returns": count[Outcome.RETURNS],
        "if_nova_finds_a_host": not_sure(servers),
        "returns_empty": count[Outcome.RETURNS_EMPTY],
        "waits": count[Outcome.WAITS],
        "waits_for_host": waiting(servers, WaitsFor.HOST),
        "waits_for_room": waiting(servers, WaitsFor.ROOM),
        "waits_for_person": waiting(servers, WaitsFor.PERSON),
        "not_recoverable": count[Outcome.NOT_RECOVERABLE],
        "may_die": [claim_row(c) for c in claims],
        "time_bombs": [bomb_view(b).model_dump(mode="json") for b in bombs],
        "unknown": [gap_row(g) for g in gaps],
        "by_host": [host_row(h) for h in hosts],
    }


def host_row(host: HostForecast) -> Row:
    """Return one host."""
    return {
        "host": host.host,
        "zone": host.zone,
        "takes_servers": not host.closed,
        "why_not": host.closed,
        "protected": host.is_protected,
        "servers": len(host.servers),
        "returns": host.count(Outcome.RETURNS),
        "if_nova_finds_a_host": not_sure(host.servers),
        "returns_empty": host.count(Outcome.RETURNS_EMPTY),
        "waits": host.count(Outcome.WAITS),
        "waits_for_room": waiting(host.servers, WaitsFor.ROOM),
        "not_recoverable": host.count(Outcome.NOT_RECOVERABLE),
        "time_bombs": len(host.bombs),
    }


def server_row(server: ServerForecast) -> Row:
    """Return one server."""
    return {
        "server": server.server,
        "name": server.name,
        "project": server.project,
        "host": server.host,
        "outcome": server.outcome.value,
        "waits_for": server.waits_for.value,
        "why": server.why,
        "change": server.change,
        "vm_state": server.vm_state,
        "flavor": server.flavor,
        "layout": server.layout.value,
        "priority": server.policy.priority.value,
        "findings": [f"{f.place}: {f.what}; {f.cure}" for f in server.policy.findings],
        "disks": [_disk(d) for d in server.disks],
        "not_counted": server.not_counted,
    }


def _disk(disk: DiskForecast) -> Row:
    return {
        "disk": disk.kind.value,
        "id": disk.name,
        "outcome": disk.outcome.value,
        "why": disk.why,
    }


def disk_rows(server: ServerForecast) -> list[Row]:
    """Return each disk of a server."""
    owner: Row = {"server": server.server, "name": server.name, "host": server.host}
    return [owner | _disk(d) for d in server.disks]


def turn_row(server: ServerForecast, turn: Turn | None) -> Row:
    """Return what becomes of one server when hosts die."""
    goes = turn is not None and turn.destination is not None
    return {
        "order": turn.order if turn and goes else None,
        "server": server.server,
        "name": server.name,
        "project": server.project,
        "source": server.host,
        "destination": turn.destination if turn and goes else None,
        "begins_s": round(turn.begins.total_seconds()) if turn and goes else None,
        "ends_s": round(turn.ends.total_seconds()) if turn and goes else None,
        "outcome": server.outcome.value,
        "why": server.why,
        "change": server.change,
        "not_counted": server.not_counted,
    }


def claim_row(claim: Claim) -> Row:
    """Return what is known of one claim."""
    return {
        "hosts": claim.hosts,
        "domain": claim.domain,
        "verdict": claim.verdict.value,
        "how": claim.how,
        "tried": claim.tried,
        "by": list(claim.by),
        "without_room": [
            {"server": t.candidate.server, "name": t.candidate.name, "lacking": t.lacking}
            for t in claim.missing
        ],
    }


def gap_row(gap: Gap) -> Row:
    """Return what could not be read."""
    return {"what": gap.what, "why": gap.why, "cure": gap.cure}
