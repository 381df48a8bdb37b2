"""The overview, for eyes."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from koboshi.api.views import (
    AwaitsView,
    HomeStepView,
    HostView,
    IncidentView,
    NoticeView,
    Source,
    StatusView,
)
from koboshi.cli.draw_bombs import draw_bombs
from koboshi.cli.draw_outlook import draw_outlook
from koboshi.cli.words import awaited_times, clean, moment, since, span
from koboshi.domain.incidents.incident import WAITS_FOR_A_PERSON
from koboshi.domain.judging.verdict import Verdict

_STYLE = {
    Verdict.UP: "green",
    Verdict.SUSPECT: "yellow",
    Verdict.SERVICE_FAILED: "yellow",
    Verdict.DOWN_INSIDE: "red",
    Verdict.HUNG: "red",
    Verdict.UNREACHABLE: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.FOUND_DOWN: "red",
}
_DOWN = (Verdict.UNREACHABLE, Verdict.FOUND_DOWN, Verdict.HUNG, Verdict.DOWN_INSIDE)
_ICON = {Verdict.UP: "●", **dict.fromkeys(_DOWN, "✗")}
OTHER_ICON = "▲"
WIDE = 110
"""Columns from which on a table also shows ids."""


def plain_table(*headers: str, right: Iterable[str] = (), whole: Iterable[str] = ()) -> Table:
    """Return an empty table in the one style of all commands; `whole` columns are never folded."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        padding=(0, 1, 0, 0),
    )
    rights = set(right)
    wholes = rights | set(whole)
    for header in headers:
        table.add_column(
            header,
            overflow="fold",
            justify="right" if header in rights else "left",
            no_wrap=header in wholes,
        )
    return table


def cell(text: object, style: str = "") -> Text:
    """Return a table's cell; what is not known is a dash."""
    return Text("-" if text is None else clean(str(text)), style=style)


def verdict_cell(verdict: Verdict) -> Text:
    """Return a verdict as all tables show it: word, icon and colour."""
    return cell(f"{_ICON.get(verdict, OTHER_ICON)} {verdict}", _STYLE[verdict])


def heading(text: str) -> Text:
    """Return the heading of a part."""
    return Text(f"\n{text}", style="bold")


def draw_status(status: StatusView, console: Console) -> None:
    """Write the overview."""
    console.print(status_parts(status, console.width), crop=False)  # commands are copied


def status_parts(status: StatusView, width: int) -> Group:
    """Return the overview, drawable: what to do next stands last, where a terminal shows it."""
    told = chapters(status, width)
    return Group(*(part for name in IN_ORDER for part in told.get(name, [])))


class Chapter(StrEnum):
    """A part of the overview."""

    HEAD = "head"
    NOT_UP = "hosts that are not up"
    """... and have no incident."""
    HOSTS = "hosts"
    EVIDENCE = "evidence"
    INCIDENTS = "incidents"
    HELD = "held servers"
    STOPPED = "stopped servers"
    UNWELL = "servers whose check fails"
    BOMBS = "time bombs"
    OUTLOOK = "room"
    NOTICES = "notices"
    WAYS_HOME = "ways home"
    NEXT = "next"


IN_ORDER = tuple(c for c in Chapter if c is not Chapter.NOT_UP)


