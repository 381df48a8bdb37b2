"""`koboshi check`: what is missing before Koboshi may act."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Format, Output, write_rows

if TYPE_CHECKING:
    from koboshi.cli.checks import Check
    from koboshi.cli.progress import Tell
    from koboshi.settings import Settings


def check(
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Test the configuration against the cloud, each host's BMC and address; changes nothing.

    Each line that is not ok has its cure. Exit code 0 when all is well, 3 with warnings, 1 when
    something would keep Koboshi from its work.
    """
    import anyio  # noqa: PLC0415 - only when it runs

    from koboshi.cli.checks import Check, check_settings, exit_code  # noqa: PLC0415 - slow to import
    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import

    output = output or Output()
    settings = context.settings()
    with progress(context, "asking the cloud") as tell:
        checks = check_settings(settings) + anyio.run(_look_outside, context, settings, tell)
    write_rows(
        context,
        output,
        [row.model_dump(mode="json") for row in checks],
        columns=tuple(Check.model_fields),
        table=lambda: _draw(context, checks),
        nothing="",
    )
    code = exit_code(checks)
    if output.format is Format.TABLE:
        context.say(_verdict(checks))
    return code


async def _look_outside(
    context: Context,
    settings: "Settings",
    tell: "Tell",
) -> list["Check"]:
    from koboshi.adapters.clock import SystemClock  # noqa: PLC0415 - slow to import
    from koboshi.adapters.openstack import connect, survey, take_stock  # noqa: PLC0415 - slow to import
    from koboshi.cli.check_hosts import (  # noqa: PLC0415 - slow to import
        Instruments,
        check_hosts,
    )
    from koboshi.cli.check_policies import check_policies  # noqa: PLC0415 - slow to import
    from koboshi.cli.check_records import check_records  # noqa: PLC0415 - slow to import
    from koboshi.cli.check_witnesses import check_witnesses  # noqa: PLC0415 - slow to import
    from koboshi.cli.checks import Check, Result  # noqa: PLC0415 - slow to import
    from koboshi.cli.quiet import keep_logs_apart  # noqa: PLC0415 - slow to import
    from koboshi.daemon import wiring, witnesses  # noqa: PLC0415 - slow to import
    from koboshi.domain.errors import CloudError  # noqa: PLC0415 - slow to import

    results = {True: Result.OK, False: Result.FAIL, None: Result.WARN}
    hypervisors = None
    records: list[Check] = []
    keep_logs_apart(context, settings)
    access, limits = wiring.cloud_access(settings), wiring.time_limits(settings)
    async with connect(access, clock=SystemClock(), limits=limits) as cloud:
        findings = await survey(cloud)
        tell("asking hosts and BMCs")
        if findings and findings[0].ok:
            try:
                hypervisors = await cloud.hypervisors()
                records = await check_records(cloud)
                stock = await take_stock(cloud)
                records += check_policies(stock, settings.rules())
                async with AsyncExitStack() as stack:
                    who = await witnesses.witnesses(settings, cloud, stack)
                    hosts = wiring.protected_hosts(settings, hypervisors)
                    records += await check_witnesses(who, list(hosts))
            except CloudError:
                hypervisors = None  # the survey has said so
    found = [
        Check(
            check=finding.name,
            subject=cloud.label if number == 0 else "",
            result=results[finding.ok],
            detail=finding.detail,
            cure=finding.cure,
        )
        for number, finding in enumerate(findings)
    ]
    instruments = Instruments(
        probe=witnesses.probe(settings),
        book=witnesses.management(settings),
        new_fence=wiring.device,
        inspect=wiring.inspected,
    )
    return found + records + await check_hosts(settings, hypervisors, instruments)


def _draw(context: Context, checks: list["Check"]) -> None:
    from koboshi.cli.draw_check import draw_checks  # noqa: PLC0415 - rich is slow to import

    draw_checks(checks, context.out())


def _verdict(checks: list["Check"]) -> str:
    fails = sum(check.result == "fail" for check in checks)
    warnings = sum(check.result == "warn" for check in checks)
    if fails:
        return f"{fails} to mend, {warnings} warnings, of {len(checks)} checks."
    if warnings:
        return f"Nothing to mend, {warnings} warnings, of {len(checks)} checks. Next: koboshi run"
    return f"All {len(checks)} checks are ok. Next: koboshi run"
