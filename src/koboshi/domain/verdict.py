"""The judgement of a host: independent kinds of evidence, one verdict, and its reasons.

Fate groups have one vote each: the management network (our probes), the control plane (Nova's
heartbeats), and power (the BMC). A witness that never answered is *don't know*, not *silent*.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from koboshi.domain.cloud import Power
from koboshi.domain.evidence import Heartbeat, beats_while_off, off_proven_at
from koboshi.domain.instant import Instant, same
from koboshi.domain.names import HostName
from koboshi.domain.ownership import disabled_by_operator
from koboshi.domain.rules import POSITIVE_CONTROL_MAX_AGE, PROOF_MAX_AGE, Rules
from koboshi.domain.state import State
from koboshi.domain.world import World

PROBE_MAX_AGE = timedelta(seconds=3)
TRUST_LASTS = timedelta(hours=24)
FEW_HOSTS = 6
CONTROL_SHARE = 0.8


class Verdict(StrEnum):
    """What is held of a host."""

    UP = "up"
    SUSPECT = "suspect"
    SERVICE_FAILED = "service_failed"
    HUNG = "hung"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    FOUND_DOWN = "found_down"


VERDICT_MEANING: dict[Verdict, str] = {
    Verdict.UP: "its userland answers, or its heartbeat is fresh",
    Verdict.SUSPECT: "a witness is silent, but the silence is not confirmed: it is looked at harder",
    Verdict.SERVICE_FAILED: "its heartbeat stopped, but the host answers: its servers run",
    Verdict.HUNG: "its kernel answers, its userland and its heartbeat do not",
    Verdict.UNREACHABLE: "silent on every path that counts, confirmed by a positive control",
    Verdict.UNKNOWN: "there is not enough evidence: nothing is concluded",
    Verdict.FOUND_DOWN: "it was down already at the very first start: it waits for a word",
}

WORSE_THAN_UP = frozenset(
    {Verdict.SUSPECT, Verdict.SERVICE_FAILED, Verdict.HUNG, Verdict.UNREACHABLE}
)


class Network(StrEnum):
    """What the management network says of a host."""

    USERLAND = "userland"
    KERNEL = "kernel"
    QUIET = "quiet"
    SILENT = "silent"
    DONT_KNOW = "dont_know"


class Control(StrEnum):
    """What the control plane says of a host."""

    FRESH = "fresh"
    LATE = "late"
    DONT_KNOW = "dont_know"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one host, with the words of each witness."""

    host: HostName
    verdict: Verdict
    network: Network
    control: Control
    power: Power
    reasons: tuple[str, ...]


def seconds(duration: timedelta) -> str:
    """Return a duration as a person reads it: `7 s`."""
    return f"{duration.total_seconds():.0f} s"


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


def _power_of(host: HostName, world: World, now: Instant) -> tuple[Power, str]:
    track = world.power.get(host)
    if track is None:
        return Power.UNKNOWN, "its power was not read yet"
    newest = track.newest
    age = now.since(newest.at)
    if newest.power is Power.UNKNOWN:
        return Power.UNKNOWN, f"its power cannot be read: {newest.detail or 'unclear answer'}"
    if age > PROOF_MAX_AGE:
        return Power.UNKNOWN, f"its power read {newest.power} {seconds(age)} ago"
    return newest.power, f"its power reads {newest.power}"


def judge(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    *,
    stall: str | None,
    reach: Callable[[], Reach],
) -> Judgement:
    """Return the verdict on `host` with every witness's word. Pure: the same picture, the same word.

    `stall` says why no heartbeat can be trusted; `reach` tells the prober's reach when it is asked.
    """
    control, control_word = control_of(host, world, rules, now, stall)
    network, network_word = network_of(host, world, state, rules, now)
    power, power_word = _power_of(host, world, now)
    words = [network_word, control_word, power_word]
    verdict = _verdict(network, control)
    if host in state.found_down and verdict is not Verdict.UP:
        verdict = Verdict.FOUND_DOWN
    if verdict is Verdict.SUSPECT and network is Network.SILENT:
        # With the power proven off, the control plane's silence is not needed.
        off = _is_plainly_off(host, world, state, power)
        reached, control_sentence = reach().without(host)
        words.append(control_sentence)
        if (control is Control.LATE or off) and reached:
            verdict = Verdict.UNREACHABLE
    return Judgement(
        host=host,
        verdict=verdict,
        network=network,
        control=control,
        power=power,
        reasons=tuple(words),
    )


def _is_plainly_off(host: HostName, world: World, state: State, power: Power) -> bool:
    """Return whether the power device's *off* may be believed without the control plane's silence."""
    track = world.power.get(host)
    return (
        power is Power.OFF
        and off_proven_at(track) is not None
        and (host, "bmc_contradicts") not in state.notices
        and not beats_while_off(world.services.get(host), track)
    )


def _verdict(network: Network, control: Control) -> Verdict:
    """Return the verdict of the two fate groups; `unreachable` needs more than this table."""
    match network, control:
        case Network.USERLAND, Control.LATE:
            return Verdict.SERVICE_FAILED
        case Network.USERLAND, _:
            return Verdict.UP
        case Network.KERNEL, Control.LATE:
            return Verdict.HUNG
        case ((Network.QUIET | Network.SILENT), _):
            return Verdict.SUSPECT
        case Network.DONT_KNOW, Control.LATE:
            return Verdict.SUSPECT
        case _, Control.FRESH:
            return Verdict.UP
        case _:
            return Verdict.UNKNOWN


class Judge:
    """Judges hosts of one picture; what they have in common is found once, and only when needed."""

    def __init__(self, world: World, state: State, rules: Rules, now: Instant) -> None:
        self._picture = (world, state, rules, now)

    @cached_property
    def _stall(self) -> str | None:
        world, _state, rules, now = self._picture
        return control_plane_stalled(world, rules, now)

    @cached_property
    def _reach(self) -> Reach:
        world, state, _rules, now = self._picture
        return reach_of_all(world, state, now)

    def of(self, host: HostName) -> Judgement:
        """Return the judgement of one host that Nova lists."""
        return judge(host, *self._picture, stall=self._stall, reach=lambda: self._reach)


def judge_all(world: World, state: State, rules: Rules, now: Instant) -> dict[HostName, Judgement]:
    """Return the judgement of every host that Nova lists."""
    judge_one = Judge(world, state, rules, now)
    return {host: judge_one.of(host) for host in sorted(world.services)}
