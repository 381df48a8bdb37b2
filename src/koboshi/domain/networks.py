"""What one network says of a host: our own prober, trusted only where it was answered for long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.evidence import ProbeTrack
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName
from koboshi.domain.ownership import disabled_by_operator
from koboshi.domain.rules import POSITIVE_CONTROL_MAX_AGE, Rules
from koboshi.domain.state import State, Trust
from koboshi.domain.world import World

PROBE_MAX_AGE = timedelta(seconds=3)
TRUST_LASTS = timedelta(hours=24)
FEW_HOSTS = 6
CONTROL_SHARE = 0.8


class Network(StrEnum):
    """What one network says of a host."""

    USERLAND = "userland"
    """A program answers."""
    KERNEL = "kernel"
    """The kernel answers, no program does."""
    QUIET = "quiet"
    """It answered just now, and does not at this moment."""
    SILENT = "silent"
    """It does not answer, and did so for long before."""
    DONT_KNOW = "dont_know"


ANSWERED = frozenset({Network.USERLAND, Network.KERNEL, Network.QUIET})
"""Words of a host that was heard on a network within the time that a silence needs."""


def track_of(host: HostName, world: World, network: NetworkName) -> ProbeTrack | None:
    """Return what the prober found of the host on this network."""
    return (world.probes if network == MANAGEMENT else world.further.get(network, {})).get(host)


def trust_of(host: HostName, state: State, network: NetworkName) -> Trust | None:
    """Return what is remembered of the prober's reach."""
    if network == MANAGEMENT:
        return state.trusted.get(host)
    return state.trusted_further.get((host, network))


def is_trusted(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    network: NetworkName = MANAGEMENT,
) -> bool:
    """Return whether the prober has reached the host for long enough for its silence to count."""
    return _is_trusted(track_of(host, world, network), trust_of(host, state, network), rules, now)


def _is_trusted(track: ProbeTrack | None, trust: Trust | None, rules: Rules, now: Instant) -> bool:
    if track is not None and track.answering_since is not None and track.kernel_at is not None:
        # Up to the last answer: packets may be lost in between, but silence at the end is no success.
        return track.kernel_at.since(track.answering_since) >= rules.probe_warm_up
    return (
        trust is not None
        and track is not None
        and trust.target == track.target
        and now.since(trust.at) <= TRUST_LASTS
    )


def network_of(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    network: NetworkName = MANAGEMENT,
) -> tuple[Network, str]:
    """Return a network's word on `host`, and the sentence for it."""
    track = track_of(host, world, network)
    its = "its management address" if network == MANAGEMENT else f"its address in {network}"
    if track is None or now.since(track.asked_at) > PROBE_MAX_AGE:
        return Network.DONT_KNOW, "it is not being probed" + _in(network)
    if track.kernel_at is not None and now.since(track.kernel_at) < rules.silence:
        if track.silent_since is not None:
            return Network.QUIET, f"{its} answered last {seconds(now.since(track.kernel_at))} ago"
        if track.userland_at is not None and now.since(track.userland_at) < rules.silence:
            return Network.USERLAND, f"{its} answers"
        return Network.KERNEL, "its kernel answers, no program does" + _in(network)
    if track.silent_since is None:
        return Network.DONT_KNOW, "our own prober is in trouble" + _in(network)
    silence = now.since(track.silent_since)
    if not _is_trusted(track, trust_of(host, state, network), rules, now):
        return Network.DONT_KNOW, (
            f"{its} is silent, but was not reached for {seconds(rules.probe_warm_up)} before: its "
            "silence does not count"
        )
    if silence < rules.silence:
        return Network.QUIET, f"{its} is silent for {seconds(silence)}"
    return Network.SILENT, f"{its} is silent for {seconds(silence)}"


def _in(network: NetworkName) -> str:
    return "" if network == MANAGEMENT else f" in {network}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom the prober asked of those that are expected to answer, and who answered just now."""

    asked: frozenset[HostName]
    answered: frozenset[HostName]

    def without(
        self, host: HostName, with_it: frozenset[HostName] = frozenset()
    ) -> tuple[bool, str]:
        """Return whether enough of the others than `host` are reached, and the sentence for it.

        Hosts that fail together `with_it` are no measure of the prober: their switch is not its own.
        """
        apart = with_it | {host}
        asked = len(self.asked) - len(self.asked & apart)
        answered = len(self.answered) - len(self.answered & apart)
        word = f"the same prober reaches {answered} of {asked} other hosts"
        if not asked:
            return False, "there is no other host by which the prober could be checked"
        if asked < FEW_HOSTS:
            return answered >= max(1, asked - 1), word
        return answered >= CONTROL_SHARE * asked, word


def reach_of(
    hosts: Iterable[HostName], world: World, now: Instant, network: NetworkName = MANAGEMENT
) -> Reach:
    """Return how far the prober reaches `hosts` on a network at this moment."""
    probes = world.probes if network == MANAGEMENT else world.further.get(network, {})
    asked = frozenset(h for h in hosts if h in probes)
    return Reach(
        asked=asked,
        answered=frozenset(
            h
            for h in asked
            if (at := probes[h].kernel_at) is not None and now.since(at) <= POSITIVE_CONTROL_MAX_AGE
        ),
    )


def reach_of_all(
    world: World, state: State, now: Instant, network: NetworkName = MANAGEMENT
) -> Reach:
    """Return how far the prober reaches all hosts of which nobody knows why they would not answer."""
    isolated = {i.host for i in state.open_incidents() if i.isolation is not None}
    off = isolated | state.found_down
    expected = (h for h in world.services if h not in off and not disabled_by_operator(h, world))
    return reach_of(expected, world, now, network)


LEAST_DOMAINS = 3
DOMAIN_SHARE = 3
"""A domain may be left out of a comparison when it is at most one in so many of the hosts."""


def neighbours_of(host: HostName, world: World) -> frozenset[HostName]:
    """Return the hosts that fail together with `host` by declaration; none where too few remain."""
    if len(world.domains) < LEAST_DOMAINS:
        return frozenset()
    largest = len(world.services) / DOMAIN_SHARE
    found = (d for d in world.domains.values() if host in d and len(d) <= largest)
    return max(found, key=len, default=frozenset[HostName]())
