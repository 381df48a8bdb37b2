"""What the control plane says of a host: Nova's heartbeats and the reports of Neutron's agents.

Both go over the message bus and a database, so they have one vote together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, same, seconds
from koboshi.domain.judging.evidence import Heartbeat
from koboshi.domain.judging.hearsay import AgentTrack
from koboshi.domain.names import HostName
from koboshi.domain.rules import Rules


class Control(StrEnum):
    """What the control plane says of a host."""

    FRESH = "fresh"
    LATE = "late"
    DONT_KNOW = "dont_know"


def patience_with(track: Heartbeat, rules: Rules) -> timedelta:
    """Return how long a first heartbeat is waited for."""
    interval = track.interval or timedelta(seconds=10)
    return max(rules.new_evidence, interval + rules.heartbeat_margin)


def is_late(track: Heartbeat, counted: Instant, rules: Rules, now: Instant) -> bool | None:
    """Return whether the next heartbeat is overdue; None when that cannot be known yet.

    Silence from before `counted` is no lateness. A service of which no heartbeat was seen since then
    is late once we have looked for long enough that one should have come.
    """
    if track.advanced_at is None:
        return True if now.since(counted) > patience_with(track, rules) else None
    if advances(track, rules):
        return None if track.interval is None else False
    return True if track.asked_at.since(counted) > _pause_of(track, rules) else None


def advances(track: Heartbeat, rules: Rules) -> bool:
    """Return whether a heartbeat was seen since one should have come.

    Only a question that was asked late enough can have missed one, however slow Nova is.
    """
    if track.advanced_at is None:
        return False
    return track.asked_at.since(track.advanced_at) <= _pause_of(track, rules)


def is_overdue_unasked(track: Heartbeat, rules: Rules, now: Instant) -> bool:
    """Return whether the next read can show that a heartbeat was missed, and no read could before."""
    if track.advanced_at is None or not advances(track, rules):
        return False
    return now.since(track.advanced_at) > _pause_of(track, rules)


def _pause_of(track: Heartbeat, rules: Rules) -> timedelta:
    if track.interval is None:
        return rules.new_evidence
    return track.interval + rules.heartbeat_margin


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlWord:
    """What the control plane says of one host: its two witnesses, and their one vote."""

    control: Control
    sentence: str
    nova: Control
    """Nova's heartbeat alone: the host may live without its nova-compute."""
    nova_sentence: str
    agents: Control
    agents_sentence: str


def control_of(
    host: HostName,
    world: World,
    rules: Rules,
    now: Instant,
    stall: Callable[[], str | None],
    counted: Instant,
) -> ControlWord:
    """Return the control plane's word on `host`: fresh where either of its witnesses is heard.

    `stall` tells why no late heartbeat can be trusted, should it be asked; silence counts from `counted`.
    """
    nova, nova_sentence = _nova_of(host, world, rules, now, stall, counted)
    agents, agents_sentence = _agents_of(host, world, rules, now, stall)
    control, sentence = nova, nova_sentence
    if nova is not Control.FRESH and _outlived(host, world):
        # The agent was heard after Nova had missed a heartbeat: from then on its own pace counts.
        control = agents
        sentence = f"{nova_sentence}; {agents_sentence}"
        if agents is Control.LATE and nova is Control.DONT_KNOW:
            control = Control.DONT_KNOW
    return ControlWord(
        control=control,
        sentence=sentence,
        nova=nova,
        nova_sentence=nova_sentence,
        agents=agents,
        agents_sentence=agents_sentence,
    )


def _nova_of(
    host: HostName,
    world: World,
    rules: Rules,
    now: Instant,
    stall: Callable[[], str | None],
    counted: Instant,
) -> tuple[Control, str]:
    track = world.services.get(host)
    if track is None or world.services_read_at is None:
        return Control.DONT_KNOW, "Nova lists no compute service of it"
    if not same(track.read_at, world.services_read_at):
        return Control.DONT_KNOW, "its compute service vanished from Nova's list"
    if track.service.up is None:
        return Control.DONT_KNOW, "Nova says UNKNOWN: its cell does not answer"
    if now.since(world.services_read_at) > rules.new_evidence:
        return Control.DONT_KNOW, "compute services could not be read"
    late = is_late(track, counted, rules, now)
    if late is None:
        return Control.DONT_KNOW, "its heartbeats have not been watched for long enough"
    age = seconds(now.since(track.advanced_at or world.began_at))
    if not late:
        return Control.FRESH, f"its last heartbeat was seen {age} ago"
    if why := stall():
        return Control.DONT_KNOW, f"its heartbeat is late, but {why}"
    return Control.LATE, f"no heartbeat was seen for {age}"


def is_agent_late(track: AgentTrack, rules: Rules) -> bool | None:
    """Return whether the agents' next report is overdue; None when that cannot be known yet."""
    if track.advanced_at is None:
        return None
    unheard = track.asked_at.since(track.advanced_at)
    if track.interval is None:
        return True if unheard > rules.new_evidence else None
    return unheard > track.interval + rules.heartbeat_margin


def agents_fresh_until(track: AgentTrack, rules: Rules) -> timedelta | None:
    """Return until when by our boot clock the agents are taken for alive; None if they never spoke."""
    at = track.advanced_at
    if at is None:
        return None
    return at.boot + (track.interval or rules.new_evidence) + rules.heartbeat_margin


def _agents_of(
    host: HostName, world: World, rules: Rules, now: Instant, stall: Callable[[], str | None]
) -> tuple[Control, str]:
    track = world.agents.get(host)
    if track is None or not track.beats:
        return Control.DONT_KNOW, "no agent of Neutron's is known there"
    if track.advanced_at is None:
        return Control.DONT_KNOW, "no report of its Neutron agents was seen yet"
    age = seconds(now.since(track.advanced_at))
    if not same(track.read_at, world.agents_read_at):
        return Control.DONT_KNOW, "its Neutron agents vanished from Neutron's list"
    if is_agent_late(track, rules):
        if why := stall():
            return Control.DONT_KNOW, f"its Neutron agents are late, but {why}"
        if not track.is_complete:
            return Control.DONT_KNOW, "one of its Neutron agents vanished from Neutron's list"
        return Control.LATE, f"no report of its Neutron agents was seen for {age}"
    until = agents_fresh_until(track, rules)
    if until is None or now.boot >= until:
        return Control.DONT_KNOW, f"its Neutron agents were not asked for since {age}"
    return Control.FRESH, f"the last report of a Neutron agent was seen {age} ago"


def _outlived(host: HostName, world: World) -> bool:
    """Return whether an agent was heard when Nova's next heartbeat was overdue already.

    Agents report every 30 s, so that a host which has just died would count as alive for longer
    than Nova's own heartbeat allows. An agent's word that is older than Nova's silence adds nothing.
    """
    agents, nova = world.agents.get(host), world.services.get(host)
    heard_at = agents.advanced_at if agents else None
    if heard_at is None:
        return False
    if nova is None or nova.advanced_at is None:
        return True
    interval = nova.interval or timedelta(seconds=10)
    return heard_at.is_after(nova.advanced_at.later(interval))
