"""What events teach of one incident and of one recovery: the parts of the fold that need no more."""

from dataclasses import replace

from koboshi.domain.incidents.incident import GivenWord, Incident
from koboshi.domain.instant import Instant
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.lifecycle import step
from koboshi.domain.recoveries.recovery import RECOVERY_STEPS, Recovery, RecoveryState, Treatment

IncidentLesson = (
    ev.WordGiven | ev.WordVoided | ev.DeathProven | ev.HostIsolated | ev.HostBeat | ev.HostReleased
)
"""Events that teach something of an incident, and leave its state."""
RecoveryLesson = ev.RecoveryMoved | ev.DataLossCommitted | ev.DestinationChosen | ev.StorageNotSeen


def incident_learned(incident: Incident, at: Instant, event: IncidentLesson) -> Incident:
    """Return what is known of an incident after one of its events."""
    match event:
        case ev.WordGiven():
            word = GivenWord(at=at, by=event.by, note=event.note, to_fence=event.to_fence)
            return replace(incident, word=word, handed_over=event.handed_over)
        case ev.WordVoided():
            return replace(incident, word=None)
        case ev.DeathProven():
            return replace(incident, proof=event.proof)
        case ev.HostIsolated():
            return replace(incident, isolation=event.isolation)
        case ev.HostBeat():
            home = incident.home
            home = replace(home, beats=home.beats + 1, beat=event.updated_at)
            return replace(incident, home=home, progressed_at=at)
        case ev.HostReleased():
            return replace(incident, home=replace(incident.home, released_by=event.by))


def recovery_learned(recovery: Recovery, at: Instant, event: RecoveryLesson) -> Recovery:
    """Return what is known of a recovery after one of its events."""
    match event:
        case ev.RecoveryMoved():
            return recovery_moved(recovery, event.to, event.reason, at)
        case ev.DataLossCommitted():
            return _given_up(recovery, event)
        case ev.DestinationChosen():
            return replace(recovery, destination=event.destination)
        case ev.StorageNotSeen():
            return replace(recovery, unseen_by=event.host)


def recovery_moved(recovery: Recovery, to: RecoveryState, reason: str, at: Instant) -> Recovery:
    """Return the recovery after a step; raises IllegalTransition where the table has none."""
    was, to = recovery.state, step(RECOVERY_STEPS, recovery.state, to)
    if was is RecoveryState.GIVEN_UP and to is RecoveryState.QUEUED:
        recovery = replace(recovery, posts=0)  # what has changed since is worth three tries anew
    return replace(recovery, state=to, reason=reason, moved_at=at)


def _given_up(recovery: Recovery, event: ev.DataLossCommitted) -> Recovery:
    """Return the recovery whose disks will be lost; held until now, or until a person ordered it."""
    candidate = recovery.candidate
    if event.by or candidate.treatment is Treatment.HOLD:
        candidate = replace(candidate, treatment=Treatment.REBUILD, reason=event.policy)
    return replace(recovery, candidate=candidate, data_loss_committed=True)


def recovery_ended(recovery: Recovery, event: ev.CommandEnded) -> Recovery:
    """Return the recovery without its command; where it goes on is said by a RecoveryMoved."""
    ended = replace(recovery, command=None)
    if event.outcome is Outcome.REFUSED:
        return replace(ended, posts=recovery.posts - 1, refusals=recovery.refusals + 1)
    if event.outcome is Outcome.FAILED and recovery.destination is not None:
        failed = recovery.failed_destinations | {recovery.destination}
        return replace(ended, failed_destinations=failed, pinned=None)
    return ended
