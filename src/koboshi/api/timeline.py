"""An incident as a story: the journal's events in words, each with its reason."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from koboshi.api.views import TimelineEntry
from koboshi.domain.alone.telling import AloneEvent
from koboshi.domain.incidents.incident import INCIDENT_MEANING, Incident, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.memory import devices
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import (
    Command,
    EnableService,
    Evacuate,
    FenceOff,
    Isolate,
    LiftForceDown,
    PowerOn,
    RebootServer,
    RestoreDisable,
    StartServer,
    StopServer,
    TryFence,
)
from koboshi.domain.memory.devices import DeviceEvent
from koboshi.domain.memory.holds import HoldEvent, words_for
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.recovery import RECOVERY_MEANING
from koboshi.ports.journal import JournalReader, Recorded

PAGE = 10_000

PROOF_MEANING = {
    ProofKind.FENCED_OFF: "its power read off three times after our own off command",
    ProofKind.FOUND_OFF: "its power read off three times before any command of ours",
    ProofKind.KDUMP: "its crash kernel said that it writes a dump",
    ProofKind.WORD: "a person said so while every witness was silent",
    ProofKind.SILENCE: "assumed by policy after long silence; nothing proves it",
}

_Told = tuple[str, str, str]
"""Subject, what, why."""


async def read_all(journal: JournalReader) -> tuple[Recorded, ...]:
    """Return every event of the journal, page by page."""
    found: list[Recorded] = []
    while page := await journal.read(after=found[-1].seq if found else 0, limit=PAGE):
        found.extend(page)
    return tuple(found)


def timeline(incident: Incident, recorded: Iterable[Recorded]) -> list[TimelineEntry]:
    """Return the events of `incident`, in order, in words.

    Restarts of the daemon and notices about the host belong to the story while it lasts.
    """
    teller = _Teller(incident)
    entries: list[TimelineEntry] = []
    for record in recorded:
        told = teller.tell(record.event)
        if told is not None:
            entries.append(_entry(record, told, incident.opened_at))
    return entries


def _entry(record: Recorded, told: _Told, opened_at: Instant) -> TimelineEntry:
    subject, what, why = told
    return TimelineEntry(
        seq=record.seq,
        at=record.at.wall,
        offset_s=record.at.since(opened_at).total_seconds(),
        kind=record.event.kind,
        subject=subject,
        what=what,
        why=why,
    )


class _Teller:
    """Tells one incident's events; remembers names that later events mention only by id."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._is_open = False
        self._commands: dict[CommandId, Command] = {}
        self._names: dict[ServerId, str] = {}

    def tell(self, event: ev.Event) -> _Told | None:
        """Return the event in words; None if it is not of this incident."""
        if isinstance(event, HoldEvent):
            return ("koboshi", *words_for(event)) if self._is_open else None
        if isinstance(event, DeviceEvent):
            is_ours = self._is_open and event.host == self._incident.host
            return (event.host, *devices.words_for(event)) if is_ours else None
        if isinstance(event, AloneEvent):
            return None
        match event:
            case ev.DaemonStarted() | ev.HostNoticed() | ev.HostNoticeCleared():
                return self._beside(event) if self._is_open else None
            case ev.HostFoundDown() | ev.HostSeenUp() | ev.WitnessTrusted():
                return None
            case ev.CommandIntended():
                if event.command.incident != self._incident.id:
                    return None
                self._commands[event.command.id] = event.command
                return self._command(event.command)
            case ev.CommandAccepted() | ev.CommandUnknown() | ev.CommandEnded():
                return self._answer(event)
            case ev.HostBeat() | ev.HostReleased():
                return self._home(event) if event.incident == self._incident.id else None
            case _:
                return self._step(event) if event.incident == self._incident.id else None

    def _beside(
        self, event: ev.DaemonStarted | ev.HostNoticed | ev.HostNoticeCleared
    ) -> _Told | None:
        if isinstance(event, ev.DaemonStarted):
            return "koboshi", f"daemon {event.version} started", f"mode {event.mode}"
        if event.host != self._incident.host:
            return None
        if isinstance(event, ev.HostNoticed):
            return event.host, f"noticed: {event.topic}", event.text
        return event.host, f"no longer: {event.topic}", ""

    def _home(self, event: ev.HostBeat | ev.HostReleased) -> _Told:
        host = self._incident.host
        if isinstance(event, ev.HostBeat):
            return host, "nova-compute reports", f"updated_at {event.updated_at:%H:%M:%S} in Nova"
        return host, "released from quarantine", event.by

    def _step(
        self,
        event: ev.IncidentOpened
        | ev.IncidentMoved
        | ev.WordGiven
        | ev.WordVoided
        | ev.DeathProven
        | ev.HostIsolated
        | ev.ServersListed
        | ev.RecoveryMoved
        | ev.DataLossCommitted
        | ev.DestinationChosen
        | ev.WaitsForOthers
        | ev.StorageNotSeen
        | ev.NoHostFound
        | ev.PoisonSuspected,
    ) -> _Told:
        host = self._incident.host
        match event:
            case ev.IncidentOpened():
                self._is_open = True
                return host, "incident opened", "; ".join(event.evidence)
            case ev.IncidentMoved():
                if event.to == "closed":
                    self._is_open = False
                return host, f"{event.to}: {INCIDENT_MEANING[event.to]}", event.reason
            case ev.WordGiven():
                return (
                    host,
                    "a person says that it may be switched off"
                    if event.to_fence
                    else "a person says that it is dead",
                    f"{event.by}: {event.note}".strip(": "),
                )
            case ev.WordVoided():
                return host, "the word that it is dead is void", event.reason
            case ev.DeathProven():
                return host, f"death proven: {event.proof.kind}", PROOF_MEANING[event.proof.kind]
            case ev.HostIsolated():
                return host, "forced down and disabled in Nova", event.isolation.marker
            case ev.ServersListed():
                self._names |= {c.server: c.name for c in event.candidates}
                return host, f"{len(event.candidates)} servers listed", _treatments(event)
            case ev.RecoveryMoved():
                name = self._name(event.server)
                return name, f"{event.to}: {RECOVERY_MEANING[event.to]}", event.reason
            case ev.DataLossCommitted():
                name = self._name(event.server)
                return name, f"data loss committed: {', '.join(event.disks)}", event.policy
            case (
                ev.DestinationChosen()
                | ev.WaitsForOthers()
                | ev.StorageNotSeen()
                | ev.NoHostFound()
                | ev.PoisonSuspected()
            ):
                return self._learned(event)
            case _:
                assert_never(event)

    def _learned(
        self,
        event: ev.DestinationChosen
        | ev.WaitsForOthers
        | ev.StorageNotSeen
        | ev.NoHostFound
        | ev.PoisonSuspected,
    ) -> _Told:
        match event:
            case ev.DestinationChosen():
                name = self._name(event.server)
                return name, f"goes to {event.destination}", "Nova chose it"
            case ev.WaitsForOthers():
                what = f"waits for {', '.join(event.awaits)}" if event.awaits else "waits no more"
                if event.without:
                    what = f"goes on without {', '.join(event.without)}"
                return self._name(event.server), what, event.reason
            case ev.PoisonSuspected():
                why = f"{event.host} died within ten minutes of receiving it"
                return self._name(event.server), "may have killed its host", why
            case ev.NoHostFound():
                names = ", ".join(sorted(event.open_hosts)) or "none"
                why = f"its like waits for two minutes, or a host beside those that seemed open: {names}"
                return self._name(event.server), "Nova found no host for it", why
            case ev.StorageNotSeen():
                why = f"{event.host} is declared to share {event.storage}"
                return self._name(event.server), f"{event.host} does not see its disks", why

    def _command(self, command: Command) -> _Told:
        match command:
            case FenceOff():
                return command.host, "switch off", "intended; being sent"
            case Isolate():
                return command.host, "force down and disable", "intended; being sent"
            case Evacuate():
                name = self._name(command.server)
                return name, f"evacuate {command.to}", "intended; being sent"
            case TryFence():
                return command.host, "switch off and on", "intended; being sent"
            case StopServer():
                return self._name(command.server), "stop again", "intended; being sent"
            case PowerOn():
                return command.host, "switch on", "intended; being sent"
            case LiftForceDown():
                return command.host, "lift force-down", "intended; being sent"
            case EnableService():
                return command.host, "enable in Nova", "intended; being sent"
            case RestoreDisable():
                what = f"disable as it was before ({command.reason or 'without a reason'})"
                return command.host, what, "intended; being sent"
            case StartServer():
                what = f"start on {command.host}: {command.why}"
                return self._name(command.server), what, "intended; being sent"
            case RebootServer():
                what = f"HARD reboot on {command.host}: {command.why}"
                return self._name(command.server), what, "intended; being sent"

    def _answer(
        self, event: ev.CommandAccepted | ev.CommandUnknown | ev.CommandEnded
    ) -> _Told | None:
        command = self._commands.get(event.command)
        if command is None:
            return None
        subject, what, _ = self._command(command)
        match event:
            case ev.CommandAccepted():
                outcome = "accepted"
            case ev.CommandUnknown():
                outcome = "outcome unknown, being read"
            case ev.CommandEnded():
                outcome = str(event.outcome)
        return subject, f"{what}: {outcome}", event.detail

    def _name(self, server: ServerId) -> str:
        return self._names.get(server, server)


def _treatments(event: ev.ServersListed) -> str:
    counts: Mapping[str, int] = {
        treatment: sum(c.treatment == treatment for c in event.candidates)
        for treatment in dict.fromkeys(c.treatment for c in event.candidates)
    }
    return ", ".join(f"{count} to {treatment}" for treatment, count in counts.items())
