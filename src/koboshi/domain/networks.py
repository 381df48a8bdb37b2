"""What one network says of a host: our own prober, trusted only where it was answered for long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.instant import Instant, seconds
from koboshi.domain.names import HostName
from koboshi.domain.ownership import disabled_by_operator
from koboshi.domain.rules import POSITIVE_CONTROL_MAX_AGE, Rules
from koboshi.domain.state import State
from koboshi.domain.world import World

PROBE_MAX_AGE = timedelta(seconds=3)
TRUST_LASTS = timedelta(hours=24)
FEW_HOSTS = 6
CONTROL_SHARE = 0.8


class Network(StrEnum):
    """What the management network says of a host."""

    USERLAND = "userland"
    KERNEL = "kernel"
    QUIET = "quiet"
    SILENT = "silent"
    DONT_KNOW = "dont_know"


def is_trusted(host: HostName, world: World, state: State, rules: Rules, now: Instant) -> bool:
    """Return whether the prober has reached the host for long enough for its silence to count."""
    track = world.probes.get(host)
    if track is not None and track.answering_since is not None and track.kernel_at is not None:
        # Up to the last answer: packets may be lost in between, but silence at the end is no success.
        return track.kernel_at.since(track.answering_since) >= rules.probe_warm_up
    trust = state.trusted.get(host)
    return (
        trust is not None
        and track is not None
        and trust.target == track.target
        and now.since(trust.at) <= TRUST_LASTS
    )


def network_of(
    host: HostName, world: World, state: State, rules: Rules, now: Instant
) -> tuple[Network, str]:
    """Return the management network's word on `host`, and the sentence for it."""
    track = world.probes.get(host)
    if track is None or now.since(track.asked_at) > PROBE_MAX_AGE:
        return Network.DONT_KNOW, "it is not being probed"
    if track.userland_at is not None and now.since(track.userland_at) < rules.silence:
        ago = now.since(track.userland_at)
        if track.silent_since is not None:
            return Network.QUIET, f"its management address answered last {seconds(ago)} ago"
        return Network.USERLAND, "its management address answers"
    if track.kernel_at is not None and now.since(track.kernel_at) < rules.silence:
        return Network.KERNEL, "its kernel answers, no program does"
    if track.silent_since is None:
        return Network.DONT_KNOW, "our own prober is in trouble"
    silence = now.since(track.silent_since)
    if not is_trusted(host, world, state, rules, now):
        return Network.DONT_KNOW, (
            f"its management address is silent, but was not reached for {seconds(rules.probe_warm_up)}"
            " before: its silence does not count"
        )
    if silence < rules.silence:
        return Network.QUIET, f"its management address is silent for {seconds(silence)}"
    return Network.SILENT, f"its management address is silent for {seconds(silence)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom the prober asked of those that are expected to answer, and who answered just now."""

    asked: frozenset[HostName]
    answered: frozenset[HostName]

    def without(self, host: HostName) -> tuple[bool, str]:
        """Return whether enough of the others than `host` are reached, and the sentence for it."""
        asked = len(self.asked) - (host in self.asked)
        answered = len(self.answered) - (host in self.answered)
        word = f"the same prober reaches {answered} of {asked} other hosts"
        if not asked:
            return False, "there is no other host by which the prober could be checked"
        if asked < FEW_HOSTS:
            return answered >= max(1, asked - 1), word
        return answered >= CONTROL_SHARE * asked, word


def reach_of(hosts: Iterable[HostName], world: World, now: Instant) -> Reach:
    """Return how far the prober reaches `hosts` at this moment."""
    asked = frozenset(h for h in hosts if h in world.probes)
    return Reach(
        asked=asked,
        answered=frozenset(
            h
            for h in asked
            if (at := world.probes[h].kernel_at) is not None
            and now.since(at) <= POSITIVE_CONTROL_MAX_AGE
        ),
    )


def reach_of_all(world: World, state: State, now: Instant) -> Reach:
    """Return how far the prober reaches all hosts of which nobody knows why they would not answer."""
    isolated = {i.host for i in state.open_incidents() if i.isolation is not None}
    off = isolated | state.found_down
    expected = (h for h in world.services if h not in off and not disabled_by_operator(h, world))
    return reach_of(expected, world, now)
