"""The last questions on a host's way home: before its power, its force-down, and its disable.

Asked by the planner of its picture, and by the executor of what it has just read itself.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from re import escape, search

from koboshi.domain.facts.cloud import ComputeService, Migration
from koboshi.domain.forecasting.stale import cure
from koboshi.domain.incidents.incident import Incident, IncidentState, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.judging.proof import is_ours
from koboshi.domain.memory.commands import (
    EnableService,
    LiftForceDown,
    PowerOn,
    RestoreDisable,
)
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.recovery import ON_ITS_WAY, WAITING, Recovery, RecoveryState

ON_AFTER = timedelta(seconds=30)
"""A power-on waits this long after the newest *off* that anybody meant (never shorter)."""
POWER_ON_TRIES = 2
ELSEWHERE_WITHIN = timedelta(seconds=30)
"""So long a server whose destination died may look for another before that host is switched on."""
NAMED = 3
"""So many open records are told with their server and their cure; of more, `status` shows each."""

BLOCKS_THE_LIFT = frozenset({"accepted", "pre-migrating", "done"})
"""What a starting nova-compute has not cleared away (nova 34 compute/manager.py:
_destroy_evacuated_instances); with `done` Nova refuses to lift force-down (400)."""


def bombs_of(records: Iterable[Migration]) -> tuple[Migration, ...]:
    """Return the records by which the source's next start would destroy a guest."""
    return tuple(r for r in records if r.is_evacuation and r.is_open)


def bomb_text(incident: Incident, bombs: tuple[Migration, ...]) -> str:
    """Return why a host must stay off, and the exact cure."""
    return (
        f"{incident.host} is not switched on: {named(bombs)}, and its nova-compute would destroy those "
        f"guests at its next start. Make sure that nobody works on them, then {cures(bombs)}"
    )


def named(bombs: Sequence[Migration]) -> str:
    """Return how many open records there are, and which: of the first few their servers too.

    Each is named in any case: `stopped_by` finds a record by its name.
    """
    told = [f"record {r.id} of server {r.server}, {r.status}" for r in bombs[:NAMED]]
    more = [f"record {r.id}" for r in bombs[NAMED:]]
    rest = [f"and {len(more)} more: {', '.join(more)}"] if more else []
    count = "1 evacuation record" if len(bombs) == 1 else f"{len(bombs)} evacuation records"
    verb = "was" if len(bombs) == 1 else "were"
    return f"{count} of it {verb} never ended ({'; '.join(told + rest)})"


def cures(bombs: Sequence[Migration]) -> str:
    """Return how to end the first few of the records, each; of more, where theirs stand."""
    every = tuple(dict.fromkeys(cure(r) for r in bombs))  # one ends all records of its server
    more = len(every) - NAMED
    told = "; ".join(every[:NAMED])
    return f"{told}; and the same for {more} more: koboshi status" if more > 0 else told


def stopped_by(incident: Incident, records: Iterable[Migration]) -> tuple[Migration, ...]:
    """Return the open records of its host for which the incident was left to a person, however young.

    Its reason names each of them; records that are open for another reason are nobody's bomb yet.
    """
    if incident.state is not IncidentState.NEEDS_HUMAN:
        return ()
    named = r"\brecord {}(?![\w-])"
    return tuple(
        r for r in bombs_of(records) if search(named.format(escape(r.id)), incident.reason)
    )


def why_not_power_on(incident: Incident, state: State, now: Instant) -> str | None:
    """Return why the incident's host must not be switched on now, by what is remembered."""
    recoveries = state.recoveries.get(incident.id, {}).values()
    fenced_at = state.fences.get(incident.host)
    kind = incident.proof.kind if incident.proof else None
    if kind is not ProofKind.FENCED_OFF or not incident.switched_off:
        return "Koboshi did not switch it off"
    if incident.isolation is None:
        return "it is not held down in Nova"
    moving = [r for r in recoveries if r.state in ON_ITS_WAY | WAITING or r.command is not None]
    if moving:
        return f"{moving[0].candidate.name} is {moving[0].state}"
    if any(r.state is RecoveryState.ORPHAN_SUSPECTED for r in recoveries):
        return "a second copy of one of its servers may run somewhere"
    if fenced_at is not None and now.surely_since(fenced_at) < ON_AFTER:
        return f"it was switched off less than {ON_AFTER.total_seconds():.0f} s ago"
    if sent := _sent_here(incident.host, state, now):
        return f"{sent.candidate.name} was sent there, and must be elsewhere before it lives"
    return None


