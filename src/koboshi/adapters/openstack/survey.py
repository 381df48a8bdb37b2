"""What `koboshi check` asks of the cloud: who we are, what we may, how new it is.

Commands are tested where they can have no effect, in Nova's own order of checks (nova 34):
- `PUT /os-services/{uuid}` looks at the policy first (403), then for the service (404): a random
  UUID tells them apart.
- evacuate looks for the server (404), then at the policy (403), then for the named destination
  (404 "Compute host … not found."), and only then at anything that could begin an evacuation. So
  it is asked of a server on a host that is up, with a destination that does not exist.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from koboshi.adapters.openstack import shapes
from koboshi.adapters.openstack.calls import FORBIDDEN, OK, reason
from koboshi.adapters.openstack.catalog import regions_of
from koboshi.adapters.openstack.cloud import CONFLICT, NOT_FOUND, OpenStackCloud
from koboshi.adapters.openstack.wire import Request
from koboshi.domain.errors import CommandError, CommandRefused, KoboshiError
from koboshi.domain.facts.cloud import Demand, Server
from koboshi.domain.names import HostName, ServerId

NEEDED = ("2.48", "2.72")
"""The oldest and the newest compute microversion that is called."""
ADMIN_CURE = "give Koboshi's user the `admin` role, or allow the call in Nova's policy"
NOWHERE = HostName("koboshi-check-no-such-host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried."""

    name: str
    ok: bool | None
    """None: it could not be tried."""
    detail: str
    cure: str = ""


async def survey(cloud: OpenStackCloud) -> tuple[Finding, ...]:
    """Try everything that Koboshi will need; changes nothing, and never raises KoboshiError."""
    me = await _attempt("authentication", lambda: _who(cloud))
    if not me.ok:
        return (me,)
    found = [me, await _attempt("endpoints", lambda: _endpoints(cloud))]
    if not found[-1].ok:
        return tuple(found)
    found.append(await _attempt("compute microversions", lambda: _versions(cloud)))
    servers: list[Server] = []

    async def list_servers() -> str:
        servers.extend(await cloud.servers())
        return f"{len(servers)} servers of all projects"

    reads: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
        ("read services", lambda: _count(cloud.services(), "services")),
        ("read hypervisors", lambda: _count(cloud.hypervisors(), "hypervisors")),
        ("read servers", list_servers),
        ("read migrations", lambda: _count(cloud.migrations(evacuations_only=True), "evacuations")),
        ("read server groups", lambda: _groups(cloud)),
        ("read aggregates", lambda: _count(cloud.aggregates(), "host aggregates")),
        ("placement", lambda: _room(cloud)),
        ("images", lambda: _images(cloud)),
    )
    found += [await _attempt(name, act) for name, act in reads]
    alive = next((server.id for server in servers if server.host_status == "UP"), None)
    found.append(await _may_isolate(cloud))
    found.append(await _may_evacuate(cloud, alive))
    found.append(await _may_diagnose(cloud, alive))
    return tuple(found)


