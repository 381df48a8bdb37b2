"""The demo's story, for eyes, and for a pipe: one line an event there."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from koboshi.cli.draw_status import cell, plain_table
from koboshi.cli.words import clean
from koboshi.rehearsal.demo.ending import Ending
from koboshi.rehearsal.demo.telling import Kind, Said

_STYLE = {
    Kind.SCENE: "bold",
    Kind.HAPPENS: "bold white on red",
    Kind.CHECKS: "cyan",
    Kind.CONCLUDES: "bold yellow",
    Kind.PROOF: "bold magenta",
    Kind.FENCES: "bold red",
    Kind.ISOLATES: "magenta",
    Kind.PLANS: "blue",
    Kind.HOLDS: "yellow",
    Kind.EVACUATES: "blue",
    Kind.STARTS: "blue",
    Kind.HOME: "blue",
    Kind.BACK: "bold green",
    Kind.NOTICE: "yellow",
    Kind.TROUBLE: "bold red",
    Kind.SETTLED: "bold green",
    Kind.NEXT: "cyan",
}
TIME_WIDTH, KIND_WIDTH = 8, 10
EYES_WIDTH = 100


class Telling:
    """Writes the story to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if console.is_terminal:
            console.width = min(console.width, EYES_WIDTH)

    def say(self, said: Said) -> None:
        """Write one thing that is told, at once."""
        when = "" if said.after_s is None else f"+{said.after_s:.1f} s"
        if not self._console.is_terminal:
            details = f": {'; '.join(map(clean, said.details))}" if said.details else ""
            text = f"{clean(said.text)}{details}"
            self._write(f"{when:>{TIME_WIDTH}}  {said.kind:<{KIND_WIDTH}}{text}")
            return
        row = Table.grid(padding=(0, 1))
        row.add_column(justify="right", width=TIME_WIDTH, style="cyan")
        row.add_column(width=KIND_WIDTH)
        row.add_column(ratio=1)
        words = Text(clean(said.text), style="bold" if said.kind is Kind.HAPPENS else "")
        for detail in said.details:
            words.append(f"\n{clean(detail)}", style="dim")
        row.add_row(when, Text(said.kind, style=_STYLE[said.kind]), words)
        if said.kind is Kind.HAPPENS:
            self._console.print()
        self._console.print(row)

    def ending(self, ending: Ending) -> None:
        """Write each server before and after, and the verdict."""
        table = plain_table("server", "was", "is", "data before", "data after", "")
        for row in ending.rows:
            mark = cell("✔", "green") if row.is_right else cell("✘", "bold red")
            table.add_row(
                cell(row.name, "bold"),
                cell(row.was),
                cell(row.now, "" if row.is_right else "red"),
                cell(row.data_before),
                cell(row.data_after, "" if row.is_right else "red"),
                mark,
            )
        self._console.print()
        self._console.print(table)
        self._write(
            "Data: for how many seconds a guest has written to each disk; by the world's own truth."
        )
        self._console.print()
        for wrong in ending.wrong:
            self._write(f"✘ {clean(wrong)}", "bold red")
        if not ending.wrong:
            self._write(f"{ending.rules} rules held, by the world's own truth; none was broken.")
        good, bad = "They got up again.", "Not as it should be."
        self._write(bad if ending.wrong else good, "bold red" if ending.wrong else "bold green")

    def interrupted(self) -> None:
        """Say that it was ended, and that nothing is left."""
        self._write("Ended; nothing of it is left.")

    def _write(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)
        self._console.file.flush()
