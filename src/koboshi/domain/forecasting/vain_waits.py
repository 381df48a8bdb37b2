"""What a recovery would find out about `koboshi:after`: nobody of that name, itself, a circle.

It is told beforehand, and never fatal: the recovery does not wait where waiting is in vain.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Stock
from koboshi.domain.names import ServerId
from koboshi.domain.policies.resolving import Applied, Policy
from koboshi.domain.policies.statements import Finding, Level
from koboshi.domain.policies.terms import Key
from koboshi.domain.recoveries.restart_order import GROUP, servers_meant

LONGEST_CIRCLE: Final = 8
"""So many names of a circle are told."""


class VainWaits:
    """The waits of a whole cloud that would be in vain."""

    def __init__(self, stock: Stock, policy: Callable[[Server], Policy]) -> None:
        self._stock = stock
        self._policy = policy
        self._listed: defaultdict[str, dict[ServerId, Server]] = defaultdict(dict)
        for server in stock.servers:
            self._listed[server.project_id][server.id] = server
        self._after: dict[ServerId, tuple[str, ...]] = {}

    def of(self, server: Server) -> tuple[Finding, ...]:
        """Return what is wrong with whom a server names."""
        policy = self._policy(server)
        said = next((a for a in policy.applied if a.key is Key.AFTER), None)
        return () if said is None else tuple(self._findings(server, policy.after, said))

    def _findings(self, server: Server, after: tuple[str, ...], said: Applied) -> Iterator[Finding]:
        """Yield them. What is said of a whole project may well name one of its servers."""
        place = said.place
        for word in after:
            others = self._meant(server, word)
            if not others:
                yield Finding(
                    place=place,
                    what=f"its project has no server{' group' * word.startswith(GROUP)} "
                    f"{word.removeprefix(GROUP)}: it would not wait for it",
                    cure=self._nearest(server, word),
                )
            elif others == {server.id} and said.level is Level.SERVER:
                yield Finding(
                    place=place,
                    what=f"{word} is itself alone: it would not wait",
                    cure="name another server of its project",
                )
        if circle := self._circle(server):
            names = [self._listed[server.project_id][s].name for s in circle[:LONGEST_CIRCLE]]
            yield Finding(
                place=place,
                what=f"{' waits for '.join([*names, server.name])}: in a circle nobody waits",
                cure="take one of them out of it",
            )

    def _meant(self, server: Server, word: str) -> set[ServerId]:
        listed: Mapping[ServerId, Server] = self._listed[server.project_id]
        return servers_meant(word, server.project_id, listed, self._stock.groups)

    def _nearest(self, server: Server, word: str) -> str:
        if word.startswith(GROUP):
            names = [g.name for g in self._stock.groups if g.project_id in {server.project_id, ""}]
        else:
            names = [s.name for s in self._listed[server.project_id].values()]
        close = get_close_matches(word.removeprefix(GROUP), names, n=1)
        prefix = GROUP * word.startswith(GROUP)
        if close:
            return f"did you mean {prefix}{close[0]}?"
        return "name a server of the same project, by id or name, or group:NAME"

    def _circle(self, server: Server) -> tuple[ServerId, ...]:
        """Return a shortest way along which a server waits for itself, itself first; empty: none."""
        ways: list[tuple[ServerId, ...]] = [(server.id,)]
        seen: set[ServerId] = set()
        while ways:
            way = ways.pop(0)
            for other in sorted(self._named_by(server.project_id, way[-1])):
                if other == server.id:
                    return way
                if other not in seen:
                    seen.add(other)
                    ways.append((*way, other))
        return ()

    def _named_by(self, project: str, waits: ServerId) -> set[ServerId]:
        server = self._listed[project][waits]
        if waits not in self._after:
            self._after[waits] = self._policy(server).after
        named = (self._meant(server, word) for word in self._after[waits])
        return set[ServerId]().union(*named) - {waits}
