"""`koboshi arm` and `koboshi disarm`."""

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from koboshi.cli.answering import write_answer
from koboshi.cli.consent import moderate
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, UsageProblem


def arm(
    *,
    keep: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative=(), show_default=False)] = False,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Let the daemon act: fence dead hosts, and recover their servers.

    Ends a disarm. An observing daemon (mode = observe) acts until it is restarted; with --keep also
    after that.

    Parameters
    ----------
    keep
        An observing daemon goes on acting after a restart.
    yes
        Do not ask.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    settings = context.settings()
    if not moderate(context, "Koboshi will switch off hosts that it finds dead. Arm it?", yes=yes):
        return ExitCode.USAGE
    with ApiClient(settings.socket_path) as client:
        answer = client.arm(keep=keep)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def disarm(
    *,
    for_: Annotated[str | None, Parameter(name="--for", show_default=False)] = None,
    reason: Annotated[str, Parameter(name=("--reason", "-m"))],
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative=(), show_default=False)] = False,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Let the daemon begin nothing new; what it has begun is followed to its end.

    It goes on watching and judging. With --for it arms itself again after that time, also across
    restarts.

    Parameters
    ----------
    for_
        How long, as 2h or 30m; without it until somebody arms it.
    reason
        Why; everybody who looks at the status reads it.
    yes
        Do not ask.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    for_s = None if for_ is None else _duration(for_).total_seconds()
    settings = context.settings()
    how_long = f"for {for_}" if for_ else "until somebody arms it again"
    question = f"No host is fenced and no server recovered {how_long}. Disarm Koboshi?"
    if not moderate(context, question, yes=yes):
        return ExitCode.USAGE
    with ApiClient(settings.socket_path) as client:
        answer = client.disarm(reason, for_s=for_s)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def _duration(text: str) -> timedelta:
    from koboshi.settings.duration import parse_duration  # noqa: PLC0415 - slow to import

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageProblem(f"--for {text}: {error}") from None
