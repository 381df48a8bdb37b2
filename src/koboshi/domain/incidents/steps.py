"""What the steps of an incident have in common: the words for evidence, and how a step is told."""

from datetime import timedelta

from koboshi.domain.decision import Decision, Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.ownership import is_left_disabled, marker_of, others_hand
from koboshi.domain.incidents.incident import (
    BY_POWER,
    Incident,
    IncidentState,
    Proof,
    ProofKind,
    deadline_of,
)
from koboshi.domain.instant import Instant, latest
from koboshi.domain.judging.evidence import beats_while_off, distrusting
from koboshi.domain.judging.felled import felled_by_our_off
from koboshi.domain.judging.proof import (
    find_proof,
    heard_elsewhere,
    proof_by_kdump,
    proof_by_word,
    signs_of_life,
)
from koboshi.domain.judging.quarantine import has_trusted_device
from koboshi.domain.judging.silence import heard_since
from koboshi.domain.judging.verdict import Control, Judgement, Network, Verdict
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.events import Event, IncidentMoved, RecoveryMoved
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import (
    HOLDS_A_SLOT,
    ON_ITS_WAY,
    WAITING,
    Recovery,
    RecoveryState,
)
from koboshi.domain.restraint.arming import is_disarmed

ANSWERED_BEFORE_PROOF = timedelta(seconds=3)
"""Less than the time that the three readings of a proof take."""


def move(
    incident: Incident,
    to: IncidentState,
    reason: str,
    *events: Event,
    commands: tuple[Command, ...] = (),
) -> Decision:
    """Return the decision that `incident` goes on to `to`, after `events`."""
    moved = IncidentMoved(incident=incident.id, to=to, reason=reason)
    return Decision(events=(*events, moved), commands=commands)


def judgement_of(picture: Picture, incident: Incident) -> Judgement | None:
    """Return the judgement of the incident's host; None when Nova no longer lists it."""
    return picture.judgements.get(incident.host)


