"""Whether a host is silent right now on every path: on this rests whatever no power device proves.

A word, a crash kernel's message and a declared silence say that a host *was* dead. That it has not
come back since, only its silence says, at each evacuation anew.
"""

from collections.abc import Iterator

from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.judging.evidence import PowerTrack, ProbeTrack
from koboshi.domain.judging.networks import PROBE_MAX_AGE
from koboshi.domain.names import HostName
from koboshi.domain.rules import POSITIVE_CONTROL_MAX_AGE, PROOF_MAX_AGE, SILENT_FOR


def why_not_silent(host: HostName, world: World, now: Instant) -> str | None:
    """Return which path speaks against the host's silence in the last SILENT_FOR; None when none does.

    A path that is not watched at this moment speaks against it too: nobody would hear the host.
    """
    return next(_words(host, world, now), None)


def heard_since(host: HostName, world: World, since: Instant) -> str | None:
    """Return which path has heard the host after `since`, however briefly; None when none has."""
    probes = {"management address": world.probes.get(host)}
    probes |= {f"address in {name}": tracks.get(host) for name, tracks in world.further.items()}
    answers = ((f"{name} answered", t.kernel_at if t else None) for name, t in probes.items())
    for name, moment in (*answers, *_last_heard(host, world)):
        if moment is not None and moment.is_after(since):
            return f"its {name} again"
    return None


def _words(host: HostName, world: World, now: Instant) -> Iterator[str]:
    if word := _heard("management address", world.probes.get(host), now):
        yield word
    for network, tracks in world.further.items():
        if host in tracks and (word := _heard(f"address in {network}", tracks[host], now)):
            yield word
    for name, moment in _last_heard(host, world):
        if moment is not None and now.since(moment) < SILENT_FOR:
            yield f"its {name} {seconds(now.since(moment))} ago"
    if word := _power(world.power.get(host), now, is_fenced=host in world.fenced):
        yield word
    if not _hears_another(host, world, now):
        yield "the prober reaches no other host now: the silence may be its own"


def _last_heard(host: HostName, world: World) -> Iterator[tuple[str, Instant | None]]:
    """Return what else may tell that the host lives, and when it last did."""
    heartbeat, agents = world.services.get(host), world.agents.get(host)
    yield "heartbeat moved", heartbeat.advanced_at if heartbeat else None
    yield "Neutron agents reported", agents.advanced_at if agents else None
    sample = world.samples.get(host)
    yield "sample in Prometheus was taken", sample.alive_at if sample else None


def _heard(name: str, track: ProbeTrack | None, now: Instant) -> str | None:
    if track is None or now.since(track.asked_at) > PROBE_MAX_AGE:
        return f"its {name} is not being asked now: nobody would hear it"
    if track.kernel_at is not None and now.since(track.kernel_at) < SILENT_FOR:
        return f"its {name} answered {seconds(now.since(track.kernel_at))} ago"
    if track.silent_since is None:
        return f"its {name} cannot be asked from here now: nobody would hear it"
    if now.since(track.silent_since) < SILENT_FOR:
        return f"its {name} is silent for {seconds(now.since(track.silent_since))} only"
    return None


def _power(track: PowerTrack | None, now: Instant, *, is_fenced: bool) -> str | None:
    """Return what its power device says against its death; one that cannot be read says nothing."""
    if not is_fenced:
        return None
    if track is None or now.since(track.newest.at) > PROOF_MAX_AGE:
        return "its power device was not asked in the last 10 s"
    if track.newest.power is Power.ON:
        return "its power reads on"
    return None


def _hears_another(host: HostName, world: World, now: Instant) -> bool:
    return any(
        other != host
        and track.kernel_at is not None
        and now.since(track.kernel_at) <= POSITIVE_CONTROL_MAX_AGE
        for other, track in world.probes.items()
    )
