"""One step of a host incident: which module answers for which state."""

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.home.awaiting import awaited, sentence
from koboshi.domain.home.enabling import await_release, enable
from koboshi.domain.home.homecoming import until_home
from koboshi.domain.home.powering import await_power
from koboshi.domain.home.restoring import restore
from koboshi.domain.home.returning import await_beats, reconcile
from koboshi.domain.incidents.confirm_dead import void
from koboshi.domain.incidents.confirming import begin, hold_over, wait
from koboshi.domain.incidents.fencing import await_better_evidence, await_proof
from koboshi.domain.incidents.incident import ACTING, Incident, IncidentState
from koboshi.domain.incidents.laid_down import give_over, lay_down
from koboshi.domain.incidents.recovering import isolate, recover, source_back
from koboshi.domain.incidents.steps import is_given_back, move, overdue_at
from koboshi.domain.instant import latest
from koboshi.domain.judging.verdict import seconds

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
            return begin(picture, incident) or hold_over(picture, incident)
        case _S.FENCING:
            return await_proof(picture, incident)
        case _S.UNPROVEN:
            return await_better_evidence(picture, incident)
        case _S.PROVEN | _S.ISOLATING:
            return isolate(picture, incident) or give_over(picture, incident)
        case _S.RECOVERING:
            return recover(picture, incident) or give_over(picture, incident)
        case _S.SOURCE_BACK:
            return source_back(picture, incident) or give_over(picture, incident)
        case _S.CLOSED:
            return NOTHING
        case _:
            return _homeward(picture, incident)


def _homeward(picture: Picture, incident: Incident) -> Decision:
    """Return the next step home. Nothing is sent while Koboshi must not act; what is seen is seen."""
    decision = _home_step(picture, incident)
    if decision.commands and picture.why_not_acting:
        return NOTHING
    return decision or _overdue(picture, incident)


def _home_step(picture: Picture, incident: Incident) -> Decision:
    match incident.state:
        case _S.POWERING_ON:
            return await_power(picture, incident)
        case _S.RETURNING:
            return await_beats(picture, incident)
        case _S.RECONCILING:
            return reconcile(picture, incident)
        case _S.RESTORING:
            return restore(picture, incident)
        case _S.ENABLING if not is_given_back(picture, incident):
            return enable(picture, incident)
        case _S.QUARANTINED:
            return await_release(picture, incident)
        case _:
            return until_home(picture, incident)


def _overdue(picture: Picture, incident: Incident) -> Decision:
    """Ask a person when a step of the way home has taken too long: Nova times nothing out."""
    at = overdue_at(picture, incident)
    if at is None or not picture.now.has_passed(at):
        return NOTHING
    waited = picture.now.since(latest(incident.moved_at, picture.world.began_at))
    told = awaited(picture, incident)
    return move(
        incident,
        _S.NEEDS_HUMAN,
        f"{incident.host} is {incident.state} for {seconds(waited)}, and does not get on "
        f"({incident.reason}). {f'{sentence(told)}. ' if told else ''}Or bring it home by hand: "
        f"'koboshi incident show {incident.id}' says how",
    )
