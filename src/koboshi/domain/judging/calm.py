"""Which hosts can be left alone, and until when: ten thousand are not judged five times a second.

A host is calm when no witness is silent or speaks against it (one may be new, and not know yet) and
nothing about it is remembered or to be told. Then no other judgement can follow, and nothing can
come of it, before one of its facts changes or a moment that is known beforehand is reached. Whatever
is in the least odd is not calm.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from koboshi.domain.facts.cells import counted_from
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.world import World
from koboshi.domain.forecasting.time_bombs import is_of_a_bomb
from koboshi.domain.instant import Instant, same
from koboshi.domain.judging.control_plane import (
    Control,
    advances,
    agents_fresh_until,
    control_of,
    is_late,
    patience_with,
)
from koboshi.domain.judging.evidence import PowerTrack, ProbeTrack
from koboshi.domain.judging.hearing import crash_of, external_of
from koboshi.domain.judging.identification import is_to_be_remembered
from koboshi.domain.judging.networks import PROBE_MAX_AGE, Network, track_of, trust_of
from koboshi.domain.judging.testimony import External
from koboshi.domain.memory.state import State, Trust
from koboshi.domain.names import MANAGEMENT, HostName
from koboshi.domain.rules import PROOF_MAX_AGE, Rules

TRUST_RENEWED_AFTER = timedelta(hours=12)
UNREADABLE_READS = 3
"""So many readings in a row without a clear answer are told."""
NO_FENCING = "no_fencing"
BMC_UNREADABLE = "bmc_unreadable"
NO_ROOM = "no_room"
_FOR_EVER = timedelta.max


class Calm(NamedTuple):
    """What the witnesses say of a calm host, and until when by our boot clock."""

    until: timedelta
    network: Network
    control: Control
    power: Power
    nova: Control
    """Nova's own word; where it does not know, the agents speak for the control plane."""
    further: tuple[Network, ...]
    external: External

    def says_the_same(self, other: "Calm") -> bool:
        """Return whether every witness says what it said in `other`."""
        return self[1:] == other[1:]


def never_calm(world: World, state: State) -> frozenset[HostName]:
    """Return the hosts with a past that must be looked at each time."""
    records = world.evacuations.records if world.evacuations else ()
    return (
        state.found_down
        | {i.host for i in state.open_incidents()}
        | {host for host, _device in state.devices.quarantined}
        | world.mistaken.keys()
        | {r.source for r in records if r.source is not None and r.is_open}
    )


def topics_by_host(state: State) -> Mapping[HostName, frozenset[str]]:
    """Return what is noticed of each host now, but for what its own records say."""
    topics: dict[HostName, frozenset[str]] = {}
    for host, topic in state.notices:
        if is_of_a_bomb(topic) or topic == NO_ROOM:  # told and cleared for all hosts together
            continue
        topics[host] = topics.get(host, frozenset()) | {topic}
    return topics


def calm(
    host: HostName, world: World, state: State, rules: Rules, now: Instant, topics: Iterable[str]
) -> Calm | None:
    """Return until when `host`, which has no past, is calm; None when it is not.

    `topics` are those that are noticed of it.
    """
    if host in world.kdumps and crash_of(host, world, now) is not None:
        return None
    if is_to_be_remembered(host, world):
        return None
    reported = _control(host, world, rules, now, counted_from(host, world, state))
    asked = _networks(host, world, state, rules, now)
    powered = _power(world.power.get(host), now)
    if reported is None or asked is None or powered is None:
        return None
    expected = {NO_FENCING} if host not in world.fenced and host in world.protected else set[str]()
    if is_unreadable(world.power.get(host)):
        expected.add(BMC_UNREADABLE)
    if expected.symmetric_difference(topics):
        return None
    external = external_of(host, world, rules, now)
    sampled_until = _FOR_EVER
    sample = world.samples.get(host)
    if external is External.ALIVE and sample is not None and sample.alive_at is not None:
        sampled_until = sample.alive_at.boot + rules.sample_max_age
    until = min(reported[0], asked[0], powered[0], sampled_until)
    if until <= now.boot:
        return None
    network, *further = asked[1]
    return Calm(
        until=until,
        network=network,
        control=reported[2],
        power=powered[1],
        nova=reported[1],
        further=tuple(further),
        external=external,
    )


