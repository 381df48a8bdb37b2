"""An incident before anything was done: whether it may be acted upon, and how it begins."""

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.forecasting.stale import is_stale
from koboshi.domain.incidents.confirm_dead import may_go_on
from koboshi.domain.incidents.fencing import fence, proven
from koboshi.domain.incidents.incident import DEADLINES, Incident, IncidentState
from koboshi.domain.incidents.steps import (
    answers_again,
    braked,
    is_to_be_fenced,
    judgement_of,
    move,
    operators_hand,
    power_word,
    proof_of,
)
from koboshi.domain.instant import latest, seconds
from koboshi.domain.judging.proof import proof_by_silence
from koboshi.domain.judging.quarantine import has_trusted_device, to_look_at, why_swapped
from koboshi.domain.memory.events import WordVoided
from koboshi.domain.restraint.arming import is_disarmed
from koboshi.domain.rules import SILENT_FOR, ProofPolicy

_S = IncidentState


def wait(picture: Picture, incident: Incident) -> Decision:
    """Go on when the brake lets go and the silence still stands; close when the host answers."""
    if answers_again(picture, incident):
        return move(incident, _S.CLOSED, "the host answers again; nothing was done to it")
    if hand := operators_hand(picture, incident):
        return _leave(picture, incident, hand)
    waits_for_a_person = incident.state is _S.WOULD_ACT or _is_disarmed(picture)
    if waits_for_a_person and picture.why_not_acting:
        return NOTHING
    if may_go_on(picture, incident):
        return move(incident, _S.CONFIRMED, "a person says that the host is dead")
    if not is_to_be_fenced(picture, incident):
        return NOTHING
    if braked(picture, incident):
        return NOTHING
    if why_swapped(picture, incident) and proof_of(picture, incident) is None:
        return NOTHING
    if _is_evacuated_by_somebody(picture, incident) is None:
        return NOTHING  # its records are being read
    return move(incident, _S.CONFIRMED, "the host is still silent, and nothing holds us back now")


def begin(picture: Picture, incident: Incident) -> Decision:
    """Hold, or take the first step: proof that is there already, or the fence."""
    judgement = judgement_of(picture, incident)
    if answers_again(picture, incident):
        return move(incident, _S.CLOSED, "the host answers again; nothing was done to it")
    if hand := operators_hand(picture, incident):
        return _leave(picture, incident, hand)
    sworn = may_go_on(picture, incident)
    if judgement is None or not (sworn or is_to_be_fenced(picture, incident)):
        return NOTHING
    if not sworn and (why := braked(picture, incident)):
        return move(incident, _S.HELD, why)
    if (why := picture.why_not_acting) and _is_disarmed(picture):
        return move(incident, _S.HELD, why)
    if why:
        return move(incident, _S.WOULD_ACT, _what_would_be_done(picture, incident))
    foreign = _is_evacuated_by_somebody(picture, incident)
    if foreign is None:
        return NOTHING  # its records are being read
    if foreign:
        return _leave(picture, incident, "somebody else has begun to evacuate this host")
    if proof := proof_of(picture, incident):
        return proven(incident, proof)
    if incident.host not in picture.world.fenced:
        return _without_power(picture, incident)
    if not has_trusted_device(incident.host, picture.world, picture.state):
        return move(
            incident,
            _S.UNPROVEN,
            f"{power_word(picture, incident)}, and nothing is switched by it. Mend its settings, or, if "
            f"{incident.host} is dead, say so: koboshi host confirm-dead {incident.host}",
        )
    if swapped := why_swapped(picture, incident):
        return move(incident, _S.HELD, swapped)
    if to_look_at(picture, incident):
        return NOTHING  # they are being read
    return fence(picture, incident, f"{judgement.reasons[0]}: switching its power off")


def _leave(picture: Picture, incident: Incident, why: str) -> Decision:
    """Leave the host to whoever has it in hand: a word that was given counts no more."""
    word = incident.word
    void = () if word is None else (WordVoided(incident=incident.id, reason=why),)
    host = incident.host
    theirs = (
        f". To have it recovered all the same: koboshi host confirm-dead {host}"
        if disabled_by_operator(host, picture.world)
        else ""
    )
    return move(incident, _S.FOREIGN, why + theirs, *void)


def hold_over(picture: Picture, incident: Incident) -> Decision:
    """Hold what was confirmed once and could not be begun for long: a person must hear of it."""
    waited = picture.now.since(latest(incident.moved_at, picture.world.began_at))
    if waited < DEADLINES[_S.CONFIRMED]:
        return NOTHING
    if not is_to_be_fenced(picture, incident):
        why = f"{incident.host} is not known to be silent any more, nor does it answer"
    elif _is_evacuated_by_somebody(picture, incident) is None:
        why = f"the evacuation records of {incident.host} cannot be read: somebody may be recovering it"
    else:
        why = f"nothing proves yet that {incident.host} is dead"
    return move(
        incident,
        _S.HELD,
        f"{why}, for {seconds(waited)}; see 'koboshi host explain {incident.host}'",
    )


def _last_words_ripen(picture: Picture, incident: Incident) -> bool:
    """Return whether a kernel's authentic last words came so lately that they may yet be proof."""
    seen = picture.world.kdumps.get(incident.host)
    return seen is not None and seen.authenticated and picture.now.since(seen.at) < 2 * SILENT_FOR


def _without_power(picture: Picture, incident: Incident) -> Decision:
    """Wait for a person, or, where the operator declared so, assume death after long silence."""
    host = incident.host
    if _last_words_ripen(picture, incident):
        return NOTHING  # they are proof as soon as the host has been silent for long enough
    if picture.rules.proof is not ProofPolicy.SILENCE:
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"no fencing is configured for {host}: its death cannot be proven. If it is dead, say so: "
            f"koboshi host confirm-dead {host}",
        )
    if assumed := proof_by_silence(incident, picture.world, picture.now):
        return proven(incident, assumed)
    return NOTHING  # not for long enough yet


def _is_disarmed(picture: Picture) -> bool:
    return is_disarmed(picture.rules, picture.state, picture.now)


def _what_would_be_done(picture: Picture, incident: Incident) -> str:
    sweep = picture.world.sweep
    servers = tuple(sweep.on(incident.host).values()) if sweep else ()
    protected = [s for s in servers if s.is_protected]
    return (
        f"observe mode: would fence {incident.host}, force it down in Nova, and recover or hold its "
        f"{len(protected)} protected servers of {len(servers)}"
    )


def _is_evacuated_by_somebody(picture: Picture, incident: Incident) -> bool | None:
    """Return whether anybody works on an evacuation of the host; None while that is not read."""
    read = picture.world.from_host.get(incident.host)
    if read is None or not read.at.is_after(incident.opened_at):
        return None
    return any(
        r.is_open and r.is_evacuation and not is_stale(r, nova_now(picture.world))
        for r in read.records
    )
