"""What Nova's scheduler would refuse beyond room, as far as an API shows it: aggregates.

After nova 34's scheduler/filters: aggregate_instance_extra_specs.py (a flavor that asks for
properties of an aggregate) and aggregate_multitenancy_isolation.py (an aggregate that is kept for
projects). Whether they are switched on, no API tells: they are taken to be where the metadata that
they read are set. The recovery does not look at them: it learns of a refusal by Nova's answer.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from koboshi.domain.facts.cloud import Aggregate, Server
from koboshi.domain.forecasting.capacity import Hindrance, nothing_hinders
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import Candidate

SCOPE: Final = "aggregate_instance_extra_specs:"
TENANT: Final = "filter_tenant_id"
OPERATORS: Final = ("<", "=", ">", "!", "s=", "s!", "s<", "s>")
"""How a value begins that is a comparison: not judged here."""


def aggregate_hindrance(servers: Collection[Server], aggregates: Iterable[Aggregate]) -> Hindrance:
    """Return what tells whether a host's aggregates take a server."""
    of_host: dict[HostName, list[Mapping[str, str]]] = {}
    for aggregate in aggregates:
        for host in aggregate.hosts:
            of_host.setdefault(host, []).append(aggregate.metadata)
    wants = {s.id: w for s in servers if (w := _wanted(s))}
    kept = {host for host, all_of in of_host.items() if any(map(_tenants, all_of))}
    if not wants and not kept:
        return nothing_hinders
    projects = {s.id: s.project_id for s in servers} if kept else {}

    def hinders(candidate: Candidate, host: HostName) -> str | None:
        metadata = of_host.get(host, [])
        for key, value in wants.get(candidate.server, {}).items():
            if not any(value in m.get(key, "").split(",") for m in metadata):
                return f"in no aggregate with {key}={value}"
        if host in kept:
            tenants = {t for m in metadata for t in _tenants(m)}
            if projects.get(candidate.server) not in tenants:
                return "in an aggregate that is kept for other projects"
        return None

    return hinders


def _wanted(server: Server) -> Mapping[str, str]:
    return {
        key.removeprefix(SCOPE): value
        for key, value in server.flavor.extra_specs.items()
        if key.startswith(SCOPE) and not value.startswith(OPERATORS)
    }


def _tenants(metadata: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        tenant.strip()
        for key, value in metadata.items()
        if key.startswith(TENANT)
        for tenant in value.split(",")
        if tenant.strip()
    )
