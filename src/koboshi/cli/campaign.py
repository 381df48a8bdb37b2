"""`koboshi sim campaign`: random clouds and random troubles, judged by the truth."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, draw, write_item
from koboshi.cli.progress import progress

if TYPE_CHECKING:
    from koboshi.rehearsal.campaign.running import Report

SHOWN_FAILURES = 20
AT_LEAST_ONE = Number(gte=1)


def campaign(
    *,
    seeds: Annotated[int, Parameter(validator=AT_LEAST_ONE)] = 100,
    first_seed: Annotated[int, Parameter(validator=Number(gte=0))] = 1,
    jobs: Annotated[int, Parameter(validator=AT_LEAST_ONE)] = 1,
    stories: Path = Path("campaign-stories"),
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Play random clouds with random troubles, and judge each event by the world's truth.

    The same seed is the same story. A broken rule fails the campaign, and so does, in a long one, a
    kind of trouble, end or near miss that never occurred: it was not tried.

    Parameters
    ----------
    seeds
        How many stories.
    first_seed
        The first story's seed; the others follow.
    jobs
        How many processes play at once.
    stories
        Where the first failures are written, each made as short as it goes: koboshi sim run plays them.
    """
    from koboshi.rehearsal.campaign.running import (  # noqa: PLC0415 - slow to import
        run_campaign,
        write_stories,
    )

    with progress(context, f"playing {seeds} seeds") as tell:
        report = run_campaign(
            first_seed,
            seeds,
            jobs=jobs,
            tell=lambda so_far: _tell(context, so_far, tell),
        )
    if report.failures:
        with progress(context, "making the failures short"):
            write_stories(report, stories)
    write_item(context, output or Output(), _item(report), table=lambda: _draw(context, report))
    _complain(context, report)
    return ExitCode.DONE if report.is_well else ExitCode.ERROR


def _tell(context: Context, report: "Report", tell: Callable[[str], None]) -> None:
    """Tell of the progress, and at once of a seed that failed: a long campaign is not waited for."""
    tell(_so_far(report))
    newest = report.failures[-1] if report.failures else None
    if newest is not None and newest.seed == report.first + report.seeds - 1:
        context.say(f"koboshi: seed {newest.seed} broke a rule: {newest.breaches[0]}")


def _so_far(report: "Report") -> str:
    bad = f", {len(report.failures)} failed" if report.failures else ""
    return f"seed {report.seeds} of {report.asked}{bad}"


def _item(report: "Report") -> dict[str, Any]:
    return {
        "first_seed": report.first,
        "seeds": report.seeds,
        "took_s": round(report.took_s, 1),
        "seeds_per_s": round(report.seeds / report.took_s, 2) if report.took_s else 0.0,
        "virtual_s": round(report.played_s),
        **_counts(report),
        "missing": list(report.missing),
        "failures": [
            {
                "seed": failure.seed,
                "breaches": [str(breach) for breach in failure.breaches[:5]],
                "story": str(failure.folder) if failure.folder else None,
            }
            for failure in report.failures
        ],
    }


def _counts(report: "Report") -> dict[str, dict[str, int]]:
    from koboshi.rehearsal.campaign.counting import GROUPS  # noqa: PLC0415 - slow to import

    return {
        name: {kind: report.counts.of(name)[kind] for kind in kinds}
        for name, kinds in GROUPS.items()
    }


def _draw(context: Context, report: "Report") -> None:
    item = _item(report)
    rows = [
        [group, kind, str(number)]
        for group, kinds in _counts(report).items()
        for kind, number in kinds.items()
    ]
    draw(context, ("group", "kind", "occurred"), rows)
    context.out().print(
        f"{report.seeds} seeds from {report.first} on, {item['virtual_s']} s of their time in "
        f"{item['took_s']} s of ours: {item['seeds_per_s']} seeds a second, "
        f"{len(report.failures)} failed"
    )


def _complain(context: Context, report: "Report") -> None:
    for kind in report.missing:
        context.say(f"koboshi: never occurred, so never tried: {kind}")
    for failure in report.failures[:SHOWN_FAILURES]:
        context.say(f"koboshi: seed {failure.seed} broke a rule:")
        for breach in failure.breaches[:5]:
            context.say(f"  {breach}")
        context.say(f"  again: koboshi sim campaign --seeds 1 --first-seed {failure.seed}")
        if failure.folder is not None:
            context.say(f"  made short: koboshi sim run {failure.folder}")
    if len(report.failures) > SHOWN_FAILURES:
        seeds = ", ".join(str(f.seed) for f in report.failures[SHOWN_FAILURES:])
        context.say(f"koboshi: failed, too: {seeds}")
