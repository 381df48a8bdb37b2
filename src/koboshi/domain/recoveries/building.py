"""An evacuation that Nova works on, and how its failure is judged."""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture, together
from koboshi.domain.facts.cloud import (
    FAILED_STATUSES,
    Migration,
    Server,
)
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.shared_storage import hosts_of, was_not_seen
from koboshi.domain.judging.proof import why_host_not_proven_now
from koboshi.domain.judging.verdict import Verdict, seconds
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import DestinationChosen, NoHostFound, StorageNotSeen
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.guard import tells_of_orphan
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.slots import open_hosts
from koboshi.domain.recoveries.tracing import (
    arrived_record,
    own_records,
    read_since,
    step_to,
    two_records,
)
from koboshi.domain.rules import MAX_POSTS

NO_VALID_HOST = "no valid host"
"""nova exception.py: NoValidHost, written by the conductor with the record's `error`."""
BEGUN = "pre-migrating"
"""The destination has claimed it: no conductor will send it there any more (compute/manager.py)."""
DESTINATION_GRACE = timedelta(seconds=60)
NO_RECORD_DEADLINE = timedelta(seconds=60)
FAULT_GRACE = timedelta(seconds=10)
"""Nova ends the record first and writes the server's fault later (compute/manager.py: rebuild_instance)."""

_S = RecoveryState


def build(picture: Picture, recovery: Recovery) -> Decision:
    """Follow the record of an evacuation until it arrives, fails, or does not end."""
    records = own_records(picture, recovery)
    if records is None:
        return NOTHING
    if len(records) > 1:
        return two_records(recovery)
    waited = picture.now.since(recovery.moved_at)
    if not records:
        if waited > NO_RECORD_DEADLINE:
            return step_to(recovery, _S.STUCK, "Nova took the request, but shows no record of it")
        return NOTHING
    if recovery.destination is None and (chosen := records[0].destination):
        return Decision(
            events=(
                DestinationChosen(
                    incident=recovery.incident, server=recovery.server, destination=chosen
                ),
            )
        )
    if arrived := arrived_record(picture, recovery):
        return step_to(recovery, _S.CONFIRMING, f"record {arrived.id} is {arrived.status}")
    record = records[0]
    if record.status in FAILED_STATUSES:
        return judge_failure(picture, recovery, record)
    destination = record.destination or recovery.destination
    if destination and (record.status == BEGUN or waited > DESTINATION_GRACE):
        died = with_its_destination(picture, recovery, destination)
        if died != NOTHING:
            return died
    judgement = picture.judgements.get(destination) if destination else None
    if (
        judgement is not None
        and judgement.verdict not in {Verdict.UP, Verdict.UNKNOWN}
        and waited > DESTINATION_GRACE
    ):
        return step_to(
            recovery,
            _S.STUCK,
            f"its destination {destination} is {judgement.verdict} half-way: the server may run there "
            f"already. Nothing is repeated until {destination} is proven dead",
        )
    if waited > picture.rules.stuck_after:
        return step_to(
            recovery,
            _S.STUCK,
            f"record {record.id} is {record.status} for {seconds(waited)}: Nova times nothing out. Look "
            f"at nova-compute on {destination}",
        )
    return NOTHING


def with_its_destination(picture: Picture, recovery: Recovery, destination: HostName) -> Decision:
    """Let a server whose destination is proven dead go elsewhere; do nothing while it is not."""
    there = picture.state.open_incident(destination)
    if there is None or why_host_not_proven_now(there, picture.world, picture.now):
        return NOTHING
    if recovery.posts >= MAX_POSTS:
        return step_to(recovery, _S.GIVEN_UP, f"{destination} died too", Outcome.FAILED)
    return step_to(
        recovery, _S.QUEUED, f"{destination} is proven dead: no copy runs there", Outcome.FAILED
    )


def judge_failure(picture: Picture, recovery: Recovery, record: Migration) -> Decision:
    """Judge a failed record by the server's own fault: some failures leave a copy running."""
    read = read_since(picture, recovery, recovery.moved_at)
    if read is None or not _fault_is_written(picture, record):
        return NOTHING
    if read.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile", Outcome.FAILED)
    destination = record.destination or recovery.destination
    if tells_of_orphan(read.server):
        return step_to(
            recovery,
            _S.ORPHAN_SUSPECTED,
            f"Nova says '{read.server.fault}': a copy may run on {destination}. Look there with 'virsh "
            "list --all' before anything else is done to this server",
            Outcome.FAILED,
        )
    if _was_interrupted(read.server):
        return step_to(
            recovery,
            _S.ORPHAN_SUSPECTED,
            f"its record ended {record.status} without a word of Nova's, as when somebody resets a server "
            f"that is being made: a copy may run on {destination}. Look there with 'virsh list --all'",
            Outcome.FAILED,
        )
    why = (
        f"the evacuation to {destination} ended {record.status}: "
        f"{read.server.fault or 'no fault told'}"
    )
    if recovery.candidate.storage and was_not_seen(read.server) and destination is not None:
        return _not_seen(picture, recovery, destination)
    if record.status == "error" and NO_VALID_HOST in (read.server.fault or "").lower():
        return _no_host(picture, recovery, why)
    if recovery.posts >= MAX_POSTS:
        return step_to(recovery, _S.GIVEN_UP, f"{why} ({recovery.posts} tries)", Outcome.FAILED)
    return step_to(recovery, _S.QUEUED, why, Outcome.FAILED)


