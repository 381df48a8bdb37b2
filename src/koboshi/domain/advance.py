"""One step of a host incident: which module answers for which state."""

from koboshi.domain.confirm_dead import void
from koboshi.domain.confirming import begin, wait
from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.fencing import await_better_evidence, await_proof
from koboshi.domain.homecoming import until_home
from koboshi.domain.incident import ACTING, Incident, IncidentState
from koboshi.domain.laid_down import give_over, lay_down
from koboshi.domain.recovering import isolate, recover, source_back

_S = IncidentState


def advance(picture: Picture, incident: Incident) -> Decision:
    """Return the next step of `incident`; at most one a look, so each is journalled by itself.

    What was begun rests while Koboshi is disarmed, and is a person's while it only observes.
    """
    if incident.state in ACTING and picture.why_not_acting:
        return lay_down(picture, incident)
    if voided := void(picture, incident):
        return voided
    match incident.state:
        case _S.HELD | _S.WOULD_ACT:
            return wait(picture, incident)
        case _S.CONFIRMED:
            return begin(picture, incident)
        case _S.FENCING:
            return await_proof(picture, incident)
        case _S.UNPROVEN:
            return await_better_evidence(picture, incident)
        case _S.PROVEN | _S.ISOLATING:
            return isolate(picture, incident)
        case _S.RECOVERING:
            return recover(picture, incident) or give_over(picture, incident)
        case _S.SOURCE_BACK:
            return source_back(picture, incident)
        case _S.SETTLED | _S.NEEDS_HUMAN | _S.FOREIGN:
            return until_home(picture, incident)
        case (
            _S.PARKED
            | _S.POWERING_ON
            | _S.RETURNING
            | _S.RECONCILING
            | _S.RESTORING
            | _S.ENABLING
            | _S.QUARANTINED
        ):
            return NOTHING  # not entered yet
        case _S.CLOSED:
            return NOTHING