def _sent_here(host: HostName, state: State, now: Instant) -> Recovery | None:
    """Return a server of another host that Nova may begin to make here as soon as this host lives."""
    return next(
        (
            recovery
            for of_host in state.recoveries.values()
            for recovery in of_host.values()
            if _leaves(recovery, host, now)
        ),
        None,
    )


def _leaves(recovery: Recovery, host: HostName, now: Instant) -> bool:
    """Return whether a server was asked for at `host` and is about to be made elsewhere.

    While the host is proven dead it goes elsewhere, and has to be there first. One whose answer was
    lost may be asked for at this host alone: it awaits the return. So does one that finds no other.
    """
    if recovery.state in WAITING:
        looks = now.since(recovery.moved_at) < ELSEWHERE_WITHIN
        return looks and host in recovery.failed_destinations
    if recovery.destination == host:
        return recovery.state is RecoveryState.BUILDING
    return recovery.state in ON_ITS_WAY and host in recovery.failed_destinations


def why_not_on_now(
    command: PowerOn, incident: Incident, state: State, now: Instant,
    records: Iterable[Migration], service: ComputeService | None,
) -> str | None:  # fmt: skip
    """Return why a power-on must not leave, by what was just read, too."""
    if incident.state is not IncidentState.POWERING_ON or incident.host != command.host:
        return f"its incident is {incident.state}"
    if incident.home.power_ons > POWER_ON_TRIES:
        return f"it was tried {POWER_ON_TRIES} times"
    if why := why_not_power_on(incident, state, now):
        return why
    if bombs := bombs_of(records):
        return bomb_text(incident, bombs)
    isolation = incident.isolation
    if service is None or isolation is None or not is_ours(isolation, service):
        return "its compute service is not forced down and disabled with our marker any more"
    return None


def why_not_lift(
    command: LiftForceDown, incident: Incident, service: ComputeService | None
) -> str | None:
    """Return why force-down must not be lifted."""
    if incident.state is not IncidentState.RECONCILING:
        return f"its incident is {incident.state}"
    if why := _why_not_ours(command, incident, service):
        return why
    return None if service is not None and service.forced_down else "it is lifted already"


def stays_disabled(incident: Incident) -> bool:
    """Return whether an operator had disabled the host before it died: enabling it is theirs."""
    return incident.handed_over is not None


def why_not_enable(
    command: EnableService | RestoreDisable,
    incident: Incident,
    service: ComputeService | None,
    records: Iterable[Migration],
) -> str | None:
    """Return why the host must not be given back: only our own disable is ours to clear."""
    if incident.state is not IncidentState.ENABLING:
        return f"its incident is {incident.state}"
    if why := _why_not_ours(command, incident, service):
        return why
    if service is not None and service.forced_down:
        return "it is still forced down"
    if bombs := bombs_of(records):
        return f"{named(bombs)}: {cures(bombs)}"
    if isinstance(command, EnableService) and stays_disabled(incident):
        return "an operator had disabled it before: enabling it is theirs"
    return None


def _why_not_ours(
    command: LiftForceDown | EnableService | RestoreDisable,
    incident: Incident,
    service: ComputeService | None,
) -> str | None:
    isolation = incident.isolation
    if service is None or service.id != command.service:
        return "Nova does not list its compute service"
    if isolation is None or isolation.marker != command.marker:
        return "the marker is not this incident's"
    if service.enabled:
        return "it is enabled already"
    if service.disabled_reason != command.marker:
        return f"somebody else disabled it ({service.disabled_reason or 'without a reason'})"
    return None
