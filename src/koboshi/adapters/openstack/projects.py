"""Keystone's projects: which one a person means by an id or a name."""

from urllib.parse import quote

import msgspec

from koboshi.adapters.openstack.bulk import parse
from koboshi.adapters.openstack.calls import OK, Calls
from koboshi.adapters.openstack.wire import Request

NOT_FOUND = 404


class Project(msgspec.Struct, frozen=True):
    """One project."""

    id: str
    name: str


class OneProject(msgspec.Struct, frozen=True):
    """`GET /v3/projects/ID`."""

    project: Project


class Projects(msgspec.Struct, frozen=True):
    """`GET /v3/projects`."""

    projects: list[Project]


async def projects_named(calls: Calls, wanted: str) -> tuple[Project, ...]:
    """Return the project of this id, or else those of this name: each domain may have one."""
    path = f"/v3/projects/{quote(wanted, safe='')}"
    answer = await calls.read(_get(path), expect=frozenset({OK, NOT_FOUND}))
    if answer.status == OK:
        return (parse(OneProject, answer).project,)
    return tuple(p for p in await _listed(calls, {"name": wanted}) if p.name == wanted)


async def all_projects(calls: Calls) -> tuple[Project, ...]:
    """Return every project that Keystone lists; of very many it may give a part."""
    return await _listed(calls, {})


async def _listed(calls: Calls, params: dict[str, str]) -> tuple[Project, ...]:
    return tuple(parse(Projects, await calls.read(_get("/v3/projects", params))).projects)


def _get(path: str, params: dict[str, str] | None = None) -> Request:
    return Request(service="identity", method="GET", path=path, params=params or {})
