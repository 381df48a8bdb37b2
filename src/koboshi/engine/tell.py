"""From events to notices: what a person should hear of, how urgently, in one sentence."""

from koboshi.domain.alone.stops import STOP_MEANING, StopCause, StopState
from koboshi.domain.incidents.incident import INCIDENT_MEANING, IncidentState, ProofKind
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.holds import HoldEvent, words_for
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.recoveries.recovery import NEEDS_A_PERSON, RECOVERY_MEANING, RecoveryState
from koboshi.engine.together import FOUND_DOWN, OfOneHost, Together, topic_of
from koboshi.ports.journal import Recorded
from koboshi.ports.notify import Notice, Notifier, Severity

_INCIDENT_SEVERITY = {
    IncidentState.HELD: Severity.CRITICAL,
    IncidentState.WOULD_ACT: Severity.CRITICAL,
    IncidentState.UNPROVEN: Severity.CRITICAL,
    IncidentState.SOURCE_BACK: Severity.CRITICAL,
    IncidentState.NEEDS_HUMAN: Severity.CRITICAL,
    IncidentState.FOREIGN: Severity.WARNING,
    IncidentState.RECOVERING: Severity.WARNING,
    IncidentState.SETTLED: Severity.WARNING,
    IncidentState.PARKED: Severity.WARNING,
    IncidentState.POWERING_ON: Severity.INFO,
    IncidentState.RETURNING: Severity.INFO,
    IncidentState.QUARANTINED: Severity.CRITICAL,
    IncidentState.CLOSED: Severity.INFO,
}
"""Incident states that are told; the others pass quickly, and stand in the timeline."""

_TOPIC_SEVERITY = {
    "stale_record": Severity.CRITICAL,
    "disabled_and_dark": Severity.CRITICAL,
    "down_inside": Severity.CRITICAL,
    "hung": Severity.CRITICAL,
    "recovery_stalled": Severity.CRITICAL,
    "silent_unconfirmed": Severity.CRITICAL,
    "bmc_contradicts": Severity.CRITICAL,
    "bmc_mistaken": Severity.CRITICAL,
    "waiting_for_a_person": Severity.CRITICAL,
    "servers_held": Severity.CRITICAL,
    "lift_refused": Severity.CRITICAL,
}


class Teller:
    """Turns each journalled event into at most one notice.

    What is noticed of many hosts in one moment is one matter: our own uplink, a switch, a setting.
    """

    def __init__(self, notifier: Notifier, install: str) -> None:
        self._notifier = notifier
        self._install = install
        self._together = Together()

    def __call__(self, record: Recorded, state: State) -> None:
        """Tell of `record`, if it is to be told; `state` is the memory after it."""
        event = record.event
        if isinstance(event, OfOneHost):
            self._together.add(record, event)  # told at the end of the transaction
        elif (told := _told(event, state)) is not None:
            self._send(record, told)

    def flush(self) -> None:
        """Tell what was noticed of hosts in the transaction that ended."""
        for record, of_many in self._together.matters():
            if not isinstance(record.event, OfOneHost):
                continue
            told = _of_host(record.event)
            if of_many is not None:
                told = (told[0], of_many, None, None, topic_of(record.event))
            self._send(record, told)

    def _send(self, record: Recorded, told: "_Told") -> None:
        severity, summary, host, incident, topic = told
        subject = incident or (f"{host}/{topic}" if host else topic)
        self._notifier.send(
            Notice(
                id=f"{self._install}-{record.seq}",
                key=f"{self._install}/{subject}",
                kind=record.event.kind,
                severity=severity,
                at=record.at,
                summary=summary,
                host=host,
                incident=incident,
            ),
        )


_Told = tuple[Severity, str, HostName | None, IncidentId | None, str]


def _word(event: ev.WordGiven) -> str:
    if event.to_fence:
        return (
            f"{event.by} says that host {event.host}, which answers, may be switched off: its servers are "
            "recovered when its power reads off"
        )
    return f"{event.by} says that host {event.host} is dead: its servers are recovered on this word"


def _told(event: ev.Event, state: State) -> _Told | None:
    match event:
        case (
            ev.HostNoticed()
            | ev.HostNoticeCleared()
            | ev.HostFoundDown()
            | ev.FenceTested()
            | ev.PoisonSuspected()
        ):
            return _of_host(event)
        case ev.IncidentOpened():
            text = f"host {event.host} fails: {'; '.join(event.evidence)}"
            return Severity.CRITICAL, text, event.host, event.incident, ""
        case ev.IncidentMoved():
            return _incident_moved(event, state)
        case ev.WordGiven():
            return Severity.WARNING, _word(event), event.host, event.incident, ""
        case ev.WordVoided():
            host = _host(event.incident, state)
            text = f"the word that host {host} is dead is VOID: {event.reason}. Nothing more is sent on it"
            return Severity.CRITICAL, text, host, event.incident, ""
        case ev.DeathProven() if event.proof.kind is ProofKind.SILENCE:
            host = _host(event.incident, state)
            text = f"host {host} is ASSUMED dead after long silence, not proven: its servers are recovered"
            return Severity.CRITICAL, text, host, event.incident, ""
        case ev.DataLossCommitted() | ev.WaitsForOthers():
            return _of_server(event, state)
        case ev.RecoveryMoved():
            return _recovery_moved(event, state)
        case ev.StopsSeen() | ev.StopMoved():
            return _of_stop(event, state)
        case ev.HealthLost() | ev.HealthBack() | ev.HealthGivenUp():
            return _of_health(event, state)
        case ev.BrakeHeld() | ev.Disarmed():
            return Severity.CRITICAL, _sentence(event), None, None, "brake"
        case ev.DomainConfirmed():
            return Severity.CRITICAL, _sentence(event), None, None, "domain"
        case ev.BrakeReleased() | ev.Armed() | ev.DisarmEnded():
            return Severity.INFO, _sentence(event), None, None, "brake"
        case _:
            return None


