"""Who must not share a host with a server, and where they are: its anti-affinity groups.

Nova checks such a group late, and a server that it finds no host for becomes ERROR. So the members
that no sweep has seen (they are younger than it, or there was none yet) are read by id before a
server of their group is sent; but they keep it for a moment only, as Nova itself refuses what is wrong.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from koboshi.domain.decision import Picture
from koboshi.domain.instant import latest
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import Candidate, Recovery, RecoveryState

PARTNER_PATIENCE: Final = timedelta(seconds=10)
"""So long a server waits for the first word of where another member of its group is."""
MOST_PARTNERS: Final = 200
"""So many are read by id at most; a group has ten members where nobody raised its quota."""
_MAY_GO: Final = frozenset({RecoveryState.QUEUED, RecoveryState.GIVEN_UP})

Tells = Callable[[ServerId], HostName | None]
"""Tells where a server is; None where it does not know."""


def hosts_apart_from(candidate: Candidate, *tell: Tells) -> Iterator[HostName]:
    """Give the hosts of the other members of a server's groups, each by the first that knows it."""
    for other in candidate.separate_from:
        told = next((host for ask in tell if (host := ask(other)) is not None), None)
        if told is not None:
            yield told


def read_by_id(picture: Picture, server: ServerId) -> HostName | None:
    """Return where a server was when it was read by id; None where it was not, or is deleted."""
    read = picture.world.servers.get(server)
    return read.server.host if read is not None and read.server is not None else None


def partners_wanted(picture: Picture) -> frozenset[ServerId]:
    """Return the members to read by id: no sweep has seen them, and they are not stranded themselves."""
    recoveries = [
        r
        for incident in picture.state.open_incidents()
        for r in picture.state.recoveries.get(incident.id, {}).values()
    ]
    others = frozenset[ServerId]().union(
        *(r.candidate.separate_from for r in recoveries if r.state in _MAY_GO)
    )
    unseen = _unseen(picture, others - {r.server for r in recoveries})
    return frozenset(islice(sorted(unseen), MOST_PARTNERS))


def waits_for_partners(picture: Picture, recovery: Recovery, known: frozenset[ServerId]) -> bool:
    """Return whether it is not known yet where all of its groups are; `known` are those that are stranded."""
    unseen = _unseen(picture, recovery.candidate.separate_from - known)
    if unseen <= picture.world.servers.keys():
        return False
    since = latest(recovery.moved_at, picture.world.began_at)
    return picture.now.since(since) <= PARTNER_PATIENCE


def _unseen(picture: Picture, servers: frozenset[ServerId]) -> frozenset[ServerId]:
    sweep = picture.world.sweep
    return servers - sweep.servers.keys() if sweep else servers
