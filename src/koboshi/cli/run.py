"""`koboshi run`: the daemon."""

from typing import Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context


def run(*, context: Annotated[Context, Parameter(parse=False)]) -> int:
    """Run the daemon: watch, judge, journal, and recover what dies (mode = act).

    It runs in the foreground and logs to standard error; stop it with Ctrl-C or SIGTERM. It can be
    killed at any moment: the next one goes on where this one was.
    """
    settings = context.settings()
    from koboshi.daemon import compose  # noqa: PLC0415 - after the settings: their errors come at once

    return compose.run(settings)
