"""Signs that a host rebooted, though nobody missed it: a gap in its heartbeats, a new boot time."""

from collections.abc import Mapping
from datetime import timedelta

from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.judging.evidence import Heartbeat
from koboshi.domain.names import HostName
from koboshi.domain.restraint.bound import bound
from koboshi.domain.rules import Rules

NEAR = timedelta(minutes=15)
"""A stop so soon before or after a sign of a reboot belongs to it."""
TOGETHER = timedelta(minutes=2)
"""Gaps so close together have one cause."""
GAP_INTERVALS = 2


def is_gap(before: Heartbeat | None, after: Heartbeat) -> bool:
    """Return whether the heartbeat that was just seen came after a gap of two intervals or more.

    Silence between two reads of ours is none of the host's: it must have been seen to be silent.
    """
    if before is None or before.advanced_at is None or not before.intervals:
        return False
    if after.advanced_at is None or not after.advanced_at.is_after(before.advanced_at):
        return False
    old, new = before.service.updated_at, after.service.updated_at
    if old is None or new is None:
        return False
    usual = min(before.intervals)
    seen_silent = before.asked_at.since(before.advanced_at)
    return new - old >= GAP_INTERVALS * usual and seen_silent >= usual


def gaps_after(
    gaps: Mapping[HostName, Instant],
    before: Mapping[HostName, Heartbeat],
    after: Mapping[HostName, Heartbeat],
    now: Instant,
) -> Mapping[HostName, Instant]:
    """Return when each host's heartbeats last began again after a gap, the old ones forgotten."""
    new = {
        host: now
        for host, track in after.items()
        if track is not before.get(host) and is_gap(before.get(host), track)
    }
    return recent(gaps, new, now)


def recent(
    signs: Mapping[HostName, Instant], new: Mapping[HostName, Instant], now: Instant
) -> Mapping[HostName, Instant]:
    """Return the signs of reboots with new ones, those that no stop can belong to forgotten."""
    old = {host: at for host, at in signs.items() if now.since(at) <= 2 * NEAR}
    return signs if not new and len(old) == len(signs) else {**old, **new}


def why_rebooted(host: HostName, stopped_at: Instant, world: World, rules: Rules) -> str | None:
    """Return what tells that the host rebooted around that moment; None when nothing does."""
    boot = world.boots.get(host)
    if boot is not None and boot.changed_at is not None and _near(boot.changed_at, stopped_at):
        return f"{host} booted at {boot.booted:%H:%M:%S} UTC"
    gap = world.gaps.get(host)
    if gap is None or not _near(gap, stopped_at) or _is_shared(gap, world, rules):
        return None
    if boot is not None and boot.changed_at is None and boot.read_at.is_after(gap):
        return None  # whoever samples its boot time says that it did not
    ago = seconds(gap.since(stopped_at)) if gap.is_after(stopped_at) else ""
    return f"the heartbeats of {host} had a gap" + (
        f" that ended {ago} after the stop" if ago else ""
    )


def _near(sign: Instant, stopped_at: Instant) -> bool:
    return sign.since(stopped_at) <= NEAR and stopped_at.since(sign) <= NEAR


def _is_shared(gap: Instant, world: World, rules: Rules) -> bool:
    """Return whether so many hosts had a gap then that their common control plane had it."""
    together = sum(
        at.since(gap) <= TOGETHER and gap.since(at) <= TOGETHER for at in world.gaps.values()
    )
    return together > bound(len(world.services), rules)
