"""The forecast, for eyes: how many return, what is in the way of the others, and what to mend first."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from koboshi.api.build import bomb_view
from koboshi.cli.draw_bombs import draw_bombs
from koboshi.cli.draw_claims import draw_claims
from koboshi.cli.draw_status import WIDE, cell, heading, plain_table
from koboshi.cli.forecast_rows import waiting
from koboshi.cli.words import clean, count
from koboshi.domain.facts.stock import Gap
from koboshi.domain.forecasting.claims import Claim
from koboshi.domain.forecasting.disk_forecast import DiskOutcome
from koboshi.domain.forecasting.forecast import Outcome, ServerForecast, WaitsFor
from koboshi.domain.forecasting.survival import HostForecast, Survival

STYLE = {
    Outcome.RETURNS: "green",
    Outcome.RETURNS_EMPTY: "yellow",
    Outcome.WAITS: "yellow",
    Outcome.NOT_RECOVERABLE: "bold red",
}
ICON = {
    Outcome.RETURNS: "✔",
    Outcome.RETURNS_EMPTY: "▲",
    Outcome.WAITS: "▲",
    Outcome.NOT_RECOVERABLE: "✗",
}
WORD = {
    Outcome.RETURNS: "returns",
    Outcome.RETURNS_EMPTY: "returns empty",
    Outcome.WAITS: "waits",
    Outcome.NOT_RECOVERABLE: "cannot",
}
_DISK_STYLE = {
    DiskOutcome.SURVIVES: "green",
    DiskOutcome.BACK_TO_IMAGE: "yellow",
    DiskOutcome.LOST: "bold red",
    DiskOutcome.WAITS_FOR_HOST: "yellow",
    DiskOutcome.UNKNOWN: "yellow",
}
MAX_HOSTS = 15
MAX_REASONS = 8


def draw_summary(
    cloud: str,
    hosts: Sequence[HostForecast],
    survival: Survival,
    claims: Sequence[Claim],
    console: Console,
) -> None:
    """Write the whole cloud's forecast."""
    servers = [s for h in hosts for s in h.servers]
    parts: list[RenderableType] = [
        Text(clean(cloud)),
        Text(
            f"{count(len(servers), 'server')} on {count(len(hosts), 'host')}. "
            "If the host of each died now:\n"
        ),
        _totals(servers),
    ]
    parts += draw_bombs([bomb_view(b) for b in survival.bombs])
    parts += [heading("Room"), *draw_claims(claims, hosts)]
    if reasons := _reasons(servers):
        parts += [heading("Why not all return, and what would change it"), reasons]
    parts += [heading("Hosts, the worst first"), *_hosts(hosts)]
    parts += _gaps(survival.gaps)
    parts += [
        heading("More"),
        Text("  koboshi forecast --host HOST    every server of a host (--disks: every disk)"),
        Text("  koboshi forecast --fail HOST    where its servers would go, and in which order"),
    ]
    console.print(Group(*parts), crop=False)  # a cure is copied: never cut


def _totals(servers: Sequence[ServerForecast]) -> Table:
    table = Table.grid(padding=(0, 1))
    for outcome, words in (
        (Outcome.RETURNS, "with all their data"),
        (Outcome.RETURNS_EMPTY, "made again from their image: local disks are lost"),
        (Outcome.WAITS, _waits(servers)),
        (Outcome.NOT_RECOVERABLE, "be recovered by Koboshi"),
    ):
        number = sum(s.outcome is outcome for s in servers)
        verb = {
            Outcome.RETURNS: "return",
            Outcome.RETURNS_EMPTY: "return empty",
            Outcome.WAITS: "wait",
            Outcome.NOT_RECOVERABLE: "cannot",
        }[outcome]
        style = STYLE[outcome] if number else "dim"
        table.add_row(
            Text(f"  {ICON[outcome]}", style=style),
            Text(str(number), style=style, justify="right"),
            Text(verb, style=style, no_wrap=True),
            Text(words if number else ""),
        )
    return table


def _waits(servers: Sequence[ServerForecast]) -> str:
    parts = (
        (waiting(servers, WaitsFor.HOST), "for their host"),
        (waiting(servers, WaitsFor.ROOM), "for room"),
        (waiting(servers, WaitsFor.PERSON), "for a person"),
    )
    return ", ".join(f"{n} {words}" for n, words in parts if n)


