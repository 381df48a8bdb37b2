"""Whom did our *off* hit? A host that falls silent right after it tells that the device is its own.

Seen on a real lab: the BMC that was configured for one host was wired to the next. The first host
was cut off from the network and ran on; our *off* killed the second, and the device read off three
times. Taken for a proof, that would have started the first host's servers twice.
"""

from datetime import timedelta

from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.instant import Instant
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName

FALLEN_FOR = timedelta(seconds=2)
"""How long another host must have been silent to count: one lost probe is a lost packet. It fits
into the time that the three readings of a proof take."""
WITHIN = timedelta(seconds=30)
"""How long after our *off* the host that it hit falls silent, and its incident is opened, at the
latest; by the incident it is known after a restart, too, when nobody remembers who answered before."""


def felled_by_our_off(
    incident: Incident, world: World, state: State, now: Instant
) -> HostName | None:
    """Return another host that answered until the incident's was switched off, and has not since."""
    fenced_at = state.fences.get(incident.host)
    if fenced_at is None or not incident.fence_attempts:
        return None
    opened = {other.host: other.opened_at for other in state.open_incidents()}
    for host, track in world.probes.items():
        if host == incident.host or track.silent_since is None:
            continue
        fell_at = opened.get(host)
        if track.userland_at is not None and now.since(track.silent_since) >= FALLEN_FOR:
            fell_at = track.silent_since
        if (
            fell_at is not None
            and fell_at.is_after(fenced_at)
            and fell_at.since(fenced_at) <= WITHIN
        ):
            return host
    return None


def may_hit_again(incident: Incident, state: State) -> HostName | None:
    """Return the host that failed right after our *off*, whatever became of it: no second one."""
    fenced_at = state.fences.get(incident.host)
    if fenced_at is None or not incident.fence_attempts:
        return None
    return next(
        (
            other.host
            for other in state.incidents.values()
            if other.host != incident.host
            and other.opened_at.is_after(fenced_at)
            and other.opened_at.since(fenced_at) <= WITHIN
        ),
        None,
    )
