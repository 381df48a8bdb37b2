"""Incidents, for eyes."""

from datetime import datetime

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from koboshi.api.views import IncidentDetail, IncidentView, RecoveryView
from koboshi.cli.draw_status import (
    WIDE,
    awaits_parts,
    cell,
    heading,
    plain_table,
    servers_line,
    steps_home,
)
from koboshi.cli.words import moment, offset, since
from koboshi.domain.recoveries.recovery import NEEDS_A_PERSON, ON_ITS_WAY, WAITING, RecoveryState

_STYLE = (
    {RecoveryState.DONE: "green", RecoveryState.HELD: "yellow"}
    | dict.fromkeys(NEEDS_A_PERSON, "red")
    | dict.fromkeys(ON_ITS_WAY, "cyan")
)


def draw_list(incidents: list[IncidentView], console: Console) -> None:
    """Write all incidents in brief."""
    with_hosts = console.width >= WIDE  # an id begins with its host
    columns = ("id", *(("host",) if with_hosts else ()), "state", "opened", "servers")
    longest = max((len(i.id) for i in incidents), default=0)
    whole = ("opened", "id") if longest <= console.width / 2 else ("opened",)
    table = plain_table(*columns, whole=whole)
    for incident in incidents:
        table.add_row(
            cell(incident.id),
            *((cell(incident.host),) if with_hosts else ()),
            cell(incident.state, "" if incident.is_over else "bold"),
            cell(moment(incident.opened_at)),
            cell(servers_line(incident)),
        )
    console.print(table)


def draw_incident(detail: IncidentDetail, console: Console, now: datetime) -> None:
    """Write one incident: what it is, its servers, its story, the way home."""
    console.print(_summary(detail, now))
    if awaits := detail.incident.awaits:
        console.print(heading("On its way home"))
        console.print(Group(*awaits_parts(awaits, now)), crop=False)  # commands are copied
    if detail.recoveries:
        console.print(heading("Servers"))
        console.print(_servers(detail.recoveries, with_ids=console.width >= WIDE))
    console.print(heading("Timeline"))
    console.print(_timeline(detail))
    if detail.way_home:
        console.print(heading("The way home, in this order"))
        for part in steps_home(detail.way_home):
            console.print(part, soft_wrap=isinstance(part, Text))


def _summary(detail: IncidentDetail, now: datetime) -> Table:
    incident = detail.incident
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("incident", cell(incident.id))
    table.add_row("host", cell(incident.host))
    table.add_row("state", cell(f"{incident.state}: {incident.meaning}"))
    table.add_row("why", cell(incident.reason))
    table.add_row("opened", cell(since(incident.opened_at, now)))
    table.add_row("servers", cell(servers_line(incident)))
    if detail.proof is not None:
        proven = (detail.proof.at - incident.opened_at).total_seconds()
        table.add_row("proof", cell(f"{detail.proof.kind}, {offset(proven)} from the opening"))
    if detail.marker is not None:
        table.add_row("marker", cell(detail.marker))
    return table


def _most_urgent_first(recovery: RecoveryView) -> tuple[int, str]:
    """Return where a server stands among the others: who is woken looks for what is not well."""
    order = (NEEDS_A_PERSON, {RecoveryState.HELD}, WAITING, ON_ITS_WAY)
    done = len(order) + (recovery.state is not RecoveryState.DONE)
    place = next((n for n, states in enumerate(order) if recovery.state in states), done)
    return place, recovery.name


def _servers(recoveries: list[RecoveryView], *, with_ids: bool) -> Table:
    columns = ("name", "state", "destination", "why")
    table = plain_table(*(("server", *columns) if with_ids else columns), whole=("server",))
    for recovery in sorted(recoveries, key=_most_urgent_first):
        cells = (
            cell(recovery.name),
            cell(recovery.state, _STYLE.get(recovery.state, "")),
            cell(recovery.destination),
            cell(_why(recovery)),
        )
        table.add_row(*((cell(recovery.server), *cells) if with_ids else cells))
    return table


def _why(recovery: RecoveryView) -> str:
    words = [recovery.reason or recovery.meaning]
    if recovery.is_data_loss_committed:
        words.append(f"lost: {', '.join(recovery.local_disks)}")
    if recovery.requests > 1:
        words.append(f"{recovery.requests} requests")
    return "; ".join(words)


def _timeline(detail: IncidentDetail) -> Table:
    table = plain_table("when", "subject", "what", "why", right=("when",))
    for entry in detail.timeline:
        table.add_row(
            cell(offset(entry.offset_s)), cell(entry.subject), cell(entry.what), cell(entry.why)
        )
    return table