def _reasons(servers: Iterable[ServerForecast]) -> Table | None:
    found = Counter(
        (s.outcome, s.why, s.change) for s in servers if s.outcome is not Outcome.RETURNS
    )
    if not found:
        return None
    table = plain_table("servers", "", "why", right=("servers",))
    for (outcome, why, change), number in found.most_common(MAX_REASONS):
        words = cell(why)
        if change:
            words.append("\n").append_text(cell(f"→ {change}", "bold"))
        table.add_row(cell(number), _outcome(outcome), words)
    rest = sum(n for _, n in found.most_common()[MAX_REASONS:])
    if rest:
        table.add_row(cell(rest), cell("more"), cell("for other reasons"))
    return table


def _outcome(outcome: Outcome) -> Text:
    return Text(f"{ICON[outcome]} {WORD[outcome]}", style=STYLE[outcome])


def _worst_first(host: HostForecast) -> tuple[int, int, int, str]:
    return (
        -host.count(Outcome.NOT_RECOVERABLE) - len(host.bombs),
        -waiting(host.servers, WaitsFor.ROOM),
        -host.count(Outcome.WAITS) - host.count(Outcome.RETURNS_EMPTY),
        host.host,
    )


def _hosts(hosts: Sequence[HostForecast]) -> list[RenderableType]:
    numbers = ("servers", "return", "empty", "wait", "cannot")
    table = plain_table("host", "zone", *numbers, "", right=numbers, whole=("host",))
    ordered = sorted(hosts, key=_worst_first)
    for host in ordered[:MAX_HOSTS]:
        counts = (host.count(o) for o in Outcome)
        table.add_row(
            cell(host.host),
            cell(host.zone),
            cell(len(host.servers)),
            *(
                cell(n or "·", STYLE[o] if n else "dim")
                for n, o in zip(counts, Outcome, strict=True)
            ),
            cell(_notes(host)),
        )
    rest = ordered[MAX_HOSTS:]
    if not rest:
        return [table]
    all_well = sum(h.count(Outcome.RETURNS) == len(h.servers) for h in rest)
    more = f"  … and {count(len(rest), 'host')} more; on {all_well} of them every server returns"
    return [table, Text(more)]


def _notes(host: HostForecast) -> str:
    words = [f"takes no servers: {host.closed}"] if host.closed else []
    if host.bombs:
        words.append(count(len(host.bombs), "time bomb"))
    if room := waiting(host.servers, WaitsFor.ROOM):
        words.append(f"no room for {room}")
    return "; ".join(words)


def _gaps(gaps: Sequence[Gap]) -> list[RenderableType]:
    if not gaps:
        return []
    parts: list[RenderableType] = [heading("Not known, and so not counted")]
    for gap in gaps:
        parts += [
            Text(f"  ▲ {clean(gap.what)}: {clean(gap.why)}", style="yellow"),
            Text(f"    → {clean(gap.cure)}", style="bold"),
        ]
    return parts


def draw_servers(servers: Sequence[ServerForecast], console: Console, *, disks: bool) -> None:
    """Write servers with the reasons; with `disks`, each disk below its server."""
    is_wide = console.width >= WIDE
    columns = ("server", "host", "outcome", "why")
    wide = ("id", "project")
    table = plain_table(*((*wide, *columns) if is_wide else columns), whole=("outcome",))
    for server in servers:
        words = cell(server.why)
        if server.change:
            words.append("\n").append_text(cell(f"→ {server.change}", "bold"))
        if disks:
            for disk in server.disks:
                name = " ".join(part for part in (disk.kind.value, disk.name) if part)
                words.append("\n").append_text(cell(f"{name}: "))
                words.append_text(
                    cell(disk.outcome.value.replace("_", " "), _DISK_STYLE[disk.outcome])
                )
                words.append_text(cell(f", {disk.why}"))
        cells = (cell(server.name), cell(server.host), _outcome(server.outcome), words)
        ids = (cell(server.server), cell(server.project)) if is_wide else ()
        table.add_row(*ids, *cells)
    console.print(table)
