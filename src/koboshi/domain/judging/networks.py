"""What one network says of a host: our own prober, trusted only where it was answered for long."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from zlib import crc32

from koboshi.domain.facts.cells import counted_from
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, latest, seconds
from koboshi.domain.judging.evidence import ProbeTrack
from koboshi.domain.memory.state import State, Trust
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName
from koboshi.domain.rules import POSITIVE_CONTROL_MAX_AGE, Rules

PROBE_MAX_AGE = timedelta(seconds=3)
TRUST_LASTS = timedelta(hours=24)
FEW_HOSTS = 6
CONTROL_SHARE = 0.8
CONTROL_HOSTS = 20
"""The prober is checked by so many others at the most."""
MANY_HOSTS = 3 * CONTROL_HOSTS
"""Of more, some are drawn instead of looking at each."""
LEAST_DOMAINS = 3
"""Of fewer, one is too large a part of the cloud to be an exception in it."""
LARGEST_PART = 3
"""A domain is at most one of so many parts of its cell."""


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
    silence = now.since(latest(counted_from(host, world, state), track.silent_since))
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


class Reach:
    """The positive control: how many others the same prober reaches at this moment."""

    def __init__(
        self,
        world: World,
        now: Instant,
        is_expected: Callable[[HostName], bool],
        network: NetworkName = MANAGEMENT,
    ) -> None:
        """Take a picture's parts; `is_expected` tells who should answer, should it be asked."""
        self._probes = world.probes if network == MANAGEMENT else world.further.get(network, {})
        self._now = now
        self._is_expected = is_expected
        self._hosts = tuple(world.services)

    def without(self, host: HostName, apart: frozenset[HostName] = frozenset()) -> tuple[bool, str]:
        """Return whether enough of the others than `host` are reached, and the sentence for it.

        Hosts that fail together with it are no measure of the prober: their switch is not its own.
        """
        others = self._some_others(host, apart)
        asked = len(others)
        answered = sum(self._answered(h) for h in others)
        word = f"the same prober reaches {answered} of {asked} other hosts"
        if not asked:
            return False, "there is no other host by which the prober could be checked"
        if asked < FEW_HOSTS:
            return answered >= max(1, asked - 1), word
        return answered >= CONTROL_SHARE * asked, word

    def _some_others(self, host: HostName, apart: frozenset[HostName]) -> Sequence[HostName]:
        """Return up to CONTROL_HOSTS of the others at random: by a hash of host and minute.

        The same picture gives the same ones, and whoever stands together is not asked together.
        """

        def may_be_asked(other: HostName) -> bool:
            return (
                other != host
                and other not in apart
                and other in self._probes
                and self._is_expected(other)
            )

        if len(self._hosts) > MANY_HOSTS:
            minute = int(self._now.boot.total_seconds() // 60)
            drawn: dict[HostName, None] = {}
            for number in range(4 * CONTROL_HOSTS):
                ticket = crc32(f"{host} {minute} {number}".encode())
                other = self._hosts[ticket % len(self._hosts)]
                if may_be_asked(other):
                    drawn[other] = None
                if len(drawn) == CONTROL_HOSTS:
                    return tuple(drawn)
        everyone = [h for h in self._hosts if may_be_asked(h)]
        minute = int(self._now.boot.total_seconds() // 60)
        everyone.sort(key=lambda h: crc32(f"{host} {minute} {h}".encode()))
        return everyone[:CONTROL_HOSTS]

    def _answered(self, host: HostName) -> bool:
        at = self._probes[host].kernel_at
        return at is not None and self._now.since(at) <= POSITIVE_CONTROL_MAX_AGE


def reach_of_all(
    world: World, state: State, now: Instant, network: NetworkName = MANAGEMENT
) -> Reach:
    """Return how far the prober reaches all hosts of which nobody knows why they would not answer."""
    isolated = {i.host for i in state.open_incidents() if i.isolation is not None}
    off = isolated | state.found_down

    def is_expected(host: HostName) -> bool:
        return host not in off and not disabled_by_operator(host, world)

    return Reach(world, now, is_expected, network)


def neighbours_of(host: HostName, world: World, state: State) -> frozenset[HostName]:
    """Return the hosts that fail together with `host`: by a person's word, or by declaration.

    None by declaration where too few others remain.
    """
    together = [c.hosts for c in state.holds.confirmed.values() if host in c.hosts]
    if len(world.domains) >= LEAST_DOMAINS:
        largest = len(world.services) / LARGEST_PART
        found = (d for d in world.domains.values() if host in d and len(d) <= largest)
        together.append(max(found, key=len, default=frozenset[HostName]()))
    return frozenset[HostName]().union(*together)
