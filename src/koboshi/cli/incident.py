"""`koboshi incident list` and `koboshi incident show`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, write_item, write_rows

if TYPE_CHECKING:
    from koboshi.api.views import IncidentDetail


def list_incidents(
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """List all incidents, newest first."""
    from koboshi.api.views import IncidentView  # noqa: PLC0415 - slow to import
    from koboshi.cli.reading import Reading  # noqa: PLC0415 - slow to import

    views = Reading(context, context.settings()).incidents()

    def table() -> None:
        from koboshi.cli.draw_incident import draw_list  # noqa: PLC0415 - rich is slow to import

        draw_list(views, context.out())

    write_rows(
        context,
        output or Output(),
        [view.model_dump(mode="json") for view in views],
        columns=tuple(IncidentView.model_fields),
        table=table,
        nothing="There has been no incident yet.",
    )
    return ExitCode.DONE


def show_incident(
    incident: str,
    /,
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Tell one incident step by step: its servers, the reasons, and the way home.

    Parameters
    ----------
    incident
        Its id, the beginning of it, or `last`.
    """
    from koboshi.cli.reading import Reading  # noqa: PLC0415 - slow to import

    detail = Reading(context, context.settings()).incident(incident)

    def table() -> None:
        from koboshi.cli.draw_incident import draw_incident  # noqa: PLC0415 - rich is slow to import

        draw_incident(detail, context.out(), datetime.now(UTC))

    write_item(context, output or Output(), _flat(detail), table=table)
    return ExitCode.DONE


def _flat(detail: "IncidentDetail") -> dict[str, object]:
    """Return the incident with its brief's fields beside the rest, so that `-c state` works."""
    data = detail.model_dump(mode="json")
    brief = data.pop("incident")
    return {**brief, **data}
