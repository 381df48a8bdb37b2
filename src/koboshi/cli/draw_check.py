"""The table of checks, for eyes."""

from rich.console import Console

from koboshi.cli.checks import Check, Result
from koboshi.cli.draw_status import cell, plain_table

_STYLE = {Result.OK: "green", Result.WARN: "yellow", Result.FAIL: "bold red"}
_ICON = {Result.OK: "✓", Result.WARN: "!", Result.FAIL: "✗"}


def draw_checks(checks: list[Check], console: Console) -> None:
    """Write each check; its cure stands below it, where the eye is."""
    table = plain_table("", "check", "what was found")
    for check in checks:
        found = cell(": ".join(part for part in (check.subject, check.detail) if part))
        if check.cure:
            found.append("\n")
            found.append_text(cell(f"→ {check.cure}", "" if check.result is Result.OK else "bold"))
        mark = f"{_ICON[check.result]} {check.result}"
        table.add_row(cell(mark, _STYLE[check.result]), cell(check.check), found)
    console.print(table)
