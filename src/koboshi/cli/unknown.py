"""A server or a project that was named and is not there: what may have been meant."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

from koboshi.cli.output import UsageProblem
from koboshi.cli.words import clean

if TYPE_CHECKING:
    from koboshi.adapters.openstack import OpenStackCloud, Project
    from koboshi.cli.context import Context
    from koboshi.domain.forecasting.survival import Survival


def no_server(survival: "Survival", wanted: str) -> UsageProblem:
    """Return the error for a name or an id that no server has, with the nearest, or with where to look."""
    nothing = f"Nova has no server {wanted!r}, by id or by name"
    if wanted in survival.hosts:
        return UsageProblem(f"{nothing}; it is a host: koboshi forecast --host {wanted}")
    close = get_close_matches(wanted, sorted({s.name for s in survival.stock.servers}), n=1)
    if close:
        return UsageProblem(f"{nothing}; did you mean {clean(close[0])}?")
    return UsageProblem(f"{nothing}; list them with: openstack server list --all-projects")


def known_project(context: "Context", survival: "Survival", wanted: str) -> str:
    """Return the id of the project that is meant, by its id or its name.

    Keystone is asked only where no server is of a project with this id. Raises UsageProblem where
    there is no such project, or several, and KoboshiError where Keystone does not tell.
    """
    from koboshi.cli.asked import ask_cloud  # noqa: PLC0415 - slow to import
    from koboshi.domain.errors import CloudError, ConfigurationError, KoboshiError  # noqa: PLC0415 - only here

    if any(s.project_id == wanted for s in survival.stock.servers):
        return wanted
    try:
        found, all_of_them = ask_cloud(context, lambda cloud: _look_up(cloud, wanted))
    except (CloudError, ConfigurationError) as error:
        raise KoboshiError(
            f"no server is of a project with the id {wanted!r}, and Keystone does not tell whether one is "
            f"called so: {error}; name it by its id: openstack project show -f value -c id {wanted}"
        ) from None
    if len(found) == 1:
        return found[0].id
    if found:
        ids = ", ".join(sorted(p.id for p in found))
        raise UsageProblem(
            f"{len(found)} projects are called {wanted!r}, in several domains; name it by its id: {ids}"
        )
    nothing = f"Keystone has no project {wanted!r}, by id or by name"
    if close := get_close_matches(wanted, sorted({p.name for p in all_of_them}), n=1):
        raise UsageProblem(f"{nothing}; did you mean {clean(close[0])}?")
    raise UsageProblem(f"{nothing}; list them with: openstack project list")


async def _look_up(
    cloud: "OpenStackCloud", wanted: str
) -> "tuple[tuple[Project, ...], tuple[Project, ...]]":
    from koboshi.adapters.openstack import all_projects, projects_named  # noqa: PLC0415 - slow to import

    found = await projects_named(cloud.calls, wanted)
    return found, found or await all_projects(cloud.calls)
