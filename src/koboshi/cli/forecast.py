"""`koboshi forecast`: what each host's death would cost, before it happens."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Format, Output, UsageProblem, write_item, write_rows
from koboshi.cli.unknown import known_project, no_server

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from koboshi.domain.forecasting.claims import Claim
    from koboshi.domain.forecasting.forecast import ServerForecast
    from koboshi.domain.forecasting.survival import HostForecast, Survival
    from koboshi.domain.names import HostName

MAX_HOSTS_AT_ONCE = 20
MAX_NAMED = 10


def forecast(
    *,
    host: Annotated[str | None, Parameter(show_default=False)] = None,
    server: Annotated[str | None, Parameter(show_default=False)] = None,
    project: Annotated[str | None, Parameter(show_default=False)] = None,
    disks: Annotated[bool, Parameter(negative=())] = False,
    fail: Annotated[str | None, Parameter(show_default=False)] = None,
    any: Annotated[int | None, Parameter(show_default=False)] = None,  # noqa: A002 the option's name
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Tell what would be lost if each host died now; reads only, and needs no daemon.

    Without options a summary of the cloud; --host, --server and --project show servers with the
    reasons. Exit code 3 when something must be looked at: a time bomb, or what could not be read.

    Parameters
    ----------
    host
        The servers of this host.
    server
        This server, by its id or name.
    project
        The servers of this project, by its id or name.
    disks
        Every disk of them.
    fail
        What if these hosts, or all of a declared domain, died together: HOST,HOST,…
    any
        Whether any so many hosts may die together.
    """
    from koboshi.cli.asked import read_cloud  # noqa: PLC0415 - slow to import

    output = output or Output()
    _assert_sensible(host, server, project, fail, any)
    survival, cloud = read_cloud(context)
    if fail is not None:
        return _what_if(context, output, survival, fail)
    if host or server or project or disks:
        chosen = _chosen(context, survival, host=host, server=server, project=project)
        _write_servers(context, output, chosen, disks=disks)
    else:
        _write_summary(context, output, survival, cloud, any)
    return _exit_code(survival)


def _assert_sensible(
    host: str | None, server: str | None, project: str | None, fail: str | None, any_: int | None
) -> None:
    if (fail or any_) and (host or server or project):
        raise UsageProblem(
            "--fail and --any ask of the whole cloud: no --host, --server, --project"
        )
    if fail and any_:
        raise UsageProblem("--fail names the hosts, --any does not: one of them")
    if any_ is not None and not 1 <= any_ <= MAX_HOSTS_AT_ONCE:
        raise UsageProblem(f"--any takes 1 to {MAX_HOSTS_AT_ONCE} hosts")


def _exit_code(survival: "Survival") -> ExitCode:
    return ExitCode.PARTLY if survival.bombs or survival.gaps else ExitCode.DONE


def known_hosts(survival: "Survival", names: "Iterable[str]") -> "tuple[HostName, ...]":
    """Return the hosts that are named, by themselves or by their domain. Raises UsageProblem."""
    from koboshi.domain.names import DomainName  # noqa: PLC0415 - slow to import

    found: list[HostName] = []
    for name in names:
        members = None if name in survival.hosts else survival.domains.get(DomainName(name))
        found += sorted(members) if members else [known_host(survival, name)]
    return tuple(dict.fromkeys(found))


