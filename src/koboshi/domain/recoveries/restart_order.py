"""Restart order: a server that names others is sent when these are up, and not much later either.

Whoever names another (`koboshi:after`) is left alone when its turn comes, until the other is ACTIVE
again and, if it says so (`koboshi:ready`), its program answers. It holds no slot meanwhile, and waits
once, for `wait_at_most` from the moment it could have been sent. Where waiting is in vain (nobody of
that name, one that is held, a circle) it does not wait at all. Either is told.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import ProbeAnswer, Server, ServerGroup
from koboshi.domain.instant import Instant
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.events import WaitsForOthers
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies.observed import observed_policy
from koboshi.domain.policies.readiness import Readiness
from koboshi.domain.policies.terms import words_of
from koboshi.domain.recoveries.recovery import ON_ITS_WAY, WAITING, Recovery, RecoveryState
from koboshi.domain.recoveries.slots import all_recoveries

GROUP: Final = "group:"
"""Begins the name of a server group, all of whose members are meant."""
LOOKED_UP_WITHIN: Final = timedelta(seconds=10)
"""So long the first listing of a project may take before it is told that somebody waits for it."""
ANSWER_MAX_AGE: Final = timedelta(seconds=30)
MOST_ASKED: Final = 64
"""So many places are asked at most whether they are ready; who waits for others waits for its cap."""
_S = RecoveryState
_MAY_COME = ON_ITS_WAY | WAITING | {_S.STUCK, _S.FOREIGN}
_SERVES = frozenset({Verdict.UP, Verdict.SERVICE_FAILED})
"""Verdicts of a host that say that its servers run."""


class Stand(StrEnum):
    """How a server stands for those that wait for it."""

    UP = "up"
    COMING = "coming"
    """Not up yet; it may be soon."""
    IN_VAIN = "in_vain"
    """Nothing that is known brings it up within the time for which it is worth waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """One name that a server gives, and how that stands."""

    word: str
    stand: Stand
    why: str = ""


def servers_meant(
    word: str,
    project: str,
    listed: Mapping[ServerId, Server],
    groups: Iterable[ServerGroup],
    known: Collection[ServerId] = (),
) -> set[ServerId]:
    """Return which of a project's `listed` servers a word means: by id, by name, or a whole group.

    Of a group those count, too, that are `known` in another way.
    """
    if not word.startswith(GROUP):
        return {s.id for s in listed.values() if word in {s.id, s.name}}
    wanted = word.removeprefix(GROUP).strip()
    return {
        member
        for group in groups
        if wanted in {group.name, group.id} and group.project_id in {project, ""}
        for member in group.members
        if member in listed or member in known
    }


