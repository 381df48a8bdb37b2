"""The judgement of a host: independent kinds of evidence, one verdict, and its reasons.

Fate groups have one vote each: the management network (our probes), the control plane (Nova's
heartbeats), and power (the BMC). A witness that never answered is *don't know*, not *silent*.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from koboshi.domain.cloud import Power
from koboshi.domain.control_plane import Control, control_of, control_plane_stalled
from koboshi.domain.evidence import beats_while_off, off_proven_at
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.names import HostName, NetworkName
from koboshi.domain.networks import Network, Reach, network_of, reach_of_all
from koboshi.domain.rules import PROOF_MAX_AGE, Rules
from koboshi.domain.state import State
from koboshi.domain.testimony import External, Testimony
from koboshi.domain.world import World


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one host, with the words of each witness."""

    host: HostName
    verdict: Verdict
    network: Network
    """The management network's word."""
    control: Control
    power: Power
    reasons: tuple[str, ...]
    """Each witness's word, in sentences."""
    further: Mapping[NetworkName, Network] = field(default_factory=dict[NetworkName, Network])
    """The words of the further networks."""
    external: External = External.DONT_KNOW
    testimony: tuple[Testimony, ...] = ()
    """Each witness's word with its age and group."""
    rule: str = ""
    """The rule that made the verdict, in one sentence."""
    would_change: str = ""
    """What would change it, in one sentence."""


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