def known_host(survival: "Survival", wanted: str) -> "HostName":
    """Return the host of this name; raises UsageProblem for one that there is not."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where one is named

    found = next((h for h in survival.hosts if h == wanted), None)
    if found is not None:
        return found
    close = get_close_matches(wanted, survival.hosts, n=1)
    names = ", ".join(survival.hosts[:MAX_NAMED]) + (
        " …" if len(survival.hosts) > MAX_NAMED else ""
    )
    meant = f"did you mean {close[0]}?" if close else f"there are: {names}"
    raise UsageProblem(f"Nova has no compute host {wanted!r}; {meant}")


def _each(context: Context, survival: "Survival") -> "tuple[HostForecast, ...]":
    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import

    total = len(survival.hosts)
    with progress(context, "packing servers") as tell:
        return survival.each(lambda done: tell(f"packing servers: host {done} of {total}"))


def _chosen(
    context: Context,
    survival: "Survival",
    *,
    host: str | None,
    server: str | None,
    project: str | None,
) -> "list[ServerForecast]":
    from koboshi.domain.forecasting.survival import server_named  # noqa: PLC0415 - slow to import

    hosts: Collection[HostName] | None = None
    named: frozenset[str] | None = None
    if project is not None:
        project = known_project(context, survival, project)
    if host is not None:
        hosts = {known_host(survival, host)}
    if server is not None:
        found = server_named(survival.stock, server)
        if not found:
            raise no_server(survival, server)
        named = frozenset(s.id for s in found)
        hosts = {s.host for s in found if s.host is not None and (not hosts or s.host in hosts)}
    forecasts = (
        _each(context, survival) if hosts is None else [survival.if_dies(h) for h in sorted(hosts)]
    )
    return [
        s
        for h in forecasts
        for s in sorted(h.servers, key=lambda s: (s.name, s.server))
        if (project is None or s.project == project) and (named is None or s.server in named)
    ]


def _write_servers(
    context: Context, output: Output, chosen: "list[ServerForecast]", *, disks: bool
) -> None:
    from koboshi.cli import draw_forecast, forecast_rows  # noqa: PLC0415 - slow to import

    rows = [forecast_rows.server_row(s) for s in chosen]
    columns = forecast_rows.SERVER_COLUMNS
    if disks and (output.format is not Format.TABLE or output.column):
        rows = [row for s in chosen for row in forecast_rows.disk_rows(s)]
        columns = forecast_rows.DISK_COLUMNS
    write_rows(
        context,
        output,
        rows,
        columns=columns,
        table=lambda: draw_forecast.draw_servers(chosen, context.out(), disks=disks),
        nothing="Nova has no server on a host that all of this is true of.",
    )


def _claims(context: Context, survival: "Survival", number: int | None) -> "tuple[Claim, ...]":
    from random import Random  # noqa: PLC0415 - only where it is needed

    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import
    from koboshi.domain.forecasting.claims import any_may_die, domains_may_die  # noqa: PLC0415 - slow to import

    chance = Random(number or 1)  # noqa: S311 the same answer at each asking
    with progress(context, "trying sets of hosts") as tell:
        claims = [
            any_may_die(
                survival,
                n,
                chance.sample,
                lambda done, of: tell(f"trying sets of hosts: {done} of {of}"),
            )
            for n in sorted({1, number or 1})
        ]
        tell("trying domains")
        return (*claims, *domains_may_die(survival))


def _write_summary(
    context: Context, output: Output, survival: "Survival", cloud: str, number: int | None
) -> None:
    from koboshi.cli import draw_forecast, forecast_rows  # noqa: PLC0415 - slow to import

    hosts = _each(context, survival)
    claims = _claims(context, survival, number)
    write_item(
        context,
        output,
        forecast_rows.summary(cloud, hosts, survival.bombs, survival.gaps, claims),
        table=lambda: draw_forecast.draw_summary(cloud, hosts, survival, claims, context.out()),
    )


def _what_if(context: Context, output: Output, survival: "Survival", fail: str) -> ExitCode:
    from koboshi.cli import draw_what_if, forecast_rows  # noqa: PLC0415 - slow to import
    from koboshi.domain.forecasting.capacity import Pacing  # noqa: PLC0415 - slow to import

    names = [name.strip() for name in fail.split(",") if name.strip()]
    dead = known_hosts(survival, names)
    if not dead:
        raise UsageProblem("--fail takes HOST,HOST,…")
    turns = {t.candidate.server: t for t in survival.bring_back(dead, Pacing())}
    told = [
        (survival.seen_with(s, turns.get(s.server)), turns.get(s.server))
        for h in dead
        for s in survival.servers_of(h)
    ]
    last = len(told)
    told.sort(key=lambda pair: pair[1].order if pair[1] and pair[1].order else last + 1)
    write_rows(
        context,
        output,
        [forecast_rows.turn_row(server, turn) for server, turn in told],
        columns=forecast_rows.TURN_COLUMNS,
        table=lambda: draw_what_if.draw_what_if(dead, told, survival, context.out()),
        nothing=f"No server is on {', '.join(dead)}: nothing would be lost.",
    )
    return _exit_code(survival)