def _of_host(
    event: ev.HostNoticed
    | ev.HostNoticeCleared
    | ev.HostFoundDown
    | ev.FenceTested
    | ev.PoisonSuspected,
) -> _Told:
    match event:
        case ev.HostNoticed():
            severity = _TOPIC_SEVERITY.get(event.topic.partition("/")[0], Severity.WARNING)
            return severity, event.text, event.host, None, event.topic
        case ev.HostNoticeCleared():
            text = f"{event.host}: '{event.topic}' is over"
            return Severity.INFO, text, event.host, None, event.topic
        case ev.HostFoundDown():
            text = (
                f"{event.host} was down before Koboshi first saw it: it is not recovered by itself. "
                f"Bring it back; or, if it is dead for sure, say so: koboshi host confirm-dead {event.host}"
            )
            return Severity.CRITICAL, text, event.host, None, FOUND_DOWN
        case ev.PoisonSuspected():
            text = (
                f"{event.host} died within ten minutes of receiving server {event.server}, which may have "
                "killed it: it goes last, alone, and once more at most"
            )
            return Severity.WARNING, text, event.host, event.incident, ""
        case ev.FenceTested():
            severity = Severity.INFO if event.ok else Severity.CRITICAL
            return severity, f"fence test: {event.detail}", event.host, None, "fence_tested"


def _of_health(event: ev.HealthLost | ev.HealthBack | ev.HealthGivenUp, state: State) -> _Told:
    known = state.unwell[event.server]
    severity = {
        ev.HealthLost: Severity.WARNING,
        ev.HealthBack: Severity.INFO,
        ev.HealthGivenUp: Severity.CRITICAL,
    }[type(event)]
    text = f"server {known.name or known.server} on {known.host}: {event.reason}"
    return severity, text, known.host, None, f"health_{event.server}"


def _of_stop(event: ev.StopsSeen | ev.StopMoved, state: State) -> _Told | None:
    if isinstance(event, ev.StopsSeen):
        severity = Severity.CRITICAL if event.to is StopState.HELD else Severity.WARNING
        names = ", ".join(sorted(server.name or server.id for server in event.servers))
        why = "it rebooted" if event.cause is StopCause.REBOOT else "their guests ended"
        text = (
            f"Nova stopped {len(event.servers)} servers of {event.host} by itself ({names}), as {why}: "
            f"{event.to}, {STOP_MEANING[event.to]} ({event.reason})"
        )
        return severity, text, event.host, None, f"stops_{event.cause}"
    if event.to is not StopState.GIVEN_UP:
        return None
    stop = state.stops[event.server]
    text = (
        f"server {stop.name or stop.server} on {stop.host} is off, and nobody wanted that: {event.reason}. "
        f"Look, and: openstack server start {stop.server}"
    )
    return Severity.CRITICAL, text, stop.host, None, f"stop_{stop.server}"


def _sentence(event: HoldEvent) -> str:
    what, why = words_for(event)
    return f"{what}: {why}"


def _host(incident: IncidentId, state: State) -> HostName:
    return state.incidents[incident].host


def _server_name(incident: IncidentId, server: str, state: State) -> str:
    recoveries = state.recoveries.get(incident, {})
    return next((r.candidate.name for r in recoveries.values() if r.server == server), server)


def _incident_moved(event: ev.IncidentMoved, state: State) -> _Told | None:
    severity = _INCIDENT_SEVERITY.get(event.to)
    if severity is None:
        return None
    host = _host(event.incident, state)
    held = sum(
        r.state is RecoveryState.HELD for r in state.recoveries.get(event.incident, {}).values()
    )
    text = f"host {host} is {event.to} ({INCIDENT_MEANING[event.to]}): {event.reason}"
    if event.to is IncidentState.SETTLED and held:
        text += (
            f". {held} servers are held: 'koboshi incident show {event.incident}' says how to go on"
        )
    return severity, text, host, event.incident, ""


def _of_server(event: ev.DataLossCommitted | ev.WaitsForOthers, state: State) -> _Told | None:
    name, host = (
        _server_name(event.incident, event.server, state),
        _host(event.incident, state),
    )
    if isinstance(event, ev.DataLossCommitted):
        text = f"server {name} is given up to its image: {event.policy}"
        return Severity.CRITICAL, text, host, event.incident, ""
    if not event.without:
        return None  # who waits, and ends it well, stands in the incident
    return Severity.WARNING, f"server {name}: {event.reason}", host, event.incident, ""


def _recovery_moved(event: ev.RecoveryMoved, state: State) -> _Told | None:
    if event.to not in NEEDS_A_PERSON | {RecoveryState.FOREIGN}:
        return None
    name = _server_name(event.incident, event.server, state)
    text = f"server {name} is {event.to} ({RECOVERY_MEANING[event.to]}): {event.reason}"
    return Severity.CRITICAL, text, _host(event.incident, state), event.incident, ""
