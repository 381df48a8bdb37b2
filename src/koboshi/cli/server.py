"""`koboshi server ...`: what a person may order for one server of a host that died."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.answering import write_answer
from koboshi.cli.consent import severe
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, write_item
from koboshi.cli.words import clean

if TYPE_CHECKING:
    from koboshi.api.views import ServerDetail


def rebuild_server(
    server: str,
    /,
    *,
    yes_i_lose: Annotated[str | None, Parameter(show_default=False)] = None,
    note: Annotated[str, Parameter(name=("--note", "-m"))] = "",
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Give up the local disks of a held server: it comes back from its image, on another host.

    For a server that waits for a host that will not return. It is sent like any other, when its turn
    comes and there is room; refused unless its host is proven dead now.

    Parameters
    ----------
    server
        The held server, by its id or name.
    yes_i_lose
        Its name once more, instead of typing it when asked.
    note
        Why; stands in the journal beside your name.
    dry_run
        Tell what it would cost, and whether it would be refused; change nothing.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    output = output or Output()
    with ApiClient(context.settings().socket_path) as client:
        detail = client.server(server)
        if dry_run:
            _write_cost(context, output, detail)
            return ExitCode.REFUSED if detail.refused else ExitCode.DONE
        if detail.refused is None:  # or else the daemon says so itself, and nobody is asked in vain
            warning = f"{_cost(detail)}\nNothing brings that back, not even its host's return."
            name = _typed_name(detail)
            option = "--yes-i-lose"
            if not severe(context, name, yes_i_lose, warning=warning, option=option):
                return ExitCode.USAGE
        answer = client.rebuild(detail.server, note=note)
    write_answer(context, output, answer)
    return ExitCode.DONE


def _typed_name(detail: "ServerDetail") -> str:
    """Return what stands for the server when it is typed: its name, where that can be typed."""
    return (
        detail.name if detail.name.strip() and clean(detail.name) == detail.name else detail.server
    )


def _write_cost(context: Context, output: Output, detail: "ServerDetail") -> None:
    def table() -> None:
        context.stdout.write(f"{_cost(detail)}\n")
        if detail.refused:
            context.stdout.write(f"It would be refused now: {clean(detail.refused)}\n")
            context.stdout.write(f"→ {clean(detail.cure)}\n")

    write_item(context, output, detail.model_dump(mode="json"), table=table)


def _cost(detail: "ServerDetail") -> str:
    """Return what becomes of each disk, a line each."""
    lines = [f"If server {clean(detail.name)} ({detail.server}) of {detail.host} is rebuilt:"]
    for disk in detail.disks:
        what = " ".join(part for part in (disk.kind.value, disk.name) if part)
        lines.append(f"  {what}: {disk.outcome.value.replace('_', ' ')}, {clean(disk.why)}")
    if not detail.disks:
        lines.append("  its disks are not known now")
    return "\n".join(lines)
