"""`koboshi demo`: a simulated cloud on this machine whose host dies, and Koboshi that keeps it."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, draw, write_rows
from koboshi.cli.progress import progress

if TYPE_CHECKING:
    from koboshi.rehearsal.demo.directory import Directory

Where = Annotated[Path | None, Parameter(name=("--directory", "-D"))]
HOST_COLUMNS = (
    "host",
    "address",
    "power",
    "network",
    "kernel",
    "nova_compute",
    "servers_running",
)
SERVER_COLUMNS = ("server", "name", "host", "status", "runs_on", "data")
EYES = ("name", "host", "status", "runs_on", "data")
"""Of a server, without its UUID."""


class FaultName(Enum):
    """What can be done to a host; the meanings are in rehearsal.demo.control."""

    power = "power"
    cut = "cut"
    process = "process"
    hang = "hang"
    reboot = "reboot"
    start = "start"


def demo(
    *,
    serve: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    directory: Where = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> int:
    """Watch a host of a simulated cloud lose its power, and its servers get up.

    A small OpenStack is simulated and served on the loopback; Koboshi runs as a process of its own,
    the same program with the same adapters. Exit code 0 only if every server that should be back is
    back, all others keep their data, and no rule was broken.

    With --serve nothing happens by itself: the cloud and Koboshi run until Ctrl-C or SIGTERM (then
    exit code 0), to play with. Its directory holds clouds.yaml (cloud `koboshi-demo`, written last)
    for `openstack`, and koboshi.toml for koboshi's other commands. All files are removed at the end.

    Parameters
    ----------
    serve
        Keep the cloud and Koboshi running to play with, until Ctrl-C or SIGTERM.
    directory
        Where its files are kept [$XDG_RUNTIME_DIR/koboshi-demo, or /tmp/koboshi-demo-UID].
    """
    with progress(context, "building a small cloud"):
        from koboshi.cli.draw_demo import Telling  # noqa: PLC0415 - rich is slow to import
        from koboshi.cli.quiet import keep_logs_apart  # noqa: PLC0415 - slow to import
        from koboshi.rehearsal.demo.until import until_told  # noqa: PLC0415 - slow to import
        from koboshi.settings import Settings  # noqa: PLC0415 - slow to import
    keep_logs_apart(context, Settings())
    telling = Telling(context.out())
    ended = until_told(_directory(context, directory), context.environ, telling.say, serve=serve)
    if ended is None:
        telling.interrupted()
        return ExitCode.DONE if serve else ExitCode.INTERRUPTED
    telling.ending(ended)
    return ExitCode.ERROR if ended.wrong else ExitCode.DONE


def fault(
    host: str,
    what: FaultName,
    /,
    *,
    directory: Where = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Do something to a host of a demo that is served (koboshi demo --serve).

    power: it loses its power. cut: its management network is cut, its servers run on. process:
    nova-compute dies. hang: its processes stand still. reboot: it reboots. start: all of that ends.

    Parameters
    ----------
    host
        One of compute1 to compute4.
    what
        What befalls it.
    directory
        The directory of the demo, as `koboshi demo --serve` was told.
    """
    reply = _ask(context, directory, {"ask": "fault", "host": host, "fault": what.value})
    context.stdout.write(f"{host}: {reply['meaning']}\n")
    return ExitCode.DONE


def hosts(
    *,
    directory: Where = None,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Show the hosts of a demo that is served, as they really are: Nova may believe otherwise.

    Parameters
    ----------
    directory
        The directory of the demo, as `koboshi demo --serve` was told.
    """
    _listing(context, directory, output, "hosts", HOST_COLUMNS, HOST_COLUMNS)
    return ExitCode.DONE


def servers(
    *,
    directory: Where = None,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Show the servers of a demo that is served, as they really are: where they run, their data.

    Parameters
    ----------
    directory
        The directory of the demo, as `koboshi demo --serve` was told.
    """
    _listing(context, directory, output, "servers", SERVER_COLUMNS, EYES)
    return ExitCode.DONE


def _listing(
    context: Context,
    directory: Path | None,
    output: Output | None,
    what: str,
    columns: tuple[str, ...],
    eyes: tuple[str, ...],
) -> None:
    rows: list[dict[str, Any]] = _ask(context, directory, {"ask": what})["rows"]

    def table() -> None:
        draw(context, eyes, [[str(row[c] or "") for c in eyes] for row in rows])

    write_rows(
        context,
        output or Output(),
        rows,
        columns=columns,
        table=table,
        nothing=f"There are no {what}.",
    )


def _ask(context: Context, directory: Path | None, question: dict[str, str]) -> dict[str, Any]:
    from koboshi.rehearsal.demo.control import ask  # noqa: PLC0415 - slow to import

    return ask(_directory(context, directory).control, question)


def _directory(context: Context, named: Path | None) -> "Directory":
    from koboshi.rehearsal.demo.directory import (  # noqa: PLC0415 - slow to import
        Directory,
        default_directory,
    )

    return Directory((named or default_directory(context.environ)).expanduser().absolute())
