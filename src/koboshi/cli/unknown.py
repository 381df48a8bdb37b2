"""A server that was named and is not there: what may have been meant."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

from koboshi.cli.output import UsageProblem
from koboshi.cli.words import clean

if TYPE_CHECKING:
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
