"""Witnesses at second hand: Neutron's agents, Prometheus's samples, the last words of a kernel.

As with heartbeats, a time that others write is compared with itself only: what counts is when we
saw it change, by our own boot clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from koboshi.domain.facts.cloud import NetworkAgent, Sample
from koboshi.domain.instant import Instant, latest, same

INTERVALS_REMEMBERED = 5
AGENT_VANISHED_AFTER = timedelta(minutes=10)
"""An agent that Neutron has not listed for this long was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBeat:
    """One agent's reports, as far as successive reads of its row show them."""

    row: NetworkAgent
    seen_at: Instant
    """When it was listed last."""
    advanced_at: Instant | None = None
    """When a read first showed its newest report; None before a change was seen."""
    intervals: tuple[timedelta, ...] = ()
    """The newest differences between two reports, by Neutron's own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTrack:
    """The Neutron agents of one host: whichever reports, its host lives."""

    beats: Mapping[str, AgentBeat]
    """By the agent's id."""
    asked_at: Instant
    """When the newest complete list was asked for."""
    read_at: Instant
    """When it was answered."""

    @property
    def is_complete(self) -> bool:
        """Return whether the newest list named every agent that was known here just before."""
        return all(same(beat.seen_at, self.read_at) for beat in self.beats.values())

    @property
    def newest(self) -> AgentBeat | None:
        """Return the agent whose report was seen last; None before any was seen to come."""
        found: AgentBeat | None = None
        for beat in self.beats.values():
            if beat.advanced_at is not None and (
                found is None
                or found.advanced_at is None
                or beat.advanced_at.is_after(found.advanced_at)
            ):
                found = beat
        return found

    @property
    def advanced_at(self) -> Instant | None:
        """Return when any agent's report was last seen to come."""
        newest = self.newest
        return newest.advanced_at if newest else None

    @property
    def interval(self) -> timedelta | None:
        """Return the longest recent interval of the agent that was heard last; None while unknown."""
        newest = self.newest
        return max(newest.intervals, default=None) if newest else None


def observe_agents(
    track: AgentTrack | None, rows: Iterable[NetworkAgent], at: Instant, *, asked_at: Instant
) -> AgentTrack:
    """Add one read of a host's agents, begun at `asked_at` and answered at `at`.

    An agent that is not listed any more stays for a while: a row that is missing says nothing.
    """
    before = dict(track.beats) if track else dict[str, AgentBeat]()
    beats = {k: b for k, b in before.items() if at.since(b.seen_at) < AGENT_VANISHED_AFTER}
    beats |= {row.id: _observe_agent(before.get(row.id), row, at) for row in rows}
    return AgentTrack(beats=beats, asked_at=asked_at, read_at=at)


def _observe_agent(beat: AgentBeat | None, row: NetworkAgent, at: Instant) -> AgentBeat:
    if beat is None:
        return AgentBeat(row=row, seen_at=at)
    was, comes = beat.row.heartbeat_at, row.heartbeat_at
    edited = beat.row.admin_up != row.admin_up
    if was is None or comes is None or comes <= was or edited:
        return replace(beat, row=row, seen_at=at)
    first = beat.advanced_at is None
    # The first difference may hide several missed reports: it teaches no interval.
    intervals = () if first else (*beat.intervals, comes - was)[-INTERVALS_REMEMBERED:]
    return AgentBeat(row=row, seen_at=at, advanced_at=at, intervals=intervals)


def without_ages(track: AgentTrack) -> AgentTrack:
    """Return the agents as if they were seen for the first time: our own loop stood still."""
    return replace(
        track, beats={k: AgentBeat(row=b.row, seen_at=b.seen_at) for k, b in track.beats.items()}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTrack:
    """What Prometheus's samples say of one host; only a new one says anything."""

    stamp: datetime
    """The newest sample's own time."""
    read_at: Instant
    alive_at: Instant | None = None
    """When the newest sample was taken, by our clock; None before one was seen to be new."""


def observe_sample(track: SampleTrack | None, sample: Sample, *, asked_at: Instant) -> SampleTrack:
    """Add a sample that says that its host lives, asked for at `asked_at`."""
    if track is None:
        return SampleTrack(stamp=sample.stamp, read_at=asked_at)
    if sample.stamp <= track.stamp:
        return replace(track, read_at=asked_at)
    age = max(sample.age, timedelta())
    taken_at = asked_at.later(-age)
    # A sample taken by a clock that is ahead must not turn us back.
    alive_at = taken_at if track.alive_at is None else latest(track.alive_at, taken_at)
    return SampleTrack(stamp=sample.stamp, read_at=asked_at, alive_at=alive_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class KdumpSeen:
    """A host said that its kernel crashed and is being dumped: none of its servers runs any more."""

    at: Instant
    authenticated: bool
    """Whether it was signed, or came over a network that the operator declared isolated."""


def observe_kdump(seen: KdumpSeen | None, at: Instant, *, authenticated: bool) -> KdumpSeen:
    """Add one message; one that anybody could send takes nothing from one that only the host could."""
    if seen is not None and seen.authenticated and not authenticated:
        return seen
    return KdumpSeen(at=at, authenticated=authenticated)
