"""What if hosts died together, for eyes: who goes where, in which order, and who goes nowhere."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from koboshi.cli.draw_forecast import ICON, STYLE, UNSURE_ICON, UNSURE_STYLE, WORD, word_of
from koboshi.cli.draw_status import cell, heading, plain_table
from koboshi.cli.words import clean, count, span
from koboshi.domain.forecasting.capacity import Pacing, Turn
from koboshi.domain.forecasting.forecast import Outcome, ServerForecast
from koboshi.domain.forecasting.survival import Survival
from koboshi.domain.names import HostName

Told = Sequence[tuple[ServerForecast, Turn | None]]


def draw_what_if(
    dead: Sequence[HostName], told: Told, survival: Survival, console: Console
) -> None:
    """Write what becomes of the servers of hosts that die together."""
    going = [(s, t) for s, t in told if t is not None and t.destination is not None]
    staying = [s for s, t in told if t is None or t.destination is None]
    parts: list[RenderableType] = [_head(dead, told)]
    if going:
        parts += [heading("They come back in this order"), _going(going), _when(going)]
    if len(dead) > 1:
        parts.append(_brake(survival, dead))
    if staying:
        parts += [heading("These do not"), _staying(staying)]
    if not survival.knows_room:
        parts.append(
            Text("Placement did not tell the room on hosts: nothing was packed.", "yellow")
        )
    console.print(Group(*parts))


def _head(dead: Sequence[HostName], told: Told) -> Text:
    names = " and ".join(clean(h) for h in dead)
    line = Text(f"If {names} died now, of {count(len(told), 'server')} ")
    parts: list[Text] = []
    for outcome in Outcome:
        for is_sure in (True, False):
            number = sum(s.outcome is outcome and s.is_sure is is_sure for s, _ in told)
            if not number:
                continue
            word = WORD[outcome] if number == 1 else WORD[outcome].replace("returns", "return")
            word = word if number == 1 else word.replace("waits", "wait")
            if is_sure:
                parts.append(Text(f"{ICON[outcome]} {number} {word}", style=STYLE[outcome]))
            else:
                words = f"{UNSURE_ICON} {number} {word} if Nova finds a host"
                parts.append(Text(words, style=UNSURE_STYLE))
    return line.append_text(Text(", ").join(parts))


def _going(going: Sequence[tuple[ServerForecast, Turn]]) -> RenderableType:
    table = plain_table(
        "", "server", "from", "to", "begins", "back", "", right=("", "begins", "back")
    )
    for server, turn in going:
        note = "" if server.outcome is Outcome.RETURNS else WORD[server.outcome]
        style = STYLE[server.outcome]
        if not server.is_sure:
            note, style = f"{note} if it fits: {server.not_counted}".strip(), UNSURE_STYLE
        table.add_row(
            cell(turn.order),
            cell(server.name),
            cell(turn.source),
            cell(turn.destination),
            cell(f"+{span(turn.begins.total_seconds())}"),
            cell(f"+{span(turn.ends.total_seconds())}"),
            cell(note, style),
        )
    return table


def _when(going: Sequence[tuple[ServerForecast, Turn]]) -> Text:
    last = max(turn.ends for _, turn in going).total_seconds()
    pacing = Pacing()
    return Text(
        f"All back after about {span(last)}, if one evacuation takes "
        f"{span(pacing.evacuation.total_seconds())} (a rebuild "
        f"{span(pacing.rebuild.total_seconds())}) and nobody else asks Nova for anything."
    )


def _brake(survival: Survival, dead: Sequence[HostName]) -> Text:
    """Return what the brake makes of so many at once."""
    allowed = survival.bound
    limit = f"here {count(allowed, 'host')} may be in trouble at once"
    if len(dead) <= allowed:
        return Text(f"The brake would let them go: {limit}.", style="green")
    domain = next((n for n, of in survival.domains.items() if set(dead) <= of), None)
    if domain is not None:
        return Text(
            f"The brake allows more than {allowed} only on surer evidence that domain "
            f"{clean(domain)} died as a whole, or by: koboshi domain confirm {clean(domain)}",
            style="yellow",
        )
    return Text(
        f"The brake would hold them until a person has looked: {limit} (docs/safety.md). "
        "The times leave that aside.",
        style="yellow",
    )


def _staying(servers: Sequence[ServerForecast]) -> RenderableType:
    table = plain_table("server", "host", "", "why", whole=("",))
    for server in servers:
        words = cell(server.why)
        if server.change:
            words.append("\n").append_text(cell(f"→ {server.change}", "bold"))
        table.add_row(cell(server.name), cell(server.host), word_of(server), words)
    return table