def _control(
    host: HostName, world: World, rules: Rules, now: Instant, counted: Instant
) -> tuple[timedelta, Control, Control] | None:
    """Return Nova's word and the control plane's, and until when they say so; None when late."""
    track, read_at = world.services[host], world.services_read_at
    if not same(track.read_at, read_at) or read_at is None or track.service.up is None:
        return None
    late = is_late(track, counted, rules, now)
    if late or (late is None and track.advanced_at is not None and not advances(track, rules)):
        return None
    unread = now.since(read_at) > rules.new_evidence
    if late is False and not unread:
        return read_at.boot + rules.new_evidence, Control.FRESH, Control.FRESH
    until = _FOR_EVER
    if track.advanced_at is None:  # a heartbeat that never comes is late at a known moment
        until = counted.boot + patience_with(track, rules)
    if not unread:
        until = min(until, read_at.boot + rules.new_evidence)
    word = control_of(host, world, rules, now, lambda: None, counted)
    agents = world.agents.get(host)
    spoken_until = agents_fresh_until(agents, rules) if agents else None
    if word.control is Control.FRESH and spoken_until is not None:
        until = min(until, spoken_until)
    return until, word.nova, word.control


def _networks(
    host: HostName, world: World, state: State, rules: Rules, now: Instant
) -> tuple[timedelta, list[Network]] | None:
    """Return what is heard on each network, the management network first, and until when."""
    until, words = _FOR_EVER, list[Network]()
    for name in (MANAGEMENT, *world.further):
        track, trust = track_of(host, world, name), trust_of(host, state, name)
        found = _network(track, trust, rules, now)
        if found is None:
            return None
        until = min(until, found[0], _trust(track, trust, rules, now))
        words.append(found[1])
    return until, words


def is_unreadable(track: PowerTrack | None) -> bool:
    """Return whether the power was asked for several times in a row without a clear answer."""
    if track is None or len(track.readings) < UNREADABLE_READS:
        return False
    return all(r.power is Power.UNKNOWN for r in track.readings[-UNREADABLE_READS:])


def _network(
    track: ProbeTrack | None, trust: Trust | None, rules: Rules, now: Instant
) -> tuple[timedelta, Network] | None:
    """Return what the prober says, and until when it says so without a new answer."""
    if track is None:
        return _FOR_EVER, Network.DONT_KNOW
    asked_until = track.asked_at.boot + PROBE_MAX_AGE
    if track.kernel_at is None and trust is None:  # nobody ever heard of it there
        return _FOR_EVER, Network.DONT_KNOW
    if track.silent_since is not None:
        return None
    if track.userland_at is not None and now.since(track.userland_at) < rules.silence:
        return min(asked_until, track.userland_at.boot + rules.silence), Network.USERLAND
    if track.kernel_at is not None and now.since(track.kernel_at) < rules.silence:
        return min(asked_until, track.kernel_at.boot + rules.silence), Network.KERNEL
    return None


def _power(track: PowerTrack | None, now: Instant) -> tuple[timedelta, Power] | None:
    """Return what the power device says, and until when; None when it ever read off lately."""
    if track is None:
        return _FOR_EVER, Power.UNKNOWN
    newest = track.newest
    if any(r.power is Power.OFF for r in track.readings):
        return (
            None  # read on by now or not: an *off* that an answer followed is no device's to forget
        )
    if newest.power is Power.UNKNOWN:
        return _FOR_EVER, Power.UNKNOWN
    if now.since(newest.at) > PROOF_MAX_AGE:
        return _FOR_EVER, Power.UNKNOWN
    return newest.at.boot + PROOF_MAX_AGE, Power.ON


def _trust(track: ProbeTrack | None, trust: Trust | None, rules: Rules, now: Instant) -> timedelta:
    """Return until when there is nothing to remember of a prober's reach; at once when there is."""
    if track is None or track.answering_since is None or track.kernel_at is None:
        return _FOR_EVER
    if trust is not None and trust.target == track.target:
        left = TRUST_RENEWED_AFTER - now.since(trust.at)
        return now.boot + max(left, timedelta())
    warm = track.kernel_at.since(track.answering_since) >= rules.probe_warm_up
    return timedelta() if warm else _FOR_EVER