class RestartOrder:
    """Who waits for whom, within one look."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._hit: dict[ServerId, Recovery] = {}
        self._named: defaultdict[tuple[str, str], set[ServerId]] = defaultdict(set)
        self.asked: set[Readiness] = set()
        """What must answer for those that were looked at."""
        self._known: dict[ServerId, tuple[Awaited, ...]] = {}
        self._servers: dict[str, dict[ServerId, Server]] = {}
        recoveries = tuple(all_recoveries(picture))
        if any(_may_wait(r) for r in recoveries):
            self._hit = {r.server: r for r in recoveries}  # of two incidents the newer counts
            for recovery in recoveries:
                candidate = recovery.candidate
                self._named[candidate.project, candidate.name].add(recovery.server)

    def waiting(self) -> Iterator[Recovery]:
        """Give the servers that may have to wait for others."""
        return (r for r in self._hit.values() if _may_wait(r))

    def of(self, recovery: Recovery) -> tuple[Awaited, ...]:
        """Return how each of those stands that a server names; none once it waits no more."""
        if not _may_wait(recovery):
            return ()
        if recovery.server not in self._known:
            found = (self._of_word(recovery, word) for word in recovery.candidate.after)
            self._known[recovery.server] = tuple(a for a in found if a is not None)
        return self._known[recovery.server]

    def holds(self, recovery: Recovery) -> bool:
        """Return whether the server is left alone now."""
        return any(a.stand is Stand.COMING for a in self.of(recovery)) and not self._is_over(
            recovery
        )

    def event(self, recovery: Recovery) -> WaitsForOthers | None:
        """Return what is to be told of a server that could be sent now; None when nothing is."""
        if recovery.wait_is_over:
            return None
        named = self.of(recovery)
        coming = [a for a in named if a.stand is Stand.COMING]
        in_vain = [a for a in named if a.stand is Stand.IN_VAIN]
        if self.holds(recovery):
            return self._begins(recovery, coming, in_vain)
        missing = [*coming, *in_vain]
        if not missing and recovery.waits_since is None:
            return None
        words = ", ".join(recovery.awaits)
        is_one = len(recovery.awaits) == 1
        reason = f"{words} {'is' if is_one else 'are'} up: it goes on"
        if missing:
            whys = "; ".join(a.why for a in missing)
            waited = words_of(self._picture.rules.policy.wait_at_most) if coming else ""
            begun = f"it has waited {waited}, and goes on" if waited else "it goes on"
            reason = f"{begun} without {_words(missing)}: {whys}"
        return WaitsForOthers(
            incident=recovery.incident,
            server=recovery.server,
            awaits=(),
            without=tuple(a.word for a in missing),
            reason=reason,
        )

    def _begins(
        self, recovery: Recovery, coming: list[Awaited], in_vain: list[Awaited]
    ) -> WaitsForOthers | None:
        """Tell that it waits; once more only when it waits for fewer, so that nothing flickers."""
        words = tuple(a.word for a in coming)
        known = recovery.waits_since is not None
        if known and not set(words) < set(recovery.awaits):
            return None
        if not known and self._is_being_read(recovery):
            return None
        cap = words_of(self._picture.rules.policy.wait_at_most)
        whys = "; ".join(a.why for a in (*coming, *in_vain))
        return WaitsForOthers(
            incident=recovery.incident,
            server=recovery.server,
            awaits=words,
            reason=f"it waits for {_words(coming)}, for {cap} at most: {whys}",
        )

    def _is_being_read(self, recovery: Recovery) -> bool:
        read = recovery.candidate.project in self._picture.world.of_project
        return not read and self._picture.now.since(recovery.seen_at) < LOOKED_UP_WITHIN

    def _is_over(self, recovery: Recovery) -> bool:
        """Return whether it has waited for as long as it may, whatever a clock did meanwhile."""
        waited = recovery.waited_for_others(self._picture.now)
        return waited >= self._picture.rules.policy.wait_at_most

    def _of_word(self, recovery: Recovery, word: str) -> Awaited | None:
        """Return how the worst of those stands whom a word names; None where it names only itself."""
        project = recovery.candidate.project
        servers = self._meant(project, word)
        others = servers - {recovery.server}
        if servers and not others:
            return None
        if not others:
            if project not in self._picture.world.of_project:
                return Awaited(word=word, stand=Stand.COMING, why=f"{word} is being looked up")
            why = f"its project has no server {word}"
            if word.startswith(GROUP):
                why = (
                    f"its project has no server group {word.removeprefix(GROUP)} with others in it"
                )
            return Awaited(word=word, stand=Stand.IN_VAIN, why=why)
        found = [self._stand(other, recovery) for other in sorted(others)]
        # In vain for one is no reason not to wait for another that comes.
        for stand in (Stand.COMING, Stand.IN_VAIN):
            if whys := [why for s, why in found if s is stand]:
                return Awaited(word=word, stand=stand, why=whys[0])
        return Awaited(word=word, stand=Stand.UP)

    def _meant(self, project: str, word: str) -> set[ServerId]:
        """Return the servers of a project that a word means: by id, by name, or a whole group."""
        listed, groups = self._listed(project), self._picture.world.groups
        meant = servers_meant(
            word, project, listed, groups.groups if groups else (), self._hit.keys()
        )
        if word.startswith(GROUP):
            return meant
        hit = self._hit.get(ServerId(word))
        if hit is not None and hit.candidate.project == project:
            meant.add(hit.server)
        return meant | self._named.get((project, word), set())

    def _listed(self, project: str) -> dict[ServerId, Server]:
        if project not in self._servers:
            read = self._picture.world.of_project.get(project)
            self._servers[project] = {s.id: s for s in read.servers} if read else {}
        return self._servers[project]

    def _stand(self, server: ServerId, waits: Recovery) -> tuple[Stand, str]:
        hit = self._hit.get(server)
        if hit is None:
            return self._of_other(self._listed(waits.candidate.project)[server])
        name = hit.candidate.name
        if hit.state is _S.DONE:
            if hit.candidate.vm_state == "stopped":
                return Stand.IN_VAIN, f"{name} is stopped, as it was before"
            fails = self._why_down(hit.destination)
            if fails is not None:
                return Stand.COMING, f"{name}: {fails}"
            return self._answers(name, hit.candidate.ready, hit.moved_at)
        told = f"{name} is {hit.state}"
        if hit.state in _MAY_COME:
            if self._leads_to(hit, waits.server):
                return Stand.IN_VAIN, f"{name} waits for it in its turn"
            return Stand.COMING, told
        soon, wait = hit.candidate.rebuild_after, self._picture.rules.policy.wait_at_most
        if hit.state is _S.HELD and soon is not None and soon <= wait:
            return Stand.COMING, f"{told}, and rebuilt after {words_of(soon)}"
        return Stand.IN_VAIN, f"{told} ({hit.reason})"

    def _of_other(self, server: Server) -> tuple[Stand, str]:
        """Return how a server stands that no open incident knows."""
        if server.vm_state == "building":
            return Stand.COMING, f"{server.name} is building"
        if server.vm_state != "active":
            return Stand.IN_VAIN, f"{server.name} is {server.vm_state}, and not by this failure"
        fails = self._why_down(server.host)
        if fails is not None:
            return Stand.COMING, f"{server.name}: {fails}"
        policy = observed_policy(server, self._picture.world, self._picture.rules)
        if policy is None:
            return Stand.COMING, f"what is said of {server.name} is being read"
        return self._answers(server.name, policy.ready, None)

    def _why_down(self, host: HostName | None) -> str | None:
        """Return why what is on a host does not surely run there."""
        judgement = self._picture.judgements.get(host) if host is not None else None
        if host is not None and self._picture.state.open_incident(host) is not None:
            return f"its host {host} has failed"
        if judgement is not None and judgement.verdict not in _SERVES:
            return f"its host {host} is {judgement.verdict}"
        return None

    def _answers(
        self, name: str, ready: Readiness | None, since: Instant | None
    ) -> tuple[Stand, str]:
        """Return whether a server that is up answers, and did so since it is."""
        if ready is None:
            return Stand.UP, ""
        if len(self.asked) < MOST_ASKED:
            self.asked.add(ready)
        read = self._picture.world.ready.get(ready)
        if (
            read is not None
            and read.answer is ProbeAnswer.USERLAND
            and self._picture.now.since(read.at) <= ANSWER_MAX_AGE
            and (since is None or read.at.is_after(since))
        ):
            return Stand.UP, ""
        return Stand.COMING, f"{name} is up, and does not answer at {ready} yet"

    def _leads_to(self, start: Recovery, end: ServerId) -> bool:
        """Return whether whom one waits for waits for it: by what all of them say, not by who went on."""
        seen: set[ServerId] = set()
        trail = [start]
        while trail:
            recovery = trail.pop()
            project = recovery.candidate.project
            for word in recovery.candidate.after:
                for server in self._meant(project, word) - seen - {recovery.server}:
                    seen.add(server)
                    further = self._hit.get(server)
                    if server == end:
                        return True
                    if further is not None and further.state in _MAY_COME:
                        trail.append(further)
        return False


def _may_wait(recovery: Recovery) -> bool:
    """Return whether a server names others, and its wait for them is not over."""
    return (
        bool(recovery.candidate.after) and recovery.state in WAITING and not recovery.wait_is_over
    )


def _words(named: Iterable[Awaited]) -> str:
    return ", ".join(a.word for a in named)