def _no_host(picture: Picture, recovery: Recovery, why: str) -> Decision:
    """Remember what seemed open: its like would only become ERROR, too."""
    none = NoHostFound(
        incident=recovery.incident,
        server=recovery.server,
        open_hosts=open_hosts(picture, recovery.candidate.shape),
    )
    to = _S.GIVEN_UP if recovery.posts >= MAX_POSTS else _S.QUEUED
    tries = f" ({recovery.posts} tries)" if to is _S.GIVEN_UP else ""
    return together(
        (Decision(events=(none,)), step_to(recovery, to, why + tries, Outcome.FAILED)),
    )


def _not_seen(picture: Picture, recovery: Recovery, host: HostName) -> Decision:
    """Try elsewhere when Nova chose a host outside; hold them all when one inside sees no disk.

    Nothing was touched: the destination looks before it does anything.
    """
    storage = recovery.candidate.storage
    if host not in hosts_of(storage, picture.world):
        why = f"Nova chose {host}, which does not share {storage}, and it refused; nothing was touched"
        if recovery.posts >= MAX_POSTS:
            return step_to(recovery, _S.GIVEN_UP, f"{why}; so did every try", Outcome.FAILED)
        return step_to(recovery, _S.QUEUED, why, Outcome.FAILED)
    not_seen = StorageNotSeen(
        incident=recovery.incident, server=recovery.server, storage=storage, host=host
    )
    name = recovery.candidate.name
    why = f"{host} is declared to share {storage}, and did not see the disks of {name}"
    others = picture.state.recoveries[recovery.incident].values()
    alike = (
        step_to(o, _S.HELD, f"{why}: not sent")
        for o in others
        if o.state is _S.QUEUED and o.candidate.storage == storage
    )
    held = step_to(recovery, _S.HELD, f"{why}: refused, and nothing was touched", Outcome.FAILED)
    return together((Decision(events=(not_seen,)), held, *alike))


def unseen_notice(picture: Picture, host: HostName) -> str | None:
    """Tell that a declaration of shared storage is false; None while none is known to be."""
    incident = picture.state.open_incident(host)
    recoveries = picture.state.recoveries.get(incident.id, {}).values() if incident else ()
    unseen = [r for r in recoveries if r.unseen_by is not None]
    if not unseen:
        return None
    storage, by = unseen[0].candidate.storage, unseen[0].unseen_by
    return (
        f"[storage] shared_aggregates says that the hosts of {storage} share one storage, but {by} does not "
        f"see the disks of {unseen[0].candidate.name}, a server of {host}: its servers are held, and their "
        f"disks are untouched. Mend the storage on {by}, or take the aggregate out of the settings"
    )


def _was_interrupted(server: Server) -> bool:
    """Return whether an evacuation failed because the server's state had been changed under it.

    UnexpectedTaskStateError leaves ERROR without a fault, or a task that nobody carries out; the
    guest may have been started before it (nova 34 compute/manager.py: _do_rebuild_instance).
    """
    return server.vm_state == "error" and (not server.fault or server.task_state is not None)


def judge_late_end(picture: Picture, recovery: Recovery, record: Migration) -> Decision:
    """Judge a record that ended late: only Nova's own fault says that nothing of it runs.

    A record that a person ended in the database ends nothing on the destination.
    """
    read = read_since(picture, recovery, recovery.moved_at)
    if read is None or not _fault_is_written(picture, record):
        return NOTHING
    if read.server is None or (read.server.vm_state == "error" and read.server.fault):
        return judge_failure(picture, recovery, record)
    destination = record.destination or recovery.destination
    return step_to(
        recovery,
        _S.ORPHAN_SUSPECTED,
        f"its record was ended without a fault of Nova's: it may run on {destination}. Look there with "
        "'virsh list --all' before anything else is done to this server",
        Outcome.FAILED,
    )


def _fault_is_written(picture: Picture, record: Migration) -> bool:
    """Return whether Nova has had time to write the fault, by Nova's own clock."""
    now = nova_now(picture.world)
    return now is not None and (record.updated_at is None or now - record.updated_at >= FAULT_GRACE)
