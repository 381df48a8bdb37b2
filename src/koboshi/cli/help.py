"""`koboshi help`: the first page again, and what does not fit on it."""

from typing import Annotated, Literal

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.first_page import EXIT_CODES_PAGE, first_page


def help_topic(
    topic: Literal["exit-codes"] | None = None,
    *,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Show the first page, or a topic.

    Parameters
    ----------
    topic
        What to explain.
    """
    context.stdout.write(first_page() if topic is None else EXIT_CODES_PAGE)
    return ExitCode.DONE
