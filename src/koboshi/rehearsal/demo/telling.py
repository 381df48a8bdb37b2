"""The story as it happens: what Koboshi's journal and its own overview say, in lines worth reading.

Nothing in here knows the simulation's truth: it tells what an operator of Koboshi could read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from koboshi.api.timeline import PROOF_MEANING
from koboshi.api.views import StatusView
from koboshi.domain.alone.stops import STOP_MEANING
from koboshi.domain.incidents.incident import (
    COMING_HOME,
    INCIDENT_MEANING,
    IncidentState,
    ProofKind,
)
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import (
    Command,
    EnableService,
    Evacuate,
    FenceOff,
    Isolate,
    LiftForceDown,
    Outcome,
    PowerOn,
    RebootServer,
    RestoreDisable,
    StartServer,
    StopServer,
    TryFence,
)
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId
from koboshi.domain.recoveries.recovery import RECOVERY_MEANING, Candidate, RecoveryState, Treatment


class Kind(StrEnum):
    """What a line is about; the word that stands before it."""

    SCENE = "scene"
    HAPPENS = "happens"
    CHECKS = "checks"
    CONCLUDES = "concludes"
    PROOF = "proof"
    FENCES = "fences"
    ISOLATES = "isolates"
    PLANS = "plans"
    HOLDS = "holds"
    EVACUATES = "evacuates"
    STARTS = "starts"
    HOME = "home"
    BACK = "back"
    NOTICE = "notice"
    TROUBLE = "trouble"
    SETTLED = "settled"
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that is told."""

    kind: Kind
    text: str
    details: tuple[str, ...] = ()
    after_s: float | None = None
    """Since the fault; None for what belongs to no moment."""


_TROUBLE = frozenset(
    {
        RecoveryState.UNKNOWN,
        RecoveryState.STUCK,
        RecoveryState.GIVEN_UP,
        RecoveryState.ORPHAN_SUSPECTED,
        RecoveryState.FOREIGN,
        RecoveryState.REFUSED,
    }
)
_LOUD = frozenset(
    {
        IncidentState.HELD,
        IncidentState.UNPROVEN,
        IncidentState.SOURCE_BACK,
        IncidentState.NEEDS_HUMAN,
        IncidentState.FOREIGN,
    }
)
_TREATED: dict[Treatment, tuple[Kind, str]] = {
    Treatment.EVACUATE: (Kind.PLANS, "evacuate"),
    Treatment.REBUILD: (Kind.PLANS, "make again from the image"),
    Treatment.HOLD: (Kind.HOLDS, "hold"),
    Treatment.IGNORE: (Kind.HOLDS, "leave alone"),
}


Line = tuple[Kind, str, tuple[str, ...]]
"""Kind, text, and details of something that is said."""