def is_up(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is seen alive."""
    judgement = judgement_of(picture, incident)
    return judgement is not None and judgement.verdict is Verdict.UP


def answers_again(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is not silent any more, whatever its nova-compute does.

    Of one that is down inside, and may be fenced for it, nothing is awaited but its nova-compute.
    """
    judgement = judgement_of(picture, incident)
    alive = {Verdict.UP, Verdict.SERVICE_FAILED, Verdict.DOWN_INSIDE, Verdict.HUNG}
    return (
        judgement is not None
        and judgement.verdict in alive
        and not is_to_be_fenced(picture, incident)
    )


def is_unreachable(picture: Picture, incident: Incident) -> bool:
    """Return whether the host's silence is confirmed now."""
    judgement = judgement_of(picture, incident)
    return judgement is not None and judgement.verdict is Verdict.UNREACHABLE


def is_to_be_fenced(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is to be taken for dead now, should nothing hold us back.

    It is silent; or it is down inside, and the operator's policy, or a person's word of this very
    host, says that such a one is switched off.
    """
    judgement = judgement_of(picture, incident)
    if judgement is None or judgement.verdict is not Verdict.DOWN_INSIDE:
        return is_unreachable(picture, incident)
    word = incident.word
    return picture.rules.fence_down_inside or (word is not None and word.to_fence)


def braked(picture: Picture, incident: Incident) -> str | None:
    """Return why the host must not be acted upon now; None when it may."""
    return picture.brake.why(incident.host)


def nova_s_trouble(picture: Picture, incident: Incident) -> str | None:
    """Return why it is not the incident's fault that nothing comes of it."""
    world = picture.world
    if world.api.failing_since is not None:
        return f"Nova does not answer: {world.api.error}"
    if why := picture.brake.brownouts.of(cell_of(incident.host, world)):
        return f"the control plane is unwell: {why}"
    return None if world.services_read_at else "Nova's services were not read yet"


def recoveries_of(picture: Picture, incident: Incident) -> tuple[Recovery, ...]:
    """Return the recoveries of the host's servers."""
    return tuple(picture.state.recoveries.get(incident.id, {}).values())


def is_anything_moving(picture: Picture, incident: Incident) -> bool:
    """Return whether an evacuation may be running in Nova, or a command of ours is open."""
    moving = ON_ITS_WAY | HOLDS_A_SLOT
    return bool(picture.state.commands_of(incident.id)) or any(
        r.state in moving and r.command is not None for r in recoveries_of(picture, incident)
    )


def idle_for(picture: Picture, incident: Incident) -> timedelta:
    """Return for how long nothing has come of the incident though something should have.

    Servers that wait for others go on by themselves, at the end of their wait at the latest.
    """
    idle = picture.now.since(incident.progressed_at)
    waiting = [r for r in recoveries_of(picture, incident) if r.state in WAITING]
    if not waiting or not all(r.waits_for_others for r in waiting):
        return idle
    longest = max(r.waited_for_others(picture.now) for r in waiting)
    return min(idle, max(longest - picture.rules.policy.wait_at_most, timedelta()))


def overdue_at(picture: Picture, incident: Incident) -> Instant | None:
    """Return when a person is asked because a step of the way home has taken too long.

    None where nobody will be. Time in which nobody watched does not count.
    """
    deadline = deadline_of(incident.state, picture.rules)
    disarmed = is_disarmed(picture.rules, picture.state, picture.now)
    if deadline is None or disarmed or not picture.rules.comes_home:
        return None
    return latest(incident.moved_at, picture.world.began_at).later(deadline)


def is_anything_unfinished(picture: Picture, incident: Incident) -> bool:
    """Return whether a recovery is not at its end yet: its incident may not be closed."""
    return is_anything_moving(picture, incident) or any(
        r.state in ON_ITS_WAY for r in recoveries_of(picture, incident)
    )


def hold_waiting(picture: Picture, incident: Incident, reason: str) -> tuple[RecoveryMoved, ...]:
    """Return the events that hold every server whose turn will not come any more."""
    return tuple(
        RecoveryMoved(incident=incident.id, server=r.server, to=RecoveryState.HELD, reason=reason)
        for r in recoveries_of(picture, incident)
        if r.state in WAITING
    )


def operators_hand(picture: Picture, incident: Incident) -> str | None:
    """Return who took the host before us: its service is disabled or forced down, not by us."""
    track = picture.world.services.get(incident.host)
    if track is None or track.service.id is None:
        return None
    is_ours = incident.word is not None or incident.is_begun
    return others_hand(
        track.service,
        marker_of(picture.rules.install, incident),
        incident.handed_over if is_ours else None,
    )


def proof_of(picture: Picture, incident: Incident) -> Proof | None:
    """Return proof of the host's death: by its power, a person's word, or its own last words."""
    world, now = picture.world, picture.now
    return (
        _by_power(picture, incident)
        or proof_by_word(incident, world, now)
        or proof_by_kdump(incident, world, now)
    )


def _by_power(picture: Picture, incident: Incident) -> Proof | None:
    """Return proof by power readings; a device that contradicts a living host proves nothing."""
    host = incident.host
    track = picture.world.power.get(host)
    if track is not None:
        track = distrusting(track, picture.state.devices.distrusted(host))
    proof = find_proof(incident, track, picture.state.fences.get(host))
    if proof is not None and _felled_instead(picture, incident) is not None:
        return None
    if proof is not None and _answered_until(picture, host, proof):
        return None
    if (
        proof is not None
        and proof.kind is ProofKind.FOUND_OFF
        and beats_while_off(picture.world.services.get(host), track)
    ):
        return None
    return proof


def _answered_until(picture: Picture, host: HostName, proof: Proof) -> bool:
    """Return whether the host answered so shortly before its proof that it cannot have been off.

    The readings of a proof take four seconds: a host that is silent since before them agrees with
    them. One that was down inside answers until it is switched off, and may not be the device's own.
    """
    probe = picture.world.probes.get(host)
    heard = probe.kernel_at if probe else None
    return heard is not None and proof.at.since(heard) < ANSWERED_BEFORE_PROOF


def _felled_instead(picture: Picture, incident: Incident) -> HostName | None:
    return felled_by_our_off(incident, picture.world, picture.state, picture.now)


def power_word(picture: Picture, incident: Incident) -> str:
    """Return what the host's power device says, in words."""
    if (other := _felled_instead(picture, incident)) is not None:
        return (
            f"{other} fell silent right after: the power device of {incident.host} may be {other}'s, "
            "and what it reads proves nothing"
        )
    if not has_trusted_device(incident.host, picture.world, picture.state):
        return "its power device is quarantined (koboshi status says why): its word is not taken"
    track = picture.world.power.get(incident.host)
    if track is None:
        return "its power was never read"
    newest = track.newest
    return f"its power reads {newest.power}" + (f" ({newest.detail})" if newest.detail else "")


def life_of(picture: Picture, incident: Incident) -> str | None:
    """Return the first sign of life since the proof; None when there is none."""
    heartbeat = picture.world.services.get(incident.host)
    proof = incident.proof
    # Where nothing but silence says that it is still dead, whatever was heard was life.
    since = proof.at if proof is not None and proof.kind not in BY_POWER else None
    if since is not None and (heard := heard_since(incident.host, picture.world, since)):
        return heard
    return signs_of_life(
        incident,
        probe=picture.world.probes.get(incident.host),
        power=picture.world.power.get(incident.host),
        service=heartbeat.service if heartbeat else None,
        elsewhere=heard_elsewhere(incident, picture.world),
    )


def is_healthy_for_long(
    picture: Picture, incident: Incident, but_for: timedelta = timedelta()
) -> bool:
    """Return whether the host has answered and reported for the length of the latch, but for so long."""
    latch = picture.rules.latch - but_for
    judgement = judgement_of(picture, incident)
    probe = picture.world.probes.get(incident.host)
    return (
        judgement is not None
        and judgement.network in {Network.USERLAND, Network.KERNEL}
        and judgement.control is Control.FRESH
        and probe is not None
        and probe.answering_since is not None
        and picture.now.since(probe.answering_since) >= latch
        and picture.now.since(incident.moved_at) >= latch
    )


ASKED_AGAIN = timedelta(seconds=5)


def may_ask_nova(picture: Picture, incident: Incident) -> bool:
    """Return whether this step home may ask Nova now: nothing is open, and its last try is a while ago."""
    asked_at = incident.home.asked_at
    is_recent = (
        asked_at is not None
        and asked_at.is_after(incident.moved_at)
        and picture.now.since(asked_at) < ASKED_AGAIN
    )
    return not is_recent and not picture.state.is_busy(f"host:{incident.host}")


def is_given_back(picture: Picture, incident: Incident) -> bool:
    """Return whether nobody holds the host down for its failure: it is in service.

    Or it is disabled as its operator had left it, when it was handed over to us.
    """
    track = picture.world.services.get(incident.host)
    if track is None or track.service.up is None or track.service.forced_down:
        return False
    return track.service.enabled or is_left_disabled(track.service, incident.handed_over)


def is_only_a_late_message(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is dark and off: then the heartbeat was on its way when it died."""
    judgement = judgement_of(picture, incident)
    track = picture.world.power.get(incident.host)
    return (
        judgement is not None
        and judgement.network in {Network.SILENT, Network.QUIET}
        and track is not None
        and track.newest.power is Power.OFF
    )
