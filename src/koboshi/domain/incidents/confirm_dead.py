"""A person's word that a host is dead: when it is taken, when it counts, and when it is void.

It is bound to one incident, and taken only while every witness is silent. It stands in for the
proof that no power device can give, and for nothing else: the last look before each evacuation
asks the same witnesses again. A host that an operator had disabled is handed over by it, and is
given back disabled as it was.
"""

from dataclasses import replace

from koboshi.domain.decision import NOTHING, Decision, Picture, Refused
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.ownership import MARKER_PREFIX, disabled_by_operator
from koboshi.domain.incidents.incident import Incident, IncidentState, Proof, ProofKind
from koboshi.domain.incidents.steps import life_of
from koboshi.domain.judging.proof import proof_by_word
from koboshi.domain.judging.quarantine import can_be_switched
from koboshi.domain.judging.silence import why_not_silent
from koboshi.domain.judging.verdict import Control, Verdict, seconds
from koboshi.domain.memory.events import IncidentOpened, WordGiven, WordVoided
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.restraint.arming import why_not_acting
from koboshi.domain.rules import PROOF_MAX_AGE

_S = IncidentState

WAITS_FOR_PROOF = frozenset({_S.HELD, _S.CONFIRMED, _S.WOULD_ACT, _S.FENCING, _S.UNPROVEN})
"""States of an incident in which a word can be its proof."""

MAX_NOTE = 500


def confirm_dead(picture: Picture, host: HostName, note: str, by: str) -> Decision | Refused:
    """Return what follows from `by` saying that `host` is dead, or why the word is not taken."""
    if refused := _not_ours(picture, host):
        return refused
    incident = picture.state.open_incident(host)
    if picture.judgements[host].verdict is Verdict.DOWN_INSIDE:
        return _down_inside(picture, incident, host, note, by)
    if refused := _speaks(picture, host):
        return refused
    if incident is None:
        return _with_new_incident(picture, host, note, by)
    if refused := _not_now(picture, incident):
        return refused
    return Decision(events=(_given(picture, incident.id, host, note, by),))


def _down_inside(
    picture: Picture, incident: Incident | None, host: HostName, note: str, by: str
) -> Decision | Refused:
    """Return what follows of a host that answers, though its servers are down: it may be fenced.

    The word proves nothing. The host is switched off by the rules that hold for a silent one, the
    brake's too, and its servers are recovered when its power reads off.
    """
    if not can_be_switched(host, picture.world, picture.state):
        return Refused(
            reason=f"{host} answers, and no power device that is believed can switch it off",
            cure="switch it off by hand; when it is silent on every path, say so again",
        )
    if incident is not None:
        if refused := _not_now(picture, incident):
            return refused
        return Decision(events=(_given(picture, incident.id, host, note, by, to_fence=True),))
    opened = picture.new_incident_id(host)
    return Decision(
        events=(
            IncidentOpened(incident=opened, host=host, evidence=picture.judgements[host].reasons),
            _given(picture, opened, host, note, by, to_fence=True),
        )
    )


def _given(
    picture: Picture,
    incident: IncidentId,
    host: HostName,
    note: str,
    by: str,
    *,
    to_fence: bool = False,
) -> WordGiven:
    """Return the word; with it whoever had disabled the host hands it over as it stands."""
    service = picture.world.services[host].service
    is_theirs = disabled_by_operator(host, picture.world)
    return WordGiven(
        host=host,
        incident=incident,
        by=by,
        note=note[:MAX_NOTE],
        handed_over=(service.disabled_reason or "") if is_theirs else None,
        to_fence=to_fence,
    )


def _with_new_incident(picture: Picture, host: HostName, note: str, by: str) -> Decision | Refused:
    """Bind the word to an incident that opens with it: for a host that no rule would open one for."""
    judgement = picture.judgements[host]
    if host not in picture.state.found_down and judgement.control is not Control.LATE:
        return Refused(
            reason=f"{host} has no open incident, and its heartbeat is not known to have stopped",
            cure=f"wait until it has; see 'koboshi host explain {host}'",
        )
    incident = picture.new_incident_id(host)
    return Decision(
        events=(
            IncidentOpened(incident=incident, host=host, evidence=judgement.reasons),
            _given(picture, incident, host, note, by),
        )
    )


