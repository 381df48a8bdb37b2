"""`koboshi status`."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Format, Output, UsageProblem, write_item
from koboshi.cli.words import moment

if TYPE_CHECKING:
    from koboshi.api.views import StatusView
    from koboshi.cli.reading import Reading

WATCH_INTERVAL_S = 2.0


def status(
    *,
    watch: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Show the hosts and their verdicts, open incidents, held servers, and what to do next.

    Without a daemon it shows what the journal remembers, and says so.

    Parameters
    ----------
    watch
        Show it again every two seconds, until Ctrl-C. Without a terminal: one line per change.
    """
    from koboshi.cli.reading import Reading  # noqa: PLC0415 - databases are slow to import

    output = output or Output()
    reading = Reading(context, context.settings())
    if watch:
        return _watch(context, output, reading)
    _write(context, output, reading.status())
    return ExitCode.DONE


def _write(context: Context, output: Output, view: "StatusView") -> None:
    def table() -> None:
        from koboshi.cli.draw_status import draw_status  # noqa: PLC0415 - rich is slow to import

        draw_status(view, context.out())

    write_item(context, output, view.model_dump(mode="json"), table=table)


def _watch(context: Context, output: Output, reading: "Reading") -> ExitCode:
    if output.format is not Format.TABLE or output.column:
        raise UsageProblem("--watch draws a table; for a program, call status again and again")
    try:
        if context.stdout.isatty():
            _watch_screen(context, reading)
        else:
            _watch_lines(context, reading)
    except KeyboardInterrupt:
        context.say("Stopped watching; the daemon goes on.")
    return ExitCode.INTERRUPTED


def _watch_screen(context: Context, reading: "Reading") -> None:
    from rich.live import Live  # noqa: PLC0415 - rich is slow to import

    from koboshi.cli.draw_watch import watch_page  # noqa: PLC0415 - rich is slow to import

    console = context.out()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(watch_page(reading.status(), console), refresh=True)
            time.sleep(WATCH_INTERVAL_S)


def _watch_lines(context: Context, reading: "Reading") -> None:
    shown: dict[str, str] = {}
    while True:
        view = reading.status()
        for subject, text in _facts(view):
            if shown.get(subject) != text:
                shown[subject] = text
                context.stdout.write(f"{moment(view.at)} {subject} {text}\n")
        context.stdout.flush()
        time.sleep(WATCH_INTERVAL_S)


def _facts(view: "StatusView") -> Iterator[tuple[str, str]]:
    """Yield what may change, each with its subject."""
    watched = "a daemon is watching" if view.source == "daemon" else "nobody is watching"
    yield "koboshi", f"{watched}: {'acting' if view.is_acting else 'not acting'}"
    for host in view.hosts:
        yield f"host {host.host}", f"{host.verdict}: {host.meaning}"
    for incident in view.incidents:
        done = f"{incident.recovered} of {incident.servers} recovered, {incident.held} held"
        awaited = f"; awaited: {incident.awaits.what}" if incident.awaits else ""
        yield f"incident {incident.id}", f"{incident.state} ({done}): {incident.reason}{awaited}"
    for unwell in view.unwell:
        yield f"server {unwell.name or unwell.server}", f"{unwell.reason}; {unwell.done}"
    for notice in view.notices:
        yield f"notice {notice.host} {notice.topic}", notice.text
