"""`koboshi check` looks for words on servers that cannot count: mistyped, contradicting, not allowed."""

from collections.abc import Iterator

from koboshi.cli.checks import Check, Result
from koboshi.domain.facts.stock import Stock
from koboshi.domain.forecasting.vain_waits import VainWaits
from koboshi.domain.policies.resolving import policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.rules import Rules

SHOWN = 20
"""So many findings have a row each; how many more there are has one."""


def check_policies(stock: Stock, rules: Rules) -> list[Check]:
    """Return a row for each thing that somebody said of servers and that cannot count."""
    rows = list(_rows(stock, rules))
    if not rows:
        found = "everything that is said of servers can be read"
        return [Check(check="policy", subject="", result=Result.OK, detail=found)]
    if len(rows) > SHOWN:
        more = f"{len(rows) - SHOWN} more"
        cure = "mend these first, and check again"
        rest = Check(check="policy", subject="", result=Result.WARN, detail=more, cure=cure)
        return [*rows[:SHOWN], rest]
    return rows


def _rows(stock: Stock, rules: Rules) -> Iterator[Check]:
    sources = Sources(images=stock.images or {}, aggregates=stock.aggregates, rules=rules.policy)
    told: set[tuple[str, str]] = set()
    vain = VainWaits(stock, lambda server: policy_of(server, sources, rules))
    for server in stock.servers:
        for finding in (*policy_of(server, sources, rules).findings, *vain.of(server)):
            is_own = finding.place.startswith(("metadata", "tag"))
            subject = f"server {server.name}" if is_own else finding.place
            if (subject, f"{finding.place} {finding.what}") in told:
                continue  # a flavor's word is one finding, however many servers have it
            told.add((subject, f"{finding.place} {finding.what}"))
            yield Check(
                check="policy",
                subject=subject,
                result=Result.WARN,
                detail=f"{finding.place}: {finding.what}",
                cure=finding.cure,
            )