async def _attempt(name: str, act: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(name=name, ok=True, detail=await act())
    except KoboshiError as error:
        # Our errors end with their cure, behind the last semicolon.
        detail, _, cure = str(error).rpartition("; ")
        return Finding(name=name, ok=False, detail=detail or cure, cure=cure if detail else "")


async def _count(rows: Awaitable[tuple[object, ...]], what: str) -> str:
    return f"{len(await rows)} {what}"


async def _who(cloud: OpenStackCloud) -> str:
    access = (await cloud.grant()).access
    scope = access.project_name or ("the whole system" if access.system_scoped else "no project")
    roles = ", ".join(sorted(access.role_names or [])) or "none"
    regions = ", ".join(regions_of(access)) or "none"
    return (
        f"user {access.username or access.user_id} in {scope}; roles: {roles}; regions: {regions}"
    )


async def _endpoints(cloud: OpenStackCloud) -> str:
    await cloud.verify()
    endpoints = (await cloud.grant()).endpoints
    return ", ".join(f"{service} {url}" for service, url in sorted(endpoints.items()))


async def _versions(cloud: OpenStackCloud) -> str:
    request = Request(service="compute", method="GET", path="/", root=True)
    answer = await cloud.calls.read(request)
    document = shapes.parse(shapes.VersionDocument, answer).version
    oldest, newest = (_number(version) for version in NEEDED)
    if not _number(document.min_version) <= oldest <= newest <= _number(document.version):
        raise KoboshiError(
            f"Nova speaks {document.min_version} to {document.version}, and Koboshi calls "
            f"{NEEDED[0]} to {NEEDED[1]}; upgrade Nova to Stein or later",
        )
    return f"{document.min_version} to {document.version}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


async def _groups(cloud: OpenStackCloud) -> str:
    groups = await cloud.server_groups()
    roles = (await cloud.grant()).access.role_names or []
    if "admin" not in {role.lower() for role in roles}:
        # Nova drops all_projects silently for everyone else, whatever the policy says.
        raise KoboshiError(
            "without the `admin` role Nova shows only our own project's groups, so servers that "
            f"must be apart could meet; {ADMIN_CURE.partition(',')[0]}",
        )
    return f"{len(groups)} server groups of all projects"


async def _room(cloud: OpenStackCloud) -> str:
    rooms = await cloud.room(Demand(vcpus=1, ram_mb=1, disk_gb=0))
    return f"{len(rooms)} hosts could take a small server now"


async def _images(cloud: OpenStackCloud) -> str:
    await cloud.image(str(uuid.uuid4()))
    return "Glance answers"


async def _may_isolate(cloud: OpenStackCloud) -> Finding:
    name = "may force a host down"
    request = Request(
        service="compute",
        method="PUT",
        path=f"/os-services/{uuid.uuid4()}",
        microversion="2.53",
        json={"status": "disabled", "disabled_reason": "koboshi:check", "forced_down": True},
    )
    status, text = await _refusal(cloud, request)
    if status == NOT_FOUND:
        return Finding(name=name, ok=True, detail="allowed (tried on a service that is not there)")
    return Finding(name=name, ok=False, detail=text, cure=ADMIN_CURE)


def _nobody_to_ask_about(name: str) -> Finding:
    return Finding(
        name=name,
        ok=None,
        detail="not tried: there is no server on a host that is up to ask about",
        cure="run the check again when there is one",
    )


async def _may_diagnose(cloud: OpenStackCloud, asked: ServerId | None) -> Finding:
    name = "may ask hypervisors"
    if asked is None:
        return _nobody_to_ask_about(name)
    answer = await cloud.diagnostics(asked)
    if answer is None:
        return Finding(
            name=name,
            ok=None,
            detail=f"server {asked}: its hypervisor did not answer in time",
            cure="run the check again",
        )
    if answer.status in {OK, CONFLICT}:
        return Finding(name=name, ok=True, detail="a hypervisor told whether its server runs")
    detail = f"{answer.request.label}: HTTP {answer.status}: {reason(answer)}"
    cure = ADMIN_CURE if answer.status == FORBIDDEN else "run the check again"
    return Finding(
        name=name, ok=False if answer.status == FORBIDDEN else None, detail=detail, cure=cure
    )


async def _may_evacuate(cloud: OpenStackCloud, asked: ServerId | None) -> Finding:
    name = "may evacuate"
    if asked is None:
        return _nobody_to_ask_about(name)
    status, text = await _refusal(cloud, _evacuation_to_nowhere(asked))
    if status == NOT_FOUND and NOWHERE in text:
        return Finding(name=name, ok=True, detail="allowed (tried with a host that is not there)")
    cure = ADMIN_CURE if status == FORBIDDEN else "run the check again"
    return Finding(name=name, ok=False if status == FORBIDDEN else None, detail=text, cure=cure)


def _evacuation_to_nowhere(server: ServerId) -> Request:
    return Request(
        service="compute",
        method="POST",
        path=f"/servers/{server}/action",
        microversion="2.68",
        json={"evacuate": {"host": NOWHERE}},
    )


async def _refusal(cloud: OpenStackCloud, request: Request) -> tuple[int | None, str]:
    """Return the status and text with which a command that must be refused was refused."""
    try:
        answer = await cloud.calls.command(request, accept=lambda _: True)
    except CommandRefused as refusal:
        return refusal.status, str(refusal)
    except CommandError as error:
        return None, str(error)
    return OK, f"{request.label}: accepted, which cannot be: {reason(answer)}"
