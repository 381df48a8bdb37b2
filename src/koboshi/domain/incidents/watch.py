"""Hosts without an incident: whom to trust, what to notice, and when an incident opens."""

from collections.abc import Iterator
from itertools import chain, islice

from koboshi.domain.decision import Decision, Picture
from koboshi.domain.forecasting.outlook import room_notices
from koboshi.domain.forecasting.time_bombs import bomb_notices
from koboshi.domain.incidents.noticing import notices
from koboshi.domain.incidents.opening import opens_incident
from koboshi.domain.incidents.reminding import reminders
from koboshi.domain.judging.calm import TRUST_RENEWED_AFTER
from koboshi.domain.judging.networks import is_trusted, track_of, trust_of
from koboshi.domain.judging.quarantine import watch_devices
from koboshi.domain.judging.verdict import Control, Judgement, Network, Verdict
from koboshi.domain.memory.events import (
    Event,
    HostFoundDown,
    HostSeenUp,
    IncidentOpened,
    WitnessTrusted,
)
from koboshi.domain.names import MANAGEMENT, HostName

EVENTS_AT_ONCE = 500
"""So many are remembered in one decision; what is left follows with the next one, at once."""


def watch_hosts(picture: Picture) -> Decision:
    """Return what there is to remember of every host that Nova lists; of a calm one there is nothing."""
    watched = (
        event for host in picture.restless for event in _watch(picture, picture.judgements[host])
    )
    events = chain(
        bomb_notices(picture.world, picture.state),
        room_notices(picture.world.outlook, picture.state),
        watched,
    )
    return Decision(events=tuple(islice(events, EVENTS_AT_ONCE)))


def _watch(picture: Picture, judgement: Judgement) -> Iterator[Event]:
    host = judgement.host
    if host not in picture.world.protected:
        return
    yield from _trust(picture, host)
    yield from _found_down(picture, judgement)
    yield from watch_devices(picture, host)
    yield from notices(picture, judgement)
    yield from reminders(picture, host)
    if opens_incident(picture, judgement):
        yield IncidentOpened(
            incident=picture.new_incident_id(host), host=host, evidence=judgement.reasons
        )


def _trust(picture: Picture, host: HostName) -> Iterator[Event]:
    """Remember which probers have reached the host for long, and once more now and again."""
    world, state, now = picture.world, picture.state, picture.now
    for network in (MANAGEMENT, *world.further):
        track = track_of(host, world, network)
        if track is None or track.answering_since is None:
            continue
        if not is_trusted(host, world, state, picture.rules, now, network):
            continue
        last = trust_of(host, state, network)
        if last is None or last.target != track.target or now.since(last.at) > TRUST_RENEWED_AFTER:
            yield WitnessTrusted(host=host, target=track.target, network=network)


def _never_seen_alive(picture: Picture, host: HostName) -> bool:
    world, state = picture.world, picture.state
    if any(trust_of(host, state, network) for network in (MANAGEMENT, *world.further)):
        return False
    tracks = (track_of(host, world, network) for network in (MANAGEMENT, *world.further))
    if any(track is not None and track.kernel_at is not None for track in tracks):
        return False
    agents, sample = world.agents.get(host), world.samples.get(host)
    return (
        world.services[host].advanced_at is None
        and (agents is None or agents.advanced_at is None)
        and (sample is None or sample.alive_at is None)
    )


def _found_down(picture: Picture, judgement: Judgement) -> Iterator[Event]:
    """List a host that this journal never saw alive: it was down before us."""
    host = judgement.host
    if host in picture.state.found_down:
        if judgement.verdict is Verdict.UP and judgement.network in {
            Network.USERLAND,
            Network.KERNEL,
        }:
            yield HostSeenUp(host=host)
    elif (
        judgement.control is Control.LATE
        and _never_seen_alive(picture, host)
        and picture.state.open_incident(host) is None
    ):
        yield HostFoundDown(host=host)
