"""Incidents that were begun and cannot go on: told as `needs_human`, and taken up again when they can.

No state of an incident may last for ever in silence (SAFETY: a deadline, and an exit to a person).
Two things end the waiting: a restart that does not act any more, and a step of which nothing comes
for long (its death is not proven, Nova does not take the force-down, or it lives and cannot be
switched off). What was meant stays meant: its servers stay queued, and go on by themselves when
Koboshi acts again and the proof holds again. So nobody is lost to a device that was mended an hour late.
"""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.incidents.incident import Incident, IncidentState, deadline_of
from koboshi.domain.incidents.recovering import recover
from koboshi.domain.incidents.steps import (
    idle_for,
    is_anything_moving,
    is_anything_unfinished,
    is_to_be_fenced,
    life_of,
    move,
    nova_s_trouble,
    power_word,
    recoveries_of,
)
from koboshi.domain.instant import seconds
from koboshi.domain.judging.proof import is_ours, why_host_not_proven_now
from koboshi.domain.recoveries.recovery import WAITING
from koboshi.domain.restraint.arming import is_disarmed

_S = IncidentState

NOVA_UNWELL_FOR = timedelta(hours=1)
"""So long a control plane that is unwell may take before a person is asked for its sake."""
TRIED_AGAIN_AT_MOST = timedelta(hours=1)
"""What Nova would not take is tried again after as long as it was tried, and never later than this."""


def lay_down(picture: Picture, incident: Incident) -> Decision:
    """Hand an incident to a person when Koboshi only observes: it was acted upon before a restart.

    What Nova works on is followed to its end first. A disarm is another thing: it ends by itself, or
    whoever said it knows that it stands.
    """
    if is_disarmed(picture.rules, picture.state, picture.now):
        return NOTHING
    if is_anything_unfinished(picture, incident):
        return NOTHING
    if incident.state is _S.RECOVERING:
        if step := recover(picture, incident):
            return step
        if not incident.servers_listed and not _waited_long(picture, incident):
            return NOTHING  # they are being read
    waiting = sum(r.state in WAITING for r in recoveries_of(picture, incident))
    done = "forced down in Nova" if incident.isolation else "not known to be forced down in Nova"
    return move(
        incident,
        _S.NEEDS_HUMAN,
        f"observe mode: Koboshi had begun to recover {incident.host} ({incident.state}, {done}), and does "
        f"nothing more for it; {waiting} of its servers wait. To let it go on: koboshi arm",
    )


def give_over(picture: Picture, incident: Incident) -> Decision:
    """Hand an incident to a person when nothing has come of it for long; Nova gets longer to recover."""
    waited = _idle_for(picture, incident)
    if waited < _patience_with(picture, incident) or _is_at_work(picture, incident):
        return NOTHING
    why = _why_not_on(picture, incident)
    if why is None:
        return NOTHING
    return move(
        incident,
        _S.NEEDS_HUMAN,
        f"{why}, and nothing has come of it for {seconds(waited)}: nothing is sent, and its servers wait. "
        f"Koboshi goes on by itself when that is mended; see 'koboshi incident show {incident.id}'",
    )


def _idle_for(picture: Picture, incident: Incident) -> timedelta:
    """Return for how long nothing has come of it, while we watched."""
    return min(idle_for(picture, incident), picture.now.since(picture.world.began_at))


def _waited_long(picture: Picture, incident: Incident) -> bool:
    return _idle_for(picture, incident) >= picture.rules.stuck_after


def _patience_with(picture: Picture, incident: Incident) -> timedelta:
    patience = deadline_of(incident.state, picture.rules) or picture.rules.stuck_after
    if incident.state is _S.SOURCE_BACK:  # its host lives: whatever Nova does, somebody must look
        return patience
    return max(patience, NOVA_UNWELL_FOR) if nova_s_trouble(picture, incident) else patience


def _is_at_work(picture: Picture, incident: Incident) -> bool:
    """Return whether something of the incident is under way, and ends by itself."""
    if incident.state is _S.SOURCE_BACK:
        return picture.state.is_busy(f"host:{incident.host}")
    return is_anything_moving(picture, incident)


def _why_not_on(picture: Picture, incident: Incident) -> str | None:
    """Return what the incident lacks that only a person can mend."""
    host, trouble = incident.host, nova_s_trouble(picture, incident)
    match incident.state:
        case _S.RECOVERING:
            return trouble or why_host_not_proven_now(incident, picture.world, picture.now)
        case _S.PROVEN | _S.ISOLATING:
            said = trouble or "Nova does not take it, or does not show it"
            return f"{host} is dead and cannot be forced down and disabled in Nova ({said})"
        case _S.SOURCE_BACK:
            return (
                f"{host} lives ({incident.reason}) while servers of it are on their way elsewhere, and it "
                f"is not switched off ({power_word(picture, incident)}): two copies of one may run. Switch "
                "it off, or wait until they have landed"
            )
        case _:
            return None


def is_laid_down(picture: Picture, incident: Incident) -> bool:
    """Return whether the incident waits for what would let it go on: its host is dead and ours still."""
    if incident.state is not _S.NEEDS_HUMAN or not incident.is_begun:
        return False
    if incident.home.power_ons or incident.home.beats:
        return False  # it may have lived since: nothing more of it is evacuated
    if life_of(picture, incident) is not None:
        return False
    track = picture.world.services.get(incident.host)
    isolation = incident.isolation
    if isolation is None:
        return True
    return track is None or track.service.id is None or is_ours(isolation, track.service)


def take_up(picture: Picture, incident: Incident) -> Decision:
    """Go on with an incident that was laid down, from where it is safe to."""
    if picture.why_not_acting or not is_laid_down(picture, incident):
        return NOTHING
    if incident.isolation is None:
        return _anew(picture, incident)
    if nova_s_trouble(picture, incident):
        return NOTHING
    waits = any(r.state in WAITING for r in recoveries_of(picture, incident))
    if not waits and incident.servers_listed:
        return NOTHING
    if why_host_not_proven_now(incident, picture.world, picture.now) is not None:
        return NOTHING
    return move(
        incident, _S.RECOVERING, "its host is proven dead now, and Koboshi acts: it goes on"
    )


def _anew(picture: Picture, incident: Incident) -> Decision:
    """Begin once more with one that was not isolated: everything is asked anew, proof and brake too."""
    armed = picture.state.holds.armed
    since = (picture.world.began_at, *((armed.at,) if armed else ()))
    is_asked = any(at.is_after(incident.moved_at) for at in since)
    if not is_asked and not _is_due_again(picture, incident):
        return NOTHING
    if not is_to_be_fenced(picture, incident):
        return NOTHING
    return move(incident, _S.CONFIRMED, "the host is still silent: its recovery is begun once more")


def _is_due_again(picture: Picture, incident: Incident) -> bool:
    """Return whether Nova is asked once more to force a proven dead host down: ever more rarely."""
    if incident.proof is None or nova_s_trouble(picture, incident):
        return False
    tried_for = incident.moved_at.since(incident.opened_at)
    pause = min(max(tried_for, picture.rules.stuck_after), TRIED_AGAIN_AT_MOST)
    return picture.now.since(incident.moved_at) >= pause