def chapters(status: StatusView, width: int) -> dict[Chapter, list[RenderableType]]:
    """Return the overview in parts, drawable; a part of which there is nothing to say is missing."""
    told: dict[Chapter, list[RenderableType]] = {Chapter.HEAD: [_head(status)]}
    if status.source is Source.DAEMON:
        told[Chapter.HOSTS] = [heading("Hosts"), hosts_table(status.hosts)]
        told[Chapter.EVIDENCE] = [heading("Evidence"), _evidence(status)]
        if not_up := [h for h in status.hosts if h.verdict is not Verdict.UP and not h.incident]:
            told[Chapter.NOT_UP] = [
                heading("Hosts that are not up, without an incident"),
                hosts_table(not_up),
            ]
    elif status.found_down:
        down = ", ".join(map(clean, status.found_down))
        told[Chapter.HEAD].append(Text(f"down from the start: {down}"))
    if status.incidents:
        ordered = sorted(status.incidents, key=lambda i: i.state not in WAITS_FOR_A_PERSON)
        shown = [part for one in ordered for part in _incident(one, status)]
        told[Chapter.INCIDENTS] = [heading("Open incidents"), *shown]
    if status.held:
        held = _held(status, with_ids=width >= WIDE)
        told[Chapter.HELD] = [heading("Held servers"), held]
    if status.stopped:
        table = _stopped(status, with_ids=width >= WIDE)
        told[Chapter.STOPPED] = [heading("Servers that Nova stopped by itself"), table]
    if status.unwell:
        title = heading("Servers whose check fails, on hosts that live")
        told[Chapter.UNWELL] = [title, *_unwell(status)]
    told[Chapter.BOMBS] = draw_bombs(status.time_bombs)
    told[Chapter.OUTLOOK] = draw_outlook(status)
    if notices := _notices(status):
        told[Chapter.NOTICES] = [heading("Notices"), *notices]
    for way in status.ways_home:
        title = heading(f"The way home of {clean(way.host)}, in this order")
        told.setdefault(Chapter.WAYS_HOME, []).extend((title, *steps_home(way.steps)))
    if status.next:
        told[Chapter.NEXT] = [heading("Next"), *map(step_line, status.next)]
    return {name: parts for name, parts in told.items() if parts}


def steps_home(steps: list[HomeStepView]) -> list[RenderableType]:
    """Return the steps, drawable; the commands are never wrapped: they are copied."""
    parts: list[RenderableType] = []
    for number, step in enumerate(steps, start=1):
        line = Table.grid(padding=(0, 1))
        line.add_row(Text(f"  {number}."), Text(clean(step.text)))
        parts.append(line)
        parts += [
            Text(f"     {clean(command)}", style="cyan", no_wrap=True, overflow="ignore")
            for command in step.commands
        ]
    return parts


def step_line(command: str) -> Text:
    """Return what to type next: never wrapped, because it is copied."""
    return Text(f"  {clean(command)}", no_wrap=True, overflow="ignore")


def command_line(command: str) -> Text:
    """Return a command on a line of its own: never wrapped, because it is copied."""
    return Text(f"    → {clean(command)}", style="cyan", no_wrap=True, overflow="ignore")


def _head(status: StatusView) -> Group:
    acting = Text("acting" if status.is_acting else "not acting")
    acting.stylize("green" if status.is_acting else "yellow")
    started = since(status.started_at, status.at) if status.started_at else "never"
    words = "daemon started" if status.source is Source.DAEMON else "the last daemon started"
    name = f"{status.cloud}, " if status.cloud else ""
    lines = [
        Text(f"{name}mode {status.mode or '-'}: ")
        .append(acting)
        .append(f" ({clean(status.acting_reason)})")
    ]
    if (disarmed := _disarmed(status)) is not None:
        lines.append(disarmed)
    return Group(
        *lines,
        Text(f"{words} {started}, Koboshi {status.version}, install {status.install or '-'}"),
    )


def _disarmed(status: StatusView) -> Text | None:
    """Return the line that must not be overlooked: that a person let Koboshi rest."""
    arming = status.arming
    if arming.is_armed or arming.by is None or status.source is not Source.DAEMON:
        return None
    end = f"arms itself at {moment(arming.until)}" if arming.until else "until somebody arms it"
    text = f"▲ DISARMED, {end}: no host is fenced and no server recovered. Arm it with: koboshi arm"
    return Text(text, style="bold yellow")


def hosts_table(hosts: list[HostView]) -> RenderableType:
    """Return all hosts, one a row."""
    if not hosts:
        return Text("  none is known yet")
    right = ("heartbeat", "servers")
    whole = (
        "verdict",
        "power",
    )  # a long host's name is folded: else why it is so would have no place
    columns = ("host", "verdict", "power", "heartbeat", "servers", "why")
    table = plain_table(*columns, right=right, whole=whole)
    for host in hosts:
        table.add_row(
            cell(host.host),
            verdict_cell(host.verdict),
            cell(host.power),
            cell(span(host.heartbeat_age_s)),
            cell(host.servers),
            cell(_why(host)),
        )
    return table


def _why(host: HostView) -> str:
    words: list[str] = []
    if not host.is_protected:
        words.append("not protected")
    elif not host.is_fenced:
        words.append("no power device configured")
    if host.incident is not None:  # what was done to it, and why, stands there
        return "; ".join([*words, f"incident {host.incident}"])
    if host.is_forced_down:
        words.append("forced down")
    if not host.is_enabled:
        words.append(f"disabled ({host.disabled_reason or 'no reason given'})")
    if host.verdict is not Verdict.UP:
        words += host.reasons
    return "; ".join(words)


