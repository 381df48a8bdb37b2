"""What the control plane says of a host: Nova's heartbeats, over the message bus and the database."""

from datetime import timedelta
from enum import StrEnum

from koboshi.domain.evidence import Heartbeat
from koboshi.domain.instant import Instant, same, seconds
from koboshi.domain.names import HostName
from koboshi.domain.rules import Rules
from koboshi.domain.world import World


class Control(StrEnum):
    """What the control plane says of a host."""

    FRESH = "fresh"
    LATE = "late"
    DONT_KNOW = "dont_know"


def patience_with(track: Heartbeat, rules: Rules) -> timedelta:
    """Return how long a first heartbeat is waited for."""
    interval = track.interval or timedelta(seconds=10)
    return max(rules.new_evidence, interval + rules.heartbeat_margin)


def is_late(track: Heartbeat, began_at: Instant, rules: Rules, now: Instant) -> bool | None:
    """Return whether the next heartbeat is overdue; None when that cannot be known yet.

    A service of which no heartbeat was seen since we began is late once we have looked for long
    enough that one should have come.
    """
    interval = track.interval or timedelta(seconds=10)
    if track.advanced_at is None:
        return True if now.since(began_at) > patience_with(track, rules) else None
    # Only a question that was asked late enough can have missed a heartbeat, however slow Nova is.
    unheard = track.asked_at.since(track.advanced_at)
    if track.interval is None:
        return True if unheard > rules.new_evidence else None
    return unheard > interval + rules.heartbeat_margin


def control_plane_stalled(world: World, rules: Rules, now: Instant) -> str | None:
    """Return why no heartbeat can be trusted now; None when they can.

    Conductors and schedulers share their database and message bus with every nova-compute: where
    they stall too, or where no host at all advances, the silence is not the hosts'.
    """
    read_at = world.services_read_at
    if read_at is None or now.since(read_at) > rules.new_evidence:
        return "compute services could not be read"
    stalled = sorted(
        name
        for name, track in world.control.items()
        if is_late(track, world.began_at, rules, now) and track.service.up is not False
    )
    if stalled:
        return f"{stalled[0]} does not report either"
    tracks = world.services.values()
    if tracks and all(is_late(t, world.began_at, rules, now) is not False for t in tracks):
        return "no host's heartbeat advances"
    return None


def control_of(
    host: HostName, world: World, rules: Rules, now: Instant, stall: str | None
) -> tuple[Control, str]:
    """Return the control plane's word on `host`, and the sentence for it."""
    track = world.services.get(host)
    if track is None or world.services_read_at is None:
        return Control.DONT_KNOW, "Nova lists no compute service of it"
    if not same(track.read_at, world.services_read_at):
        return Control.DONT_KNOW, "its compute service vanished from Nova's list"
    if track.service.up is None:
        return Control.DONT_KNOW, "Nova says UNKNOWN: its cell does not answer"
    late = is_late(track, world.began_at, rules, now)
    if late is None:
        return Control.DONT_KNOW, "its heartbeats have not been watched for long enough"
    age = seconds(now.since(track.advanced_at or world.began_at))
    if not late:
        return Control.FRESH, f"its last heartbeat was seen {age} ago"
    if stall is not None:
        return Control.DONT_KNOW, f"its heartbeat is late, but {stall}"
    return Control.LATE, f"no heartbeat was seen for {age}"
