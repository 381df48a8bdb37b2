"""`koboshi policy explain` and `koboshi why-not`: what counts for one server, and what follows from it."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, UsageProblem, draw, write_item
from koboshi.cli.unknown import no_server
from koboshi.cli.words import clean

if TYPE_CHECKING:
    from koboshi.api.views import IncidentView, RecoveryView
    from koboshi.domain.facts.cloud import Server
    from koboshi.domain.forecasting.survival import Survival

NEWEST = 10
"""So many incidents are looked through for a server, the newest first."""
SHOWN = 5


def explain_policy(
    server: str,
    /,
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Tell what counts for a server, from where, and what that overrode; reads only, needs no daemon.

    Exit code 3 when something that was said cannot count: it is told with its place and its cure.

    Parameters
    ----------
    server
        The server, by its id or name.
    """
    from koboshi.cli.asked import read_cloud  # noqa: PLC0415 - slow to import
    from koboshi.domain.forecasting.vain_waits import VainWaits  # noqa: PLC0415 - slow to import
    from koboshi.domain.policies.terms import KEY_MEANING  # noqa: PLC0415 - slow to import

    survival, _ = read_cloud(context)
    found = _one_server(survival, server)
    policy = survival.policy(found)
    told = (*policy.findings, *VainWaits(survival.stock, survival.policy).of(found))
    keys: list[dict[str, Any]] = [
        {
            "key": a.key.value,
            "value": a.value,
            "from": a.place,
            "overrode": list(a.overrode),
            "effect": a.effect,
            "meaning": KEY_MEANING[a.key],
        }
        for a in policy.applied
    ]
    findings = [{"place": f.place, "what": f.what, "cure": f.cure} for f in told]
    item: dict[str, Any] = {
        "server": found.id,
        "name": found.name,
        "project": found.project_id,
        "host": found.host,
        "keys": keys,
        "findings": findings,
    }

    def table() -> None:
        context.stdout.write(f"{clean(found.name)} ({found.id}) on {found.host or 'no host'}\n\n")
        rows = [[k["key"], k["value"], k["from"], "; ".join(k["overrode"])] for k in keys]
        draw(context, ("key", "value", "from", "overrode"), rows)
        for k in keys:
            if k["effect"]:
                context.stdout.write(f"\n{k['key']}: {clean(k['effect'])}\n")
        for f in findings:
            context.stdout.write(
                f"\n▲ {clean(f['place'])}: {clean(f['what'])}\n  cure: {clean(f['cure'])}\n"
            )

    write_item(context, output or Output(), item, table=table)
    return ExitCode.PARTLY if findings else ExitCode.DONE


def why_not(
    server: str,
    /,
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Tell why a server was, or would not be, recovered; reads only, and needs no daemon.

    While an incident of its host is open the answer is the recovery's own; else the forecast's.

    Parameters
    ----------
    server
        The server, by its id or name.
    """
    item = _from_incident(context, server) or _from_forecast(context, server)

    def table() -> None:
        lines = [
            f"{item['name']} ({item['server']}) on {item['host'] or 'no host'}: {item['state']}",
            f"  because {item['why']}",
        ]
        if item["change"]:
            lines.append(f"  what would change it: {item['change']}")
        lines.append(f"  (so says {item['source']})")
        context.stdout.write("\n".join(clean(line) for line in lines) + "\n")

    write_item(context, output or Output(), item, table=table)
    return ExitCode.DONE


def _from_incident(context: Context, wanted: str) -> dict[str, Any] | None:
    """Return what the recovery of an open incident says of a server; None where there is none."""
    from koboshi.cli.reading import Reading  # noqa: PLC0415 - slow to import

    settings = context.settings()
    if not settings.socket_path.exists() and not settings.journal_path.exists():
        return None  # nothing but clouds.yaml: the forecast answers
    reading = Reading(context, settings)
    for incident in [i for i in reading.incidents() if not i.is_over][:NEWEST]:
        detail = reading.incident(incident.id)
        for recovery in detail.recoveries:
            if wanted in {recovery.server, recovery.name}:
                return _told(incident, recovery)
    return None


def _told(incident: "IncidentView", recovery: "RecoveryView") -> dict[str, Any]:
    meant = recovery.treatment_reason
    more = f" (meant for it: {recovery.treatment}, {meant})" if meant != recovery.reason else ""
    return {
        "server": recovery.server,
        "name": recovery.name,
        "host": incident.host,
        "state": recovery.state.value,
        "why": f"{recovery.reason or recovery.meaning}{more}",
        "change": what_would_change(incident, recovery),
        "source": f"incident {incident.id}, which is {incident.state}",
    }


def what_would_change(incident: "IncidentView", recovery: "RecoveryView") -> str:
    """Return what would change a server's lot, with the command for it."""
    steps = f"koboshi incident show {incident.id}"
    if recovery.state.value != "held":
        return steps
    if incident.state.value not in {"settled", "parked", "needs_human"}:
        return f"the return of {incident.host}: {steps}"  # a rebuild would be refused now
    return (
        f"the return of {incident.host}: {steps}; or, if its local disks may be "
        f"lost for good: koboshi server rebuild {recovery.server} (--dry-run shows the cost)"
    )


def _from_forecast(context: Context, wanted: str) -> dict[str, Any]:
    from koboshi.cli.asked import read_cloud  # noqa: PLC0415 - slow to import

    survival, _ = read_cloud(context)
    found = _one_server(survival, wanted)
    item: dict[str, Any] = {"server": found.id, "name": found.name, "host": found.host}
    if found.host is None:
        why = "it is on no host: no host's death can touch it"
        return item | {"state": "safe", "why": why, "change": "", "source": "Nova"}
    told = next(s for s in survival.if_dies(found.host).servers if s.server == found.id)
    return item | {
        "state": told.outcome.value,
        "why": told.why,
        "change": told.change,
        "source": f"the forecast, should {found.host} die now",
    }


def _one_server(survival: "Survival", wanted: str) -> "Server":
    from koboshi.domain.forecasting.survival import server_named  # noqa: PLC0415 - slow to import

    found = server_named(survival.stock, wanted)
    if len(found) == 0:
        raise no_server(survival, wanted)
    if len(found) > 1:
        ids = ", ".join(s.id for s in found[:SHOWN])
        raise UsageProblem(f"{len(found)} servers are called {wanted!r}; name one by its id: {ids}")
    return found[0]