def _evidence(status: StatusView) -> Table:
    table = plain_table("kind", "age", "detail", right=("age",))
    for evidence in status.evidence:
        table.add_row(cell(evidence.kind), cell(span(evidence.age_s)), cell(evidence.detail))
    return table


def servers_line(incident: IncidentView) -> str:
    """Return what became of an incident's servers, in a line."""
    if not incident.servers:
        return "not listed yet"
    parts = [f"{incident.recovered} of {incident.servers} recovered"]
    for number, word in (
        (incident.on_their_way, "on their way"),
        (incident.waiting, "waiting"),
        (incident.held, "held"),
        (incident.need_a_person, "need a person"),
    ):
        if number:
            parts.append(f"{number} {word}")
    told = incident.recovered + incident.on_their_way + incident.waiting
    if left := incident.servers - told - incident.held - incident.need_a_person:
        parts.append(f"{left} left alone or gone")
    return ", ".join(parts)


def _incident(incident: IncidentView, status: StatusView) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(f"  {clean(incident.id)}  host {clean(incident.host)}", style="bold"),
        labelled(incident.state, incident.meaning),
        labelled("why", incident.reason),
        labelled(
            "servers", f"{servers_line(incident)}; opened {since(incident.opened_at, status.at)}"
        ),
    ]
    return parts + (awaits_parts(incident.awaits, status.at) if incident.awaits else [])


def labelled(label: str, text: str, style: str = "") -> Table:
    """Return a line of an incident; where it is folded, it hangs behind its label."""
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(Text(f"  {label}:"), Text(clean(text), style=style))
    return line


def awaits_parts(awaits: AwaitsView, now: datetime) -> list[RenderableType]:
    """Return what a host on its way home waits for, until when, and what a person may do."""
    return [
        labelled("awaited", awaits.what, "yellow"),
        labelled("waited", awaited_times(awaits.since, awaits.until, now)),
        labelled("you may", awaits.you_may),
        *(command_line(command) for command in awaits.commands),
    ]


def _held(status: StatusView, *, with_ids: bool) -> Table:
    columns = ("name", "host", "local disks", "why")
    table = plain_table(*(("server", *columns) if with_ids else columns))
    for held in status.held:
        cells = (
            cell(held.name),
            cell(held.host),
            cell(", ".join(held.local_disks)),
            cell(held.reason),
        )
        table.add_row(*((cell(held.server), *cells) if with_ids else cells))
    return table


def _stopped(status: StatusView, *, with_ids: bool) -> Table:
    table = plain_table(*(("server",) if with_ids else ()), "name", "host", "since", "state", "why")
    for stop in status.stopped:
        cells = (
            cell(stop.name),
            cell(stop.host),
            cell(moment(stop.since)),
            cell(f"{stop.state}: {stop.meaning}"),
            cell(stop.reason),
        )
        table.add_row(*((cell(stop.server), *cells) if with_ids else cells))
    return table


def _unwell(status: StatusView) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for one in status.unwell:
        name = f"{one.name} ({one.server})" if one.name else one.server
        rebooted = f", rebooted by Koboshi {one.reboots} times within a day" if one.reboots else ""
        found = f"found {since(one.since, status.at)}{rebooted}"
        parts += [
            Text(f"  {clean(name)} on {clean(one.host)}", style="bold"),
            *(
                Padding(Text(clean(line)), (0, 0, 0, 4), expand=False)
                for line in (one.reason, found, one.done)
            ),
            command_line(one.look),
        ]
    return parts


def _notices(status: StatusView) -> list[RenderableType]:
    """Return what a person should know, but for what stands among the time bombs already."""
    shown = {b.record for b in status.time_bombs}
    return [
        part
        for n in status.notices
        if n.topic.rpartition("/")[2] not in shown
        for part in notice_parts(n)
    ]


def notice_parts(notice: NoticeView) -> list[RenderableType]:
    """Return one notice, drawable: its text has the whole width, as it says what to do."""
    title = f"  {notice.host}  {notice.topic}, since {moment(notice.since)}"
    return [
        Text(clean(title), style="bold"),
        Padding(Text(clean(notice.text)), (0, 0, 0, 4), expand=False),
    ]
