"""`koboshi sim run`: plays stories on the simulated cloud, and holds them to their expected logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Format, Output, UsageProblem, write_rows

if TYPE_CHECKING:
    from koboshi.rehearsal.golden import Told

LINE_COLUMNS = ("at_s", "whose", "event", "why")
STORY_COLUMNS = ("story", "outcome", "lasted_s", "events", "problems")


def run_stories(
    *stories: Path,
    record: Annotated[bool, Parameter(negative=())] = False,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Play stories and hold what happens to their expected.log; one alone is shown line by line.

    Whatever the log says, no rule may be broken: never two, no data lost without policy, nothing
    without proof. A difference is shown event by event: expected (-), happened (+).

    Parameters
    ----------
    stories
        Folders of stories; a folder that holds several stands for all of them.
    record
        Write what happened as what is expected from now on: read it first.
    """
    from koboshi.rehearsal.golden import tell  # noqa: PLC0415 - slow to import
    from koboshi.rehearsal.scenario import (  # noqa: PLC0415 - slow to import
        find_scenarios,
        load_scenario,
    )

    if not stories:
        raise UsageProblem("name a story: koboshi sim run scenarios/NAME, or all: scenarios")
    folders = [found for folder in stories for found in find_scenarios(folder)]
    shown = output or Output()
    out: list[Told] = []
    scenarios = [load_scenario(folder) for folder in folders]
    for scenario in scenarios:
        told = tell(scenario, record=record)
        out.append(told)
        if len(folders) > 1 and shown.format is Format.TABLE and not shown.column:
            _one_line(context, told)
    if len(folders) == 1:
        _write_lines(context, shown, out[0])
    elif shown.format is not Format.TABLE or shown.column:
        _write_stories(context, shown, out)
    _complain(context, out)
    return ExitCode.DONE if all(told.is_well for told in out) else ExitCode.ERROR


def _write_lines(context: Context, output: Output, told: "Told") -> None:
    def table() -> None:
        from koboshi.cli.draw_story import draw_story  # noqa: PLC0415 - rich is slow to import

        draw_story(told, context.out())

    write_rows(
        context,
        output,
        [
            {"at_s": round(line.at_s, 3), "whose": line.voice, "event": line.text, "why": line.why}
            for line in told.played.lines
        ],
        columns=LINE_COLUMNS,
        table=table,
        nothing="Nothing happened.",
    )


def _write_stories(context: Context, output: Output, told: "Sequence[Told]") -> None:
    rows = [
        {
            "story": one.scenario.name,
            "outcome": one.outcome,
            "lasted_s": one.scenario.script.lasts_s,
            "events": len(one.played.lines),
            "problems": [*one.problems, *one.difference],
        }
        for one in told
    ]
    write_rows(context, output, rows, columns=STORY_COLUMNS, table=lambda: None, nothing="")


def _one_line(context: Context, told: "Told") -> None:
    from koboshi.cli.draw_story import draw_outcome  # noqa: PLC0415 - rich is slow to import

    draw_outcome(told, context.out())


def _complain(context: Context, told: "Sequence[Told]") -> None:
    """Say what is wrong, and what to type next."""
    from koboshi.rehearsal.golden import Outcome  # noqa: PLC0415 - slow to import

    bad = [one for one in told if not one.is_well]
    for one in bad:
        context.say(f"koboshi: {one.scenario.folder}: {one.outcome}")
        for problem in one.problems:
            context.say(f"  {problem}")
        if one.outcome is Outcome.DIFFERS:
            context.say("  expected (-), happened (+):")
        for line in one.difference:
            context.say(f"  {line}")
        if one.outcome in {Outcome.DIFFERS, Outcome.NOT_RECORDED}:
            context.say(
                f"  if this is right: koboshi sim run --record {one.scenario.folder}",
            )
    if len(told) > 1:
        context.say(f"{len(told)} stories, {len(bad)} of them not as they should be")
