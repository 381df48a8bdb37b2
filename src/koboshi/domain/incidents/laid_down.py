"""Incidents that were begun and cannot go on: told as `needs_human`, and taken up again when they can.

No state of an incident may last for ever in silence (SAFETY: a deadline, and an exit to a person).
Two things end the waiting: a restart that does not act any more, and a death that has not been
proven for long. What was meant stays meant: its servers stay queued, and go on by themselves when
Koboshi acts again and the proof holds again. So nobody is lost to a device that was mended an hour late.
"""

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.recovering import recover
from koboshi.domain.incidents.steps import (
    idle_for,
    is_anything_moving,
    is_anything_unfinished,
    is_unreachable,
    life_of,
    move,
    recoveries_of,
)
from koboshi.domain.instant import seconds
from koboshi.domain.judging.proof import is_ours, why_host_not_proven_now
from koboshi.domain.recoveries.recovery import WAITING
from koboshi.domain.restraint.arming import is_disarmed

_S = IncidentState


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
    """Hand an incident to a person when nothing has come of it for long, and Nova is not to blame."""
    if not _waited_long(picture, incident) or is_anything_moving(picture, incident):
        return NOTHING
    why = _why_not_on(picture, incident)
    if why is None:
        return NOTHING
    return move(
        incident,
        _S.NEEDS_HUMAN,
        f"{why}, and nothing has come of it for {seconds(picture.rules.stuck_after)}: nothing is sent, and its servers wait. "
        f"Koboshi goes on by itself when that is mended; see 'koboshi incident show {incident.id}'",
    )


def _waited_long(picture: Picture, incident: Incident) -> bool:
    return idle_for(picture, incident) >= picture.rules.stuck_after


def _why_not_on(picture: Picture, incident: Incident) -> str | None:
    """Return what the incident lacks that only a person can mend."""
    world = picture.world
    if incident.state is not _S.RECOVERING or _is_nova_unwell(picture, incident):
        return None
    return why_host_not_proven_now(incident, world, picture.now)


def _is_nova_unwell(picture: Picture, incident: Incident) -> bool:
    cell = cell_of(incident.host, picture.world)
    return (
        picture.world.api.failing_since is not None
        or picture.brake.brownouts.of(cell) is not None
        or picture.world.services_read_at is None
    )


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
    if _is_nova_unwell(picture, incident):
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
    """Begin once more with one that was not isolated: when somebody armed us, or started us again."""
    armed = picture.state.holds.armed
    since = (picture.world.began_at, *((armed.at,) if armed else ()))
    if not any(at.is_after(incident.moved_at) for at in since):
        return NOTHING
    if not is_unreachable(picture, incident):
        return NOTHING
    return move(incident, _S.CONFIRMED, "Koboshi acts again, and the host is still silent")
