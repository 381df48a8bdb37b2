"""The judgement of a host: independent kinds of evidence, one verdict, and its reasons.

Fate groups have one vote each: the management network (our probes), the control plane (Nova's
heartbeats), and power (the BMC). A witness that never answered is *don't know*, not *silent*.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.evidence import beats_while_off, distrusting, off_proven_at
from koboshi.domain.judging.hearing import hear
from koboshi.domain.judging.networks import Network, Reach, neighbours_of, reach_of_all
from koboshi.domain.judging.rebooted import is_down_inside, sentence_of
from koboshi.domain.judging.ruling import (
    DOWN_INSIDE,
    FOUND_DOWN,
    SERVICE_FAILED,
    UNREACHED,
    VERDICT_MEANING,
    WORSE_THAN_UP,
    Verdict,
    confirmed_by,
    first_ruling,
)
from koboshi.domain.judging.testimony import External, Testimony
from koboshi.domain.memory.state import State
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName
from koboshi.domain.restraint.brownout import Brownouts
from koboshi.domain.rules import Rules

__all__ = [
    "VERDICT_MEANING",
    "WORSE_THAN_UP",
    "Control",
    "Judge",
    "Judgement",
    "Network",
    "Verdict",
    "judge",
    "judge_all",
    "seconds",
]


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


def judge(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    *,
    stall: Callable[[], str | None],
    reach: Callable[[NetworkName], Reach],
) -> Judgement:
    """Return the verdict on `host` with every witness's word. Pure: the same picture, the same word.

    `stall` tells why no late heartbeat can be trusted, and `reach` a prober's reach, when asked.
    """
    heard = hear(host, world, state, rules, now, stall=stall, reach=reach)
    words = [heard.network_sentence, heard.control.sentence, heard.power_sentence]
    if heard.alive_elsewhere:
        words.append(heard.alive_elsewhere)
    if heard.crash is not None:
        words.append(heard.crash.sentence)
    ruling = first_ruling(heard)
    if ruling is SERVICE_FAILED and is_down_inside(host, world, state, now):
        ruling = DOWN_INSIDE
        words.insert(0, sentence_of(host, world, now))
    if host in state.found_down and ruling.verdict is not Verdict.UP:
        ruling = FOUND_DOWN
    if ruling.verdict is Verdict.SUSPECT and heard.network in {Network.SILENT, Network.QUIET}:
        # With the power proven off, the control plane's silence is not needed.
        off = is_plainly_off(host, world, state, heard.power)
        confirming = confirmed_by(heard, off=off)
        if heard.network is Network.SILENT or confirming is not None:
            reached, sentence = reach(MANAGEMENT).without(host, neighbours_of(host, world, state))
            words.append(sentence)
            ruling = (confirming or ruling) if reached else UNREACHED
    return Judgement(
        host=host,
        verdict=ruling.verdict,
        network=heard.network,
        control=heard.control.control,
        power=heard.power,
        reasons=tuple(words),
        further=heard.further,
        external=heard.external,
        testimony=heard.testimony,
        rule=ruling.rule,
        would_change=ruling.would_change,
    )


def is_plainly_off(host: HostName, world: World, state: State, power: Power) -> bool:
    """Return whether the power device's *off* may be believed without the control plane's silence."""
    track = world.power.get(host)
    if track is not None:
        track = distrusting(track, state.devices.distrusted(host))
    return (
        power is Power.OFF
        and off_proven_at(track) is not None
        and not beats_while_off(world.services.get(host), track)
    )


class Judge:
    """Judges hosts of one picture; what they have in common is found once, and only when needed."""

    def __init__(
        self,
        world: World,
        state: State,
        rules: Rules,
        now: Instant,
        brownouts: Brownouts | None = None,
    ) -> None:
        self._picture = (world, state, rules, now)
        self._reaches: dict[NetworkName, Reach] = {}
        self._brownouts = brownouts or Brownouts(world, state, rules, now)

    def _reach(self, network: NetworkName) -> Reach:
        found = self._reaches.get(network)
        if found is None:
            world, state, _rules, now = self._picture
            found = self._reaches[network] = reach_of_all(world, state, now, network)
        return found

    def of(self, host: HostName) -> Judgement:
        """Return the judgement of one host that Nova lists."""
        return judge(
            host,
            *self._picture,
            stall=lambda: self._brownouts.of(cell_of(host, self._picture[0])),
            reach=self._reach,
        )


def judge_all(world: World, state: State, rules: Rules, now: Instant) -> dict[HostName, Judgement]:
    """Return the judgement of every host that Nova lists."""
    judge_one = Judge(world, state, rules, now)
    return {host: judge_one.of(host) for host in sorted(world.services)}
