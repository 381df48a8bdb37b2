"""Switching a host off until its power reads off, and what follows when it does not."""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import (
    DEADLINES,
    Incident,
    IncidentState,
    Proof,
    ProofKind,
)
from koboshi.domain.incidents.steps import (
    braked,
    is_given_back,
    is_healthy_for_long,
    is_to_be_fenced,
    move,
    power_word,
    proof_of,
    recoveries_of,
)
from koboshi.domain.instant import latest
from koboshi.domain.judging.felled import may_hit_again
from koboshi.domain.judging.quarantine import has_trusted_device, why_swapped
from koboshi.domain.memory.commands import FenceOff
from koboshi.domain.memory.events import DeathProven

FENCE_RETRY_AFTER = timedelta(seconds=10)
"""How long one *off* gets before it is sent again, within the deadline of `fencing`."""
FENCE_AGAIN_AFTER = timedelta(seconds=60)
"""How long an `unproven` incident waits before the next round of *off*."""
FENCE_ATTEMPTS = 12
"""How often *off* is sent in one incident: four rounds of three."""

_S = IncidentState


def fence(picture: Picture, incident: Incident, reason: str) -> Decision:
    """Return the step into `fencing`, with its command, unless one about the host is open."""
    if picture.state.is_busy(f"host:{incident.host}"):
        return NOTHING
    return move(incident, _S.FENCING, reason, commands=(_command(picture, incident),))


def proven(incident: Incident, proof: Proof) -> Decision:
    """Return the step that `proof` allows."""
    return move(
        incident,
        _S.PROVEN,
        _how(incident, proof.kind),
        DeathProven(incident=incident.id, proof=proof),
    )


def _how(incident: Incident, kind: ProofKind) -> str:
    match kind:
        case ProofKind.FENCED_OFF:
            return "its power read off three times in a row, after our off command"
        case ProofKind.FOUND_OFF:
            return "its power read off three times in a row, before any command"
        case ProofKind.KDUMP:
            return "its crash kernel said that it writes a dump"
        case ProofKind.WORD:
            word = incident.word
            note = f": {word.note}" if word and word.note else ""
            return f"{word.by if word else 'a person'} says that it is dead{note}"
        case ProofKind.SILENCE:
            return (
                'death is ASSUMED, not proven (proof = "silence"): two kinds of witness are silent for '
                "60 s, and there is no power device to ask"
            )


def _command(picture: Picture, incident: Incident) -> FenceOff:
    return FenceOff(
        id=picture.new_command_id(incident, "fence"), incident=incident.id, host=incident.host
    )


def await_proof(picture: Picture, incident: Incident) -> Decision:
    """Wait for the power to read off; send *off* again while it does not, for a while."""
    if picture.state.is_busy(f"host:{incident.host}"):
        return NOTHING
    if proof := proof_of(picture, incident):
        return proven(incident, proof)
    fenced_at = picture.state.fences.get(incident.host, incident.moved_at)
    waited = picture.now.since(latest(incident.moved_at, picture.world.began_at))
    if waited >= DEADLINES[_S.FENCING]:
        return move(incident, _S.UNPROVEN, _why_unproven(picture, incident))
    if picture.now.since(fenced_at) >= FENCE_RETRY_AFTER and _may_fence_again(picture, incident):
        return Decision(commands=(_command(picture, incident),))
    return NOTHING


def _why_unproven(picture: Picture, incident: Incident) -> str:
    word = power_word(picture, incident)
    if not is_to_be_fenced(picture, incident):
        return (
            f"{incident.host} was to be switched off, but {word}, and the host is not silent any "
            "more: nothing is evacuated. Look at the host and at its BMC"
        )
    return (
        f"{incident.host} was to be switched off, but {word}: nothing is evacuated until it reads "
        f"off three times. Mend its BMC, or switch {incident.host} off by hand; if it is dead for sure, "
        f"say so: koboshi host confirm-dead {incident.host}"
    )


def _may_fence_again(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is still silent, still not off, and the brake still lets go."""
    track = picture.world.power.get(incident.host)
    return (
        is_to_be_fenced(picture, incident)
        and (track is None or track.newest.power is not Power.OFF)
        and incident.fence_attempts < FENCE_ATTEMPTS
        and may_hit_again(incident, picture.state) is None
        and has_trusted_device(incident.host, picture.world, picture.state)
        and why_swapped(picture, incident) is None
        and not braked(picture, incident)
    )


def await_better_evidence(picture: Picture, incident: Incident) -> Decision:
    """Go on from `unproven`: by late proof, by another round of *off*, or because it lives."""
    if picture.state.is_busy(f"host:{incident.host}"):
        return NOTHING
    if proof := proof_of(picture, incident):
        return proven(incident, proof)
    if is_healthy_for_long(picture, incident):
        if is_given_back(picture, incident) and not recoveries_of(picture, incident):
            return move(incident, _S.CLOSED, "the host answers again, and has for a while")
        return move(
            incident,
            _S.NEEDS_HUMAN,
            "the host lives, and its recovery had begun: compare its servers with Nova's records "
            "before it is enabled again",
        )
    waited = picture.now.since(incident.moved_at)
    if waited >= FENCE_AGAIN_AFTER and _may_fence_again(picture, incident):
        return fence(
            picture, incident, f"still silent, and {power_word(picture, incident)}: off once more"
        )
    return NOTHING
