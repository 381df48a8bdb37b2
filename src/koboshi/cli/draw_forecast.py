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
from koboshi.cli.forecast_rows import not_sure, waiting
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
UNSURE_ICON, UNSURE_STYLE = "?", "yellow"
"""Of whoever returns only if Nova finds a host."""
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


def word_of(server: ServerForecast) -> Text:
    """Return a server's outcome in a word; with a question mark where it hangs on a host to be found."""
    return _outcome(server.outcome, is_sure=server.is_sure)


def _totals(servers: Sequence[ServerForecast]) -> Table:
    table = Table.grid(padding=(0, 1))
    sure = [s for s in servers if s.is_sure]
    unsure = [s for s in servers if not s.is_sure]
    rows = (
        (ICON[Outcome.RETURNS], Outcome.RETURNS, "return", sure, "with all their data"),
        (UNSURE_ICON, Outcome.RETURNS, "return if", unsure, _IF),
        (
            ICON[Outcome.RETURNS_EMPTY],
            Outcome.RETURNS_EMPTY,
            "return empty",
            sure,
            "made again from their image: local disks are lost",
        ),
        (UNSURE_ICON, Outcome.RETURNS_EMPTY, "return empty if", unsure, _IF),
        (ICON[Outcome.WAITS], Outcome.WAITS, "wait", servers, _waits(servers)),
        (
            ICON[Outcome.NOT_RECOVERABLE],
            Outcome.NOT_RECOVERABLE,
            "cannot",
            servers,
            "be recovered by Koboshi",
        ),
    )
    for icon, outcome, verb, of, words in rows:
        number = sum(s.outcome is outcome for s in of)
        if icon == UNSURE_ICON and not number:
            continue
        style = UNSURE_STYLE if icon == UNSURE_ICON else STYLE[outcome]
        style = style if number else "dim"
        table.add_row(
            Text(f"  {icon}", style=style),
            Text(str(number), style=style, justify="right"),
            Text(verb, style=style, no_wrap=True),
            Text(words if number else ""),
        )
    return table


_IF = "Nova finds a host: they ask for what is not counted"


def _waits(servers: Sequence[ServerForecast]) -> str:
    parts = (
        (waiting(servers, WaitsFor.HOST), "for their host"),
        (waiting(servers, WaitsFor.ROOM), "for room"),
        (waiting(servers, WaitsFor.PERSON), "for a person"),
    )
    return ", ".join(f"{n} {words}" for n, words in parts if n)


def _reasons(servers: Iterable[ServerForecast]) -> Table | None:
    found = Counter(
        (s.outcome, s.is_sure, s.why, s.change)
        for s in servers
        if s.outcome is not Outcome.RETURNS or not s.is_sure
    )
    if not found:
        return None
    table = plain_table("servers", "", "why", right=("servers",))
    for (outcome, is_sure, why, change), number in found.most_common(MAX_REASONS):
        words = cell(why)
        if change:
            words.append("\n").append_text(cell(f"→ {change}", "bold"))
        table.add_row(cell(number), _outcome(outcome, is_sure=is_sure), words)
    rest = sum(n for _, n in found.most_common()[MAX_REASONS:])
    if rest:
        table.add_row(cell(rest), cell("more"), cell("for other reasons"))
    return table


def _outcome(outcome: Outcome, *, is_sure: bool) -> Text:
    if not is_sure:
        return Text(f"{UNSURE_ICON} {WORD[outcome]} if", style=UNSURE_STYLE)
    return Text(f"{ICON[outcome]} {WORD[outcome]}", style=STYLE[outcome])


def _worst_first(host: HostForecast) -> tuple[int, int, int, int, str]:
    return (
        -host.count(Outcome.NOT_RECOVERABLE) - len(host.bombs),
        -waiting(host.servers, WaitsFor.ROOM),
        -host.count(Outcome.WAITS) - host.count(Outcome.RETURNS_EMPTY),
        -not_sure(host.servers),
        host.host,
    )


def _hosts(hosts: Sequence[HostForecast]) -> list[RenderableType]:
    is_all_sure = not any(not_sure(h.servers) for h in hosts)
    numbers = ("servers", "return", *(() if is_all_sure else ("if",)), "empty", "wait", "cannot")
    table = plain_table("host", "zone", *numbers, "", right=numbers, whole=("host",))
    ordered = sorted(hosts, key=_worst_first)
    for host in ordered[:MAX_HOSTS]:
        table.add_row(
            cell(host.host),
            cell(host.zone),
            cell(len(host.servers)),
            *(cell(n or "·", style if n else "dim") for n, style in _counts(host, is_all_sure)),
            cell(_notes(host)),
        )
    rest = ordered[MAX_HOSTS:]
    if not rest:
        return [table]
    all_well = sum(
        h.count(Outcome.RETURNS) == len(h.servers) and not not_sure(h.servers) for h in rest
    )
    more = f"  … and {count(len(rest), 'host')} more; on {all_well} of them every server returns"
    return [table, Text(more)]


def _counts(host: HostForecast, is_all_sure: bool) -> list[tuple[int, str]]:  # noqa: FBT001 a column or none
    sure = Counter(s.outcome for s in host.servers if s.is_sure)
    counts = [(sure[o], STYLE[o]) for o in Outcome]
    return (
        counts if is_all_sure else [counts[0], (not_sure(host.servers), UNSURE_STYLE), *counts[1:]]
    )


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
        cells = (cell(server.name), cell(server.host), word_of(server), words)
        ids = (cell(server.server), cell(server.project)) if is_wide else ()
        table.add_row(*ids, *cells)
    console.print(table)
