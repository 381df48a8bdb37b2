"""A host that rebooted and answers, while its nova-compute does not come: its guests are gone.

What tells is its boot time, as Prometheus samples it, and nothing else. It is held against our own
clock, because a host whose clock is stepped shows another boot time without a reboot; where the clocks
do not agree, nothing is concluded.
"""

from datetime import timedelta

from koboshi.domain.alone.boots import BootTrack
from koboshi.domain.facts.cells import counted_from
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, latest
from koboshi.domain.judging.evidence import Heartbeat
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName

DOWN_INSIDE_AFTER = timedelta(minutes=10)
"""So long a host that booted may be without its nova-compute until that is no start any more."""
BOOT_MAX_AGE = timedelta(seconds=60)
"""How old the last reading of its boot time may be: four of them are missed, then it tells nothing."""
CLOCKS_DIFFER = timedelta(seconds=60)
"""By so much a host's clock and ours may differ before a boot time is not believed, or told of."""
CLOCK_SLACK = timedelta(seconds=5)
"""... and by so much a boot may seem to be later than its first reading, where a host is to be fenced."""


def rebooted_unheard(host: HostName, world: World, now: Instant) -> BootTrack | None:
    """Return the host's new boot, if its nova-compute has not reported since; None where nobody tells."""
    boot, track = world.boots.get(host), world.services.get(host)
    if boot is None or track is None:
        return None
    heard = track.advanced_at
    if heard is not None and not boot.since.is_after(heard):
        return None
    if boot.changed_at is None:
        return boot if _outlasts(boot, track, world, now) else None
    if heard is not None and heard.wall - boot.booted > CLOCKS_DIFFER:
        return None  # it did not boot: its clock was set, and the boot is reckoned back from that
    return boot


def _outlasts(boot: BootTrack, track: Heartbeat, world: World, now: Instant) -> bool:
    """Return whether the last heartbeat is surely older than a boot that was not seen to be new.

    By ages, each by its own clock: that of the heartbeat by Nova's, that of the boot by ours.
    """
    newest = nova_now(world)
    if track.beat is None or newest is None:
        return False
    return (newest - track.beat) - (now.wall - boot.booted) > CLOCKS_DIFFER


def down_inside_for(host: HostName, world: World, state: State, now: Instant) -> timedelta | None:
    """Return for how long the host has been up without its nova-compute; None where that is not sure.

    Counted on our own boot clock, and only while the picture of its cell was plausible. The boot must
    lie between the last heartbeat that was seen and the moment at which it was first read.
    """
    boot, track = rebooted_unheard(host, world, now), world.services.get(host)
    if boot is None or track is None or now.since(boot.read_at) > BOOT_MAX_AGE:
        return None
    if boot.booted - boot.since.wall > CLOCK_SLACK:
        return None
    if track.advanced_at is not None and track.advanced_at.wall > boot.booted:
        return None  # it may have been the new nova-compute's, which may have started guests
    if track.advanced_at is None and not _outlasts(boot, track, world, now):
        return None
    return now.since(latest(counted_from(host, world, state), boot.since))


def is_down_inside(host: HostName, world: World, state: State, now: Instant) -> bool:
    """Return whether nobody need wait for its nova-compute any longer."""
    lasted = down_inside_for(host, world, state, now)
    return lasted is not None and lasted >= DOWN_INSIDE_AFTER


def sentence_of(host: HostName, world: World, now: Instant) -> str:
    """Return what tells that the host is down inside."""
    boot = world.boots[host]
    minutes = now.since(boot.since).total_seconds() / 60
    return (
        f"it booted at {boot.booted:%H:%M:%S} UTC, as Prometheus has told for {minutes:.0f} minutes, and its "
        "nova-compute has not reported since"
    )
