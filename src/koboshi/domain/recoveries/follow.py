"""What became of each server: which module answers for which state of its recovery."""

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import (
    FAILED_STATUSES,
    Running,
)
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.recoveries.building import build, judge_late_end, with_its_destination
from koboshi.domain.recoveries.landing import confirm, landed, running_since, settle
from koboshi.domain.recoveries.lost import home_again, is_home, resolve
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.tracing import (
    arrived_record,
    incident_of,
    own_records,
    read_since,
    step_to,
    two_records,
)

_S = RecoveryState


def follow(picture: Picture, recovery: Recovery) -> Decision:
    """Return the next step of a recovery whose request was sent."""
    match recovery.state:
        case _S.UNKNOWN:
            return resolve(picture, recovery)
        case _S.BUILDING:
            return build(picture, recovery)
        case _S.CONFIRMING:
            return confirm(picture, recovery)
        case _S.SETTLING:
            return settle(picture, recovery)
        case _S.STUCK:
            return _stuck(picture, recovery)
        case _S.HELD:
            return _held(picture, recovery)
        case _:
            return NOTHING


def _held(picture: Picture, recovery: Recovery) -> Decision:
    """Leave `held` when the server is not on its host any more, read by id: a listing may lie."""
    read = read_since(picture, recovery, recovery.moved_at)
    if read is None:
        return NOTHING
    if read.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile")
    if read.server.host != incident_of(picture, recovery).host and read.server.task_state is None:
        return step_to(recovery, _S.GONE, f"somebody moved it to {read.server.host or 'no host'}")
    return NOTHING


def _stuck(picture: Picture, recovery: Recovery) -> Decision:
    """Leave `stuck` when the record ends after all, or its destination is proven dead."""
    if recovery.command is None:  # its evacuation ended well; only its hypervisor did not run it
        if running_since(picture, recovery) is Running.YES:
            return step_to(recovery, _S.DONE, "its hypervisor runs it now")
        return NOTHING
    found = read_since(picture, recovery, recovery.moved_at)
    if found is not None and found.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile", Outcome.FAILED)
    records = own_records(picture, recovery)
    if records is None:
        return NOTHING
    if len(records) > 1:
        return two_records(recovery)
    if not records:
        home = found is not None and is_home(picture, incident_of(picture, recovery))
        return home_again(recovery) if home else NOTHING
    record = records[0]
    if arrived_record(picture, recovery):
        read = read_since(picture, recovery, recovery.moved_at)
        return landed(picture, recovery, read) if read else NOTHING
    if record.status in FAILED_STATUSES:
        return judge_late_end(picture, recovery, record)
    destination = record.destination or recovery.destination
    if destination is None:
        return NOTHING
    return with_its_destination(picture, recovery, destination)
