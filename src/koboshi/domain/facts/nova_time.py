"""Nova's own time, as its heartbeats show it: never ours, for the two clocks need not agree."""

from datetime import datetime, timedelta

from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant

BEATS_WITHIN = timedelta(seconds=60)
"""A service whose heartbeat advanced in this time shows what Nova's clocks say now."""


def nova_now(world: World) -> datetime | None:
    """Return Nova's own time, as the newest heartbeat shows it; None when there is none."""
    stamps = [
        t.service.updated_at
        for t in (*world.services.values(), *world.control.values())
        if t.service.updated_at is not None
    ]
    return max(stamps, default=None)


def nova_clock(world: World, now: Instant) -> datetime | None:
    """Return a time that none of Nova's clocks has yet to reach, for "what changed since".

    The clocks of its controllers may differ, and each stamps the heartbeats that pass through it: the
    earliest fresh stamp is behind all of them. None while Nova's services cannot be read or a cell
    does not answer: then lists may lack servers, and nobody can say what was not seen.
    """
    if world.services_read_at is None or world.api.failing_since is not None:
        return None
    tracks = (*world.services.values(), *world.control.values())
    if any(t.service.up is None for t in tracks):
        return None
    fresh = [
        t.service.updated_at
        for t in tracks
        if t.service.updated_at is not None
        and t.advanced_at is not None
        and now.since(t.advanced_at) < BEATS_WITHIN
    ]
    return min(fresh) if fresh else nova_now(world)
