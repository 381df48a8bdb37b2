"""Stories that were played, for eyes."""

from rich.console import Console
from rich.text import Text

from koboshi.cli.draw_status import cell, heading, plain_table
from koboshi.cli.words import clean, span
from koboshi.rehearsal.chronicle import Line, Voice
from koboshi.rehearsal.golden import Told

_STYLE = {Voice.WORLD: "cyan", Voice.KOBOSHI: "", Voice.END: "bold"}
_LOUD = ("incident", "proof", "data_loss", "data", "notice")
"""First words of the lines that are the story's turns."""


def draw_story(told: Told, console: Console) -> None:
    """Write one story: what it is about, every line with its reason, how it ended."""
    scenario = told.scenario
    console.print(heading(scenario.name))
    if sentence := scenario.sentence:
        console.print(Text(clean(sentence)), soft_wrap=False)
    table = plain_table("when", "whose", "what", "why", right=("when",), whole=("when", "whose"))
    for line in told.played.lines:
        if line.voice is not Voice.END:
            table.add_row(
                cell(f"{line.at_s:.1f} s"),
                cell(line.voice, _STYLE[line.voice]),
                cell(line.text, _style(line)),
                cell(line.why, "dim"),
            )
    console.print(table)
    console.print(heading(f"How it ended, after {span(scenario.script.lasts_s)}"))
    for line in told.played.lines:
        if line.voice is Voice.END:
            console.print(cell(f"  {line.text}"))
    console.print()
    draw_outcome(told, console)


def draw_outcome(told: Told, console: Console) -> None:
    """Write one line: whether the story went as it must."""
    mark, style = ("✓", "green") if told.is_well else ("✗", "red")
    events, breaches = len(told.played.lines), len(told.played.breaches)
    console.print(
        Text.assemble(
            (f"{mark} {told.outcome:<13}", style),
            f" {clean(told.scenario.name)}: {events} events in {span(told.scenario.script.lasts_s)}, ",
            "no rule broken" if not breaches else (f"{breaches} times a rule broken", "red"),
        ),
    )


def _style(line: Line) -> str:
    style = _STYLE[line.voice]
    return f"bold {style}".strip() if line.text.split()[0] in _LOUD else style
