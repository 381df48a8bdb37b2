"""One server of an open incident: where it stands, and what giving up its disks would cost."""

from koboshi.api.build import Snapshot
from koboshi.api.views import DiskView, ServerDetail
from koboshi.domain.errors import KoboshiError
from koboshi.domain.memory.state import State
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.rebuild_order import cost_of_rebuild, known_server, why_not_rebuild
from koboshi.domain.recoveries.recovery import RecoveryState

SHOWN = 5


class NoSuchServer(KoboshiError):
    """No server of an open incident is meant by that, or more than one."""


def server_detail(snapshot: Snapshot, wanted: str) -> ServerDetail:
    """Return the server that `wanted` names by id or name; raises NoSuchServer."""
    picture, state = snapshot.picture, snapshot.picture.state
    known = known_server(state, find_server(state, wanted))
    if known is None:  # its incident was found a moment ago
        raise NoSuchServer(f"no open incident knows a server {wanted!r}")
    incident, recovery = known
    refused = why_not_rebuild(picture, incident, recovery)
    is_held = recovery.state is RecoveryState.HELD
    return ServerDetail(
        server=recovery.server,
        name=recovery.candidate.name,
        host=incident.host,
        incident=incident.id,
        state=recovery.state,
        reason=recovery.reason,
        held_since=recovery.moved_at.wall if is_held else None,
        disks=[
            DiskView(kind=d.kind, name=d.name, outcome=d.outcome, why=d.why)
            for d in cost_of_rebuild(picture, incident, recovery)
        ],
        refused=refused.reason if refused else None,
        cure=refused.cure if refused else "",
    )


def find_server(state: State, wanted: str) -> ServerId:
    """Return the id of the server of an open incident with this id or name; raises NoSuchServer."""
    names = {
        r.server: r.candidate.name
        for incident in state.open_incidents()
        for r in state.recoveries.get(incident.id, {}).values()
    }
    if wanted in names:
        return ServerId(wanted)
    found = sorted(server for server, name in names.items() if name == wanted)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchServer(
            f"no open incident knows a server {wanted!r}; 'koboshi status' lists those that are held"
        )
    which = ", ".join(found[:SHOWN]) + (" …" if len(found) > SHOWN else "")
    raise NoSuchServer(f"{len(found)} servers are called {wanted!r}; name one by its id: {which}")
