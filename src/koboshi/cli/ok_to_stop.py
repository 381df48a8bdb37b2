"""`koboshi host ok-to-stop`: may this host be stopped? For people, and for scripts by its exit code."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, UsageProblem, write_item

if TYPE_CHECKING:
    from rich.console import RenderableType

    from koboshi.domain.forecasting.stopping import OkToStop

MAX_NAMED = 5


def ok_to_stop(
    *hosts: str,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Tell whether hosts may be stopped as they are; reads only, and needs no daemon.

    Safe means: were they switched off now, every server on them would come back whole elsewhere, and
    nothing waits to go off when they start again. Exit code 0 when safe, 4 when not.

    Parameters
    ----------
    hosts
        One host, or several that are stopped together.
    """
    from koboshi.cli.asked import read_cloud  # noqa: PLC0415 - slow to import
    from koboshi.cli.forecast import known_hosts  # noqa: PLC0415 - slow to import
    from koboshi.domain.forecasting import stopping  # noqa: PLC0415 - slow to import

    if not hosts:
        raise UsageProblem("name the host: koboshi host ok-to-stop HOST")
    survival, _ = read_cloud(context)
    named = known_hosts(survival, hosts)
    answer = stopping.ok_to_stop(survival, named)
    write_item(
        context,
        output or Output(),
        _item(answer),
        table=lambda: _draw(context, answer),
    )
    return ExitCode.DONE if answer.is_safe else ExitCode.REFUSED


def _item(answer: "OkToStop") -> dict[str, object]:
    return {
        "hosts": list(answer.hosts),
        "safe": answer.is_safe,
        "servers": answer.servers,
        "back_after_s": round(answer.back_after.total_seconds()),
        "reasons": [
            {
                "why": o.why,
                "cure": o.cure,
                "servers": [
                    {
                        "server": s.server,
                        "name": s.name,
                        "outcome": s.outcome.value,
                        "why": s.why,
                        "not_counted": s.not_counted,
                    }
                    for s in o.servers
                ],
            }
            for o in answer.objections
        ],
    }


def _draw(context: Context, answer: "OkToStop") -> None:
    from rich.text import Text  # noqa: PLC0415 - slow to import

    from koboshi.cli.words import clean, count, span  # noqa: PLC0415 - slow to import

    console = context.out()
    names = " and ".join(clean(h) for h in answer.hosts)
    servers = count(answer.servers, "server")
    if answer.is_safe:
        back = f" would be back after about {span(answer.back_after.total_seconds())}"
        what = f"its {servers}{back}" if answer.servers else "no server is there"
        console.print(Text(f"✔ {names} may be stopped: {what}", style="green"))
        return
    console.print(Text(f"✗ {names} may not be stopped as it is ({servers}):", style="bold red"))
    for objection in answer.objections:
        console.print(Text(f"  ▲ {clean(objection.why)}", style="yellow"))
        for server in objection.servers[:MAX_NAMED]:
            console.print(_below(f"{clean(server.name)}: {clean(server.why)}"))
        if (rest := len(objection.servers) - MAX_NAMED) > 0:
            console.print(_below(f"and {rest} more: koboshi forecast --host HOST"))
        console.print(Text(f"    → {clean(objection.cure)}", style="bold"), soft_wrap=True)


def _below(words: str) -> "RenderableType":
    from rich.padding import Padding  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415 - slow to import

    return Padding(Text(words), (0, 0, 0, 6), expand=False)
