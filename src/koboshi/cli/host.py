"""`koboshi host ...`: what a person may say of one host."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.consent import severe
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, write_item

if TYPE_CHECKING:
    from koboshi.api.views import AnswerView


def confirm_dead(
    host: str,
    /,
    *,
    confirm: str | None = None,
    note: Annotated[str, Parameter(name=("--note", "-m"))] = "",
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Say that a host is dead: its servers are then recovered on your word.

    For a host whose death no power device can prove. Refused while any witness of the host answers
    or its power reads on; void as soon as one answers again.

    Parameters
    ----------
    host
        The host, as Nova spells it.
    confirm
        Its name once more, instead of typing it when asked.
    note
        How you know; stands in the journal beside your name.
    """
    warning = (
        f"If {host} still runs, its servers will run twice, and their data will be destroyed.\n"
        f"Make sure that it is off: look at the machine, or at its power cable. Silence is not enough:\n"
        f"a network that failed looks the same from here."
    )
    if not severe(context, host, confirm, warning=warning):
        return ExitCode.USAGE
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        answer = client.confirm_dead(host, note=note)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def write_answer(context: Context, output: Output, answer: "AnswerView") -> None:
    """Write what came of a word, and where to look on."""

    def table() -> None:
        for sentence in answer.said:
            context.stdout.write(f"{sentence}\n")
        if answer.incident is not None:
            context.stdout.write(f"Watch it with: koboshi incident show {answer.incident}\n")

    write_item(context, output, answer.model_dump(mode="json"), table=table)
