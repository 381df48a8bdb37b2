"""One host explained, and the domains, for eyes."""

from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from koboshi.api.views import DomainView, HostDetail
from koboshi.cli.draw_bombs import draw_bombs
from koboshi.cli.draw_status import (
    awaits_parts,
    cell,
    heading,
    notice_parts,
    plain_table,
    step_line,
    verdict_cell,
)
from koboshi.cli.words import clean, count, since, span


def draw_host(detail: HostDetail, console: Console, now: datetime) -> None:
    """Write the verdict, who says what, and what would change it."""
    console.print(_summary(detail, now))
    if detail.incident is not None and (awaits := detail.incident.awaits):
        console.print(heading("On its way home"))
        console.print(Group(*awaits_parts(awaits, now)), crop=False)  # commands are copied
    console.print(heading("Witnesses"))
    console.print(_witnesses(detail))
    if bombs := draw_bombs(detail.time_bombs):
        console.print(Group(*bombs), crop=False)  # commands are copied
    shown = {b.record for b in detail.time_bombs}
    if notices := [n for n in detail.notices if n.topic.rpartition("/")[2] not in shown]:
        console.print(heading("Notices"))
        console.print(Group(*(part for n in notices for part in notice_parts(n))))
    if detail.next:
        console.print(heading("Next"))
        console.print(Group(*map(step_line, detail.next)), crop=False)


def _summary(detail: HostDetail, now: datetime) -> Table:
    host = detail.host
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_row("host", cell(host.host))
    table.add_row(
        "verdict", verdict_cell(host.verdict).append(f": {host.meaning}", style="default")
    )
    if detail.rule:
        table.add_row("by the rule", cell(detail.rule))
    if detail.would_change:
        table.add_row("would change it", cell(detail.would_change))
    table.add_row("in Nova", cell(_in_nova(detail)))
    table.add_row("power device", cell(_power(detail)))
    if host.is_fenced:
        table.add_row("", cell(_tested(detail, now)))
    for reason in detail.quarantined:
        table.add_row("", cell(f"not believed: {reason}", "yellow"))
    if detail.incident is not None:
        incident = detail.incident
        table.add_row("incident", cell(incident.id))
        table.add_row("", cell(f"{incident.state}: {incident.meaning}"))
        table.add_row("", cell(incident.reason))
    if detail.proof is not None:
        table.add_row("proof", cell(f"{detail.proof.kind}, {since(detail.proof.at, now)}"))
    if detail.word is not None:
        note = f": {detail.word.note}" if detail.word.note else ""
        said = f"{detail.word.by}, {since(detail.word.at, now)}{note}"
        table.add_row("a person's word", cell(said))
    against = detail.against_a_word or "nothing: every witness is silent"
    table.add_row("against a word", cell(against))
    return table


def _in_nova(detail: HostDetail) -> str:
    host = detail.host
    words = ["enabled" if host.is_enabled else f"disabled ({host.disabled_reason or 'no reason'})"]
    if host.is_forced_down:
        words.append("forced down")
    words.append("protected" if host.is_protected else "not protected")
    if host.servers is not None:
        words.append(count(host.servers, "server"))
    return ", ".join(words)


def _power(detail: HostDetail) -> str:
    host = detail.host
    if not host.is_fenced:
        return "none is configured"
    if host.power_age_s is None:
        return "not read yet"
    return f"reads {host.power}, asked {span(host.power_age_s)} ago"


def _tested(detail: HostDetail, now: datetime) -> str:
    test = detail.fence_test
    if test is None:
        return f"never tried: koboshi host test-fence {detail.host.host}, when it is empty and disabled"
    if test.ok:
        return f"tried {since(test.at, now)}: it works"
    worked = f"; it last worked {since(test.worked_at, now)}" if test.worked_at else ""
    return f"tried {since(test.at, now)}: it FAILS: {test.detail}{worked}"


def _witnesses(detail: HostDetail) -> RenderableType:
    if not detail.testimony:
        lines = [Text(f"  {clean(reason)}") for reason in detail.host.reasons]
        return Text("\n").join(lines)
    columns, whole = ("witness", "group", "says", "heard", "in words"), ("group", "says")
    table = plain_table(*columns, right=("heard",), whole=whole)
    for witness in detail.testimony:
        table.add_row(
            cell(witness.witness),
            cell(witness.group),
            cell(witness.says),
            cell("never" if witness.age_s is None else f"{span(witness.age_s)} ago"),
            cell(witness.sentence),
        )
    return table


def draw_domains(domains: list[DomainView], console: Console) -> None:
    """Write each domain's hosts with their verdicts."""
    table = plain_table("domain", "host", "verdict", "servers", "why", right=("servers",))
    for domain in domains:
        name = f"{domain.domain} (confirmed dead)" if domain.is_confirmed else domain.domain
        for host in domain.hosts:
            table.add_row(
                cell(name),
                cell(host.host),
                cell(None) if host.verdict is None else verdict_cell(host.verdict),
                cell(host.servers),
                cell("; ".join(host.reasons)),
            )
            name = ""
    console.print(table)