def _not_ours(picture: Picture, host: HostName) -> Refused | None:
    """Return why Koboshi would not recover this host whatever anybody says."""
    world = picture.world
    track = world.services.get(host)
    if track is None:
        return Refused(
            reason=f"Nova lists no compute service of {host}",
            cure="write the host's name exactly as 'koboshi status' does",
        )
    if host not in world.protected:
        return Refused(
            reason=f"{host} is not protected",
            cure="only QEMU/KVM hosts that [hosts] does not exclude are recovered",
        )
    if why := why_not_acting(picture.rules, picture.state, picture.now):
        return Refused(reason=f"Koboshi does not act: {why}", cure="arm it first: koboshi arm")
    incident = picture.state.open_incident(host)
    service = track.service
    ours = (service.disabled_reason or "").startswith(MARKER_PREFIX)
    if service.forced_down and not ours:
        return Refused(
            reason=f"{host} was forced down in Nova by somebody else, who may be evacuating it",
            cure=f"if nobody is, lift that, and say so again: openstack compute service set --up {host} "
            "nova-compute",
        )
    if incident is None and ours:
        return Refused(
            reason=f"{host} still carries the mark of an earlier incident ({service.disabled_reason})",
            cure=f"bring it home first, or give it back: "
            f"openstack compute service set --enable --up {host} nova-compute",
        )
    return None


def _speaks(picture: Picture, host: HostName) -> Refused | None:
    """Return which witness speaks against the word."""
    world, now, judgement = picture.world, picture.now, picture.judgements[host]
    track = world.power.get(host)
    fresh = track is not None and now.since(track.newest.at) <= PROOF_MAX_AGE
    if track is not None and fresh and track.newest.power is Power.ON:
        return Refused(
            reason=f"the power of {host} reads on: it is not dead, or not for long",
            cure="switch it off first (at its BMC, or at the machine), then say so again",
        )
    if judgement.control is Control.FRESH:
        return Refused(
            reason=f"{host} may be alive: {_word(picture, host, 'heartbeat')}",
            cure="if its servers are dead all the same, switch the host off",
        )
    # A device that was asked long ago is asked at once when the incident opens: no need to wait here.
    unread = replace(world, fenced=world.fenced - {host})
    if (word := why_not_silent(host, unread, now)) is not None:
        return Refused(
            reason=f"{host} is not known to be silent: {word}",
            cure=f"look again in a few seconds: koboshi host explain {host}",
        )
    return None


def _word(picture: Picture, host: HostName, of: str) -> str:
    words = picture.judgements[host].reasons
    return next((word for word in words if of in word), "; ".join(words))


def _not_now(picture: Picture, incident: Incident) -> Refused | None:
    """Return why the incident has no use for a word."""
    show = f"see 'koboshi incident show {incident.id}'"
    word, judgement = incident.word, picture.judgements[incident.host]
    goes_further = (
        word is not None and word.to_fence and judgement.verdict is not Verdict.DOWN_INSIDE
    )
    if word is not None and not goes_further and incident.state in WAITS_FOR_PROOF:
        ago = seconds(picture.now.since(word.at))
        return Refused(reason=f"the word was given already, {ago} ago, by {word.by}", cure=show)
    if incident.state in WAITS_FOR_PROOF or is_untouched(picture.state, incident):
        return None
    return Refused(
        reason=f"the incident of {incident.host} is {incident.state}: no word is waited for",
        cure=show,
    )


def is_untouched(state: State, incident: Incident) -> bool:
    """Return whether it was left to a person, or to others, before anything was done to the host."""
    return (
        incident.state in {_S.NEEDS_HUMAN, _S.FOREIGN}
        and incident.isolation is None
        and incident.proof is None
        and not state.recoveries.get(incident.id)
    )


def void(picture: Picture, incident: Incident) -> Decision:
    """Return that the incident's word is void, if a witness has answered since it was given."""
    word = incident.word
    if word is None or word.to_fence:  # whom it was given of answered all the time
        return NOTHING
    sworn = replace(incident, proof=Proof(kind=ProofKind.WORD, at=word.at))
    life = life_of(picture, sworn)
    if life is None:
        return NOTHING
    return Decision(events=(WordVoided(incident=incident.id, reason=life),))


def may_go_on(picture: Picture, incident: Incident) -> bool:
    """Return whether a word stands in for a confirmed silence: then nothing else is waited for."""
    judgement = picture.judgements.get(incident.host)
    return (
        judgement is not None
        and judgement.verdict is not Verdict.UP
        and proof_by_word(incident, picture.world, picture.now) is not None
    )
