"""The last question before an evacuate request leaves: whether it may, by what was just read.

Asked by the executor with fresh reads, after the intent was journalled and right before the
request is sent. Whatever the planner thought, nothing is sent unless this says so.
"""

from dataclasses import dataclass
from datetime import datetime

from koboshi.domain.facts.cloud import ComputeService, Migration, Server
from koboshi.domain.facts.disks import disks_of
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.forecasting.stale import cure, is_stale
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import PowerTrack, ProbeTrack
from koboshi.domain.judging.proof import why_not_proven_now
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.names import HostName
from koboshi.domain.policies.policy import EVACUABLE_STATES, who_gives_tpm, why_ordered
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Treatment

BUSY_TASKS = ("rebuild", "migrating", "resize", "deleting", "soft-deleting", "spawning")
"""Beginnings of a task state in which somebody may be working on the server."""

ORPHAN_WORDS = (
    "already exists",
    "instanceexists",
    "unexpectedtaskstate",
    "conflict updating instance",
)
"""Faults after which a copy may run on a destination that Nova does not show (nova 34 exception.py:
InstanceExists; UnexpectedTaskStateError, which is told with its parent's text)."""


def tells_of_orphan(server: Server) -> bool:
    """Return whether the server's fault is one that leaves a running copy behind."""
    fault = (server.fault or "").lower()
    return server.vm_state == "error" and any(word in fault for word in ORPHAN_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request must not be sent, and where the server's recovery goes instead."""

    to: RecoveryState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """Everything read right before the request would leave."""

    incident: Incident
    recovery: Recovery
    server: Server | None
    records: tuple[Migration, ...]
    """All migration records of the server, of every type."""
    service: ComputeService | None
    probe: ProbeTrack | None
    power: PowerTrack | None
    elsewhere: str | None
    """Which further witness has heard of the host since the proof."""
    noise: str | None
    """What speaks against the host's silence: for proof that no power device gives."""
    proven_dead: frozenset[HostName]
    """Hosts whose death is proven now: nobody works on a record that leads there."""
    now: Instant
    storage: str | None = None
    """The aggregate on whose shared storage its host's servers keep their disks, as is declared now."""
    poison: str | None = None
    """Why it is sent nowhere any more: hosts died of late that had received it."""
    made_from: Image | Volume | None = None
    """What tells the properties of its image, as far as that is known by now."""
    nova_now: datetime | None = None
    """Nova's own time, by which a record's age is told."""


def why_not_evacuate(command: Evacuate, look: LastLook) -> Refusal | None:
    """Return why `command` must not be sent; None when it may."""
    return (
        _by_server(command, look)
        or _by_records(command, look)
        or _by_storage(command, look)
        or _by_policy(look)
        or _by_proof(command, look)
    )


def _by_server(command: Evacuate, look: LastLook) -> Refusal | None:
    server = look.server
    if server is None:
        return Refusal(to=RecoveryState.GONE, reason="it was deleted meanwhile")
    if server.id != command.server:
        return Refusal(to=RecoveryState.QUEUED, reason="Nova answered with another server")
    if server.host != command.host:
        return Refusal(to=RecoveryState.GONE, reason=f"it is on {server.host or 'no host'} already")
    if server.vm_state not in EVACUABLE_STATES:
        return Refusal(to=RecoveryState.HELD, reason=f"it is {server.vm_state} now: Nova refuses")
    if giver := who_gives_tpm(server, look.made_from):
        why = f"its {giver} gives it a vTPM, whose state lies on the host: Nova refuses to evacuate it"
        return Refusal(to=RecoveryState.HELD, reason=why)
    if tells_of_orphan(server):
        return Refusal(
            to=RecoveryState.ORPHAN_SUSPECTED,
            reason=f"Nova says '{server.fault}': a copy of it may run somewhere. Look for its domain",
        )
    if server.vm_state == "error" and look.recovery.candidate.vm_state == "error":
        return Refusal(to=RecoveryState.HELD, reason="it was in ERROR before its host failed")
    if ordered := why_ordered(server):
        return Refusal(to=RecoveryState.HELD, reason=ordered)
    task = server.task_state or ""
    if task.startswith(BUSY_TASKS) and not _only_dead_records(look):
        return Refusal(to=RecoveryState.QUEUED, reason=f"somebody works on it: {task}")
    return None


def _only_dead_records(look: LastLook) -> bool:
    """Return whether every open record leads to a host that is proven dead."""
    still_open = [r for r in look.records if r.is_open]
    return bool(still_open) and all(r.destination in look.proven_dead for r in still_open)


def _by_records(command: Evacuate, look: LastLook) -> Refusal | None:
    unknown = [r for r in look.records if r.is_open and r.destination not in look.proven_dead]
    if unknown:
        record = unknown[0]
        if record.is_evacuation and is_stale(record, look.nova_now):
            return Refusal(
                to=RecoveryState.HELD,
                reason=f"its evacuation record {record.id} was never ended ({record.status}), so nothing "
                f"may be sent: make sure that it runs nowhere, then {cure(record)}",
            )
        return Refusal(
            to=RecoveryState.FOREIGN,
            reason=f"its {record.type} record {record.id} is {record.status}: somebody moves it",
        )
    new = [
        r
        for r in look.records
        if r.is_evacuation and r.source == command.host and r.id not in command.known_records
    ]
    if new:
        return Refusal(
            to=RecoveryState.QUEUED, reason=f"an evacuation record appeared meanwhile: {new[0].id}"
        )
    return None


def _by_storage(command: Evacuate, look: LastLook) -> Refusal | None:
    """Refuse whatever would make a disk anew that lies on shared storage, and is good.

    With a named destination (2.68) that happens without a word where the host does not see the disk.
    """
    if look.server is None:
        return None
    shared = look.storage is not None and bool(disks_of(look.server).local)
    is_asked_so = command.destination is None
    if shared == is_asked_so and is_asked_so == bool(look.recovery.candidate.storage):
        return None
    what = f"lie on {look.storage}, which hosts share" if shared else "do not lie on shared storage"
    return Refusal(
        to=RecoveryState.HELD,
        reason=f"by what is declared now its local disks {what}; its evacuation was meant otherwise",
    )


def _by_policy(look: LastLook) -> Refusal | None:
    recovery = look.recovery
    if look.poison is not None:
        return Refusal(to=RecoveryState.HELD, reason=look.poison)
    if recovery.candidate.treatment not in {Treatment.EVACUATE, Treatment.REBUILD}:
        return Refusal(to=RecoveryState.HELD, reason=recovery.candidate.reason)
    if recovery.candidate.treatment is Treatment.REBUILD and not recovery.data_loss_committed:
        return Refusal(
            to=RecoveryState.HELD, reason="the loss of its local disks was not journalled"
        )
    return None


def _by_proof(command: Evacuate, look: LastLook) -> Refusal | None:
    incident = look.incident
    why: str | None = None
    if incident.home.power_ons:
        why = "its host was switched on again in this incident"
    elif incident.state is not IncidentState.RECOVERING:
        why = f"its host's incident is {incident.state}"
    elif incident.isolation is None or command.baseline != incident.isolation.baseline:
        why = "its host was isolated anew meanwhile"
    else:
        why = why_not_proven_now(
            incident,
            probe=look.probe,
            power=look.power,
            service=look.service,
            elsewhere=look.elsewhere,
            noise=look.noise,
            now=look.now,
        )
    return Refusal(to=RecoveryState.QUEUED, reason=why) if why else None
