"""Finding the incident that somebody means: by its id, the beginning of it, or `last`."""

from koboshi.domain.errors import KoboshiError
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.memory.state import State

LAST = "last"
SHOWN = 5


class NoSuchIncident(KoboshiError):
    """No incident is meant by that, or more than one."""


def find_incident(state: State, wanted: str) -> Incident:
    """Return the incident that `wanted` names; raises NoSuchIncident with what there is."""
    incidents = list(state.incidents.values())
    if not incidents:
        raise NoSuchIncident("there has been no incident yet")
    if wanted == LAST:
        return incidents[-1]
    exact = [i for i in incidents if i.id == wanted]
    found = exact or [i for i in incidents if wanted and i.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        newest = ", ".join(i.id for i in incidents[: -SHOWN - 1 : -1])
        raise NoSuchIncident(
            f"no incident {wanted!r}; the newest are {newest}; "
            "list them all with: koboshi incident list",
        )
    which = ", ".join(i.id for i in found[: -SHOWN - 1 : -1])
    raise NoSuchIncident(f"{wanted!r} may mean {len(found)} incidents ({which}); write more of it")