class Telling:
    """Turns events into lines; remembers the names that later events mention only by id."""

    def __init__(self) -> None:
        self._names: dict[ServerId, Candidate] = {}
        self._hosts: dict[IncidentId, HostName] = {}
        self._commands: dict[CommandId, Command] = {}
        self._destinations: dict[ServerId, HostName] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._back: set[ServerId] = set()
        self._to_bring_back: set[ServerId] = set()

    def event(self, event: ev.Event) -> Iterator[Line]:
        """Yield what there is to say about one event of the journal."""
        match event:
            case ev.IncidentOpened():
                self._hosts[event.incident] = event.host
                yield (
                    Kind.CONCLUDES,
                    f"{event.host} is silent on every path that counts; nothing was done yet",
                    event.evidence,
                )
            case ev.DeathProven():
                host = self._hosts.get(event.incident, HostName("the host"))
                unfenced = event.proof.kind is ProofKind.FOUND_OFF
                more = ("it needs no fencing",) if unfenced else ()
                meaning = PROOF_MEANING[event.proof.kind]
                yield Kind.PROOF, f"{host} is dead: {meaning}", more
            case ev.HostIsolated():
                yield Kind.ISOLATES, f"Nova reads back: {event.isolation.marker}", ()
            case ev.ServersListed():
                yield from self._listed(event.candidates)
            case ev.IncidentMoved():
                yield from self._moved(event)
            case ev.RecoveryMoved():
                yield from self._recovery(event)
            case ev.DataLossCommitted():
                text = f"{self._name(event.server)} will lose {', '.join(event.disks)}"
                yield Kind.TROUBLE, text, (event.policy,)
            case ev.DestinationChosen():
                self._destinations[event.server] = event.destination
            case ev.CommandIntended():
                self._commands[event.command.id] = event.command
                yield from self._meant(event.command)
            case ev.CommandUnknown() | ev.CommandEnded():
                yield from self._answered(event)
            case ev.HealthLost():
                yield Kind.NOTICE, f"{event.name} on {event.host}: {event.reason}", ()
            case ev.StopsSeen():
                named = ", ".join(sorted(server.name for server in event.servers))
                text = f"Nova stopped {named} on {event.host} by itself: {STOP_MEANING[event.to]}"
                yield Kind.NOTICE, text, (event.reason,)
            case ev.HostNoticed():
                yield Kind.NOTICE, f"{event.host}: {event.text}", ()
            case _:
                pass

    def status(self, view: StatusView) -> Iterator[Line]:
        """Yield what changed in the overview: each host's verdict, and why."""
        for host in view.hosts:
            before = self._verdicts.get(host.host)
            self._verdicts[host.host] = host.verdict
            if before in {None, host.verdict} or host.verdict is Verdict.UNREACHABLE:
                continue  # that is the incident's to tell
            if host.incident is None:
                words = (host.meaning, *host.reasons)
                yield Kind.CHECKS, f"{host.host} is {host.verdict}", words

    def _listed(self, candidates: tuple[Candidate, ...]) -> Iterator[Line]:
        self._names |= {c.server: c for c in candidates}
        moved = {Treatment.EVACUATE, Treatment.REBUILD}
        self._to_bring_back |= {c.server for c in candidates if c.treatment in moved}
        chosen: dict[tuple[Treatment, str], list[str]] = {}
        for candidate in candidates:
            key = (candidate.treatment, candidate.reason)
            chosen.setdefault(key, []).append(candidate.name)
        for (treatment, reason), names in sorted(
            chosen.items(), key=lambda item: list(Treatment).index(item[0][0])
        ):
            kind, verb = _TREATED[treatment]
            yield kind, f"{verb} {', '.join(sorted(names))}: {reason}", ()

    def _moved(self, event: ev.IncidentMoved) -> Iterator[Line]:
        host = self._hosts.get(event.incident, HostName("the host"))
        if event.to is IncidentState.SETTLED:
            yield Kind.SETTLED, f"{host}: {INCIDENT_MEANING[event.to]}", ()
        elif event.to is IncidentState.CLOSED:
            yield Kind.SETTLED, f"{host}: {INCIDENT_MEANING[event.to]}", (event.reason,)
        elif event.to in COMING_HOME | {IncidentState.ENABLING}:
            yield Kind.HOME, f"{host}: {INCIDENT_MEANING[event.to]}", ()
        elif event.to in _LOUD:
            yield Kind.TROUBLE, f"{host} is {event.to}: {event.reason}", ()

    def _recovery(self, event: ev.RecoveryMoved) -> Iterator[Line]:
        name = self._name(event.server)
        if event.to is RecoveryState.QUEUED:  # one that was held, maybe: a person gave up its disks
            self._to_bring_back.add(event.server)
        if event.to is RecoveryState.DONE:
            self._back.add(event.server)
            candidate = self._names.get(event.server)
            on = self._destinations.get(event.server) or self._hosts.get(event.incident, "?")
            off = candidate is not None and candidate.vm_state == "stopped"
            how = f"belongs to {on} now, and is off as it was" if off else f"is up again on {on}"
            yield Kind.BACK, f"{name} {how} ({len(self._back)} of {len(self._to_bring_back)})", ()
        elif event.to in _TROUBLE:
            text = f"{name} is {event.to}: {RECOVERY_MEANING[event.to]}"
            yield Kind.TROUBLE, text, (event.reason,)

    def _meant(self, command: Command) -> Iterator[Line]:
        match command:
            case FenceOff():
                text = f"switching {command.host} off by its BMC, so that no copy can still run"
                yield Kind.FENCES, text, ()
            case Isolate():
                text = f"forcing nova-compute on {command.host} down and disabling it, in one PUT"
                yield Kind.ISOLATES, text, ()
            case Evacuate():
                if command.destination is not None:
                    self._destinations[command.server] = command.destination
                yield Kind.EVACUATES, f"{self._name(command.server)} {command.to}", ()
            case TryFence():
                yield Kind.FENCES, f"switching {command.host} off and on: a person tries it", ()
            case StopServer():
                text = f"stopping {self._name(command.server)} again: it was off before"
                yield Kind.EVACUATES, text, ()
            case PowerOn():
                text = f"switching {command.host} on again: its servers are safe elsewhere"
                yield Kind.HOME, text, ()
            case LiftForceDown():
                text = f"lifting force-down of {command.host}; it takes no new servers yet"
                yield Kind.HOME, text, ()
            case EnableService():
                yield Kind.HOME, f"enabling {command.host} in Nova: we had disabled it", ()
            case RestoreDisable():
                text = f"{command.host} is its operator's again: disabled, as it was"
                yield Kind.HOME, text, ()
            case StartServer() | RebootServer():
                self._to_bring_back.add(command.server)
                how = "starting" if isinstance(command, StartServer) else "rebooting"
                yield Kind.STARTS, f"{how} {self._name(command.server)} on {command.host}", ()

    def _answered(self, event: ev.CommandUnknown | ev.CommandEnded) -> Iterator[Line]:
        command = self._commands.get(event.command)
        if command is None or (
            isinstance(event, ev.CommandEnded) and event.outcome is Outcome.DONE
        ):
            return
        outcome = "unknown" if isinstance(event, ev.CommandUnknown) else event.outcome.value
        subject = (
            self._name(command.server)
            if isinstance(command, Evacuate | StopServer | StartServer | RebootServer)
            else command.host
        )
        yield Kind.TROUBLE, f"{command.type} of {subject}: {outcome}", (event.detail,)

    def _name(self, server: ServerId) -> str:
        candidate = self._names.get(server)
        return server if candidate is None else candidate.name
