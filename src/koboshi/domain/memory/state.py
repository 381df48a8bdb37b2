"""What Koboshi remembers: a fold over the journal's events, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import assert_never

from koboshi.domain.alone.stops import Stop, StopState, with_moved, with_seen, with_started
from koboshi.domain.alone.unwell import Unwell, Unwells, with_lost, with_rebooted
from koboshi.domain.incidents.incident import INCIDENT_STEPS, Incident, IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import (
    NO_INCIDENT,
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
from koboshi.domain.memory.devices import DeviceEvent, Devices, learned
from koboshi.domain.memory.holds import HoldEvent, Holds, held, restarted
from koboshi.domain.memory.learning import (
    IncidentLesson,
    RecoveryLesson,
    incident_learned,
    recovery_ended,
    recovery_learned,
    recovery_moved,
)
from koboshi.domain.memory.lifecycle import step
from koboshi.domain.names import (
    MANAGEMENT,
    CommandId,
    HostName,
    IncidentId,
    NetworkName,
    ServerId,
)
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState, Shape, Treatment

Recoveries = Mapping[ServerId, Recovery]

_FIRST_STATE = {
    Treatment.EVACUATE: RecoveryState.QUEUED,
    Treatment.REBUILD: RecoveryState.QUEUED,
    Treatment.HOLD: RecoveryState.HELD,
    Treatment.IGNORE: RecoveryState.IGNORED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCommand:
    """A command whose end is not known yet."""

    command: Command
    intended_at: Instant
    accepted: bool = False
    unknown_since: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A prober that has reached a host for long enough, and what it asked there."""

    at: Instant
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNotice:
    """Something that a person should know about a host, until it is no longer so."""

    host: HostName
    topic: str
    text: str
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """That Nova's scheduler found no host for a shape, though these seemed to have room."""

    at: Instant
    open_hosts: frozenset[HostName]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The memory, folded."""

    starts: int = 0
    """How many daemons have led with this journal; 1 during the very first."""
    started_at: Instant | None = None
    mode: str = ""
    install: str = ""
    incidents: Mapping[IncidentId, Incident] = field(default_factory=dict[IncidentId, Incident])
    recoveries: Mapping[IncidentId, Recoveries] = field(
        default_factory=dict[IncidentId, Recoveries],
    )
    commands: Mapping[CommandId, OpenCommand] = field(default_factory=dict[CommandId, OpenCommand])
    command_count: int = 0
    fences: Mapping[HostName, Instant] = field(default_factory=dict[HostName, Instant])
    """The newest intent to switch each host off."""
    isolations: Mapping[HostName, Instant] = field(default_factory=dict[HostName, Instant])
    """The newest intent to force each host down."""
    found_down: frozenset[HostName] = frozenset()
    trusted: Mapping[HostName, Trust] = field(default_factory=dict[HostName, Trust])
    """When each host's prober was last found reliable on the management network."""
    trusted_further: Mapping[tuple[HostName, NetworkName], Trust] = field(
        default_factory=dict[tuple[HostName, NetworkName], Trust],
    )
    """The same of every further network."""
    holds: Holds = field(default_factory=Holds)
    """Whether a person or the brake holds it back."""
    devices: Devices = field(default_factory=Devices)
    """Which power devices are not believed, and when they were tried."""
    poison: Mapping[ServerId, frozenset[HostName]] = field(
        default_factory=dict[ServerId, frozenset[HostName]]
    )
    """Which hosts died shortly after they had received a server."""
    full: Mapping[Shape, Full] = field(default_factory=dict[Shape, Full])
    """The newest time that Nova found no host for each shape."""
    notices: Mapping[tuple[HostName, str], HostNotice] = field(
        default_factory=dict[tuple[HostName, str], HostNotice],
    )
    stops: Mapping[ServerId, Stop] = field(default_factory=dict[ServerId, Stop])
    """Servers that Nova stopped by itself on hosts that live."""
    unwell: Unwells = field(default_factory=dict[ServerId, Unwell])
    """Servers whose checks fail."""

    def open_incident(self, host: HostName) -> Incident | None:
        """Return the incident of `host` that is not over; there is at most one."""
        return next((i for i in self.incidents.values() if i.host == host and not i.is_over), None)

    def open_incidents(self) -> tuple[Incident, ...]:
        """Return every incident that is not over, oldest first."""
        return tuple(i for i in self.incidents.values() if not i.is_over)

    def is_busy(self, subject: str) -> bool:
        """Return whether a command about `subject` is open: another would be refused."""
        return any(c.command.subject == subject for c in self.commands.values())

    def commands_of(self, incident: IncidentId) -> tuple[OpenCommand, ...]:
        """Return the open commands of an incident."""
        return tuple(c for c in self.commands.values() if c.command.incident == incident)


def apply(state: State, at: Instant, event: ev.Event) -> State:
    """Return the state after `event`; raises IllegalTransition, and changes nothing, on nonsense."""
    if isinstance(event, HoldEvent):
        return replace(state, holds=held(state.holds, at, event))
    if isinstance(event, DeviceEvent):
        return replace(state, devices=learned(state.devices, at, event))
    if isinstance(event, IncidentLesson):
        incident = incident_learned(state.incidents[event.incident], at, event)
        return _with_incident(state, incident)
    if isinstance(event, RecoveryLesson):
        recovery = state.recoveries[event.incident][event.server]
        return _with_recovery(state, recovery_learned(recovery, at, event))
    match event:
        case ev.DaemonStarted():
            return replace(
                state,
                starts=state.starts + 1,
                started_at=at,
                mode=event.mode,
                install=event.install,
                holds=restarted(state.holds),
            )
        case (
            ev.HostFoundDown()
            | ev.HostSeenUp()
            | ev.WitnessTrusted()
            | ev.HostNoticed()
            | ev.HostNoticeCleared()
            | ev.StopsSeen()
            | ev.StopMoved()
            | ev.HealthLost()
            | ev.HealthBack()
            | ev.HealthGivenUp()
        ):
            return _host_event(state, at, event)
        case ev.IncidentOpened():
            incident = Incident(
                id=event.incident,
                host=event.host,
                state=IncidentState.CONFIRMED,
                reason="; ".join(event.evidence),
                opened_at=at,
                moved_at=at,
                progressed_at=at,
            )
            return _with_incident(state, incident)
        case ev.IncidentMoved():
            return _incident_moved(state, at, event)
        case ev.ServersListed():
            return _servers_listed(state, at, event)
        case ev.NoHostFound() | ev.PoisonSuspected() | ev.WaitsForOthers():
            return _lesson(state, at, event)
        case ev.CommandIntended():
            return _intended(state, at, event.command)
        case ev.CommandAccepted() | ev.CommandUnknown() | ev.CommandEnded():
            return _answered(state, at, event)
        case _:
            assert_never(event)


def fold(recorded: Iterable[tuple[Instant, ev.Event]], state: State | None = None) -> State:
    """Return the state after all of `recorded`, from the beginning or from `state`."""
    return reduce(lambda s, r: apply(s, r[0], r[1]), recorded, state or State())


def _incident_moved(state: State, at: Instant, event: ev.IncidentMoved) -> State:
    incident = state.incidents[event.incident]
    to = step(INCIDENT_STEPS, incident.state, event.to)
    if to is IncidentState.FENCING:  # what was proven before a new fence proves nothing
        incident = replace(incident, proof=None, isolation=None)
    if to is IncidentState.RETURNING:  # each return counts its own heartbeats
        home = replace(incident.home, beats=0, beat=None, refused_since=None)
        incident = replace(incident, home=home)
    moved = replace(incident, state=to, reason=event.reason, moved_at=at, progressed_at=at)
    return _with_incident(state, moved)


def _with_incident(state: State, incident: Incident) -> State:
    return replace(state, incidents={**state.incidents, incident.id: incident})


def _with_recovery(state: State, recovery: Recovery) -> State:
    of_incident = {**state.recoveries.get(recovery.incident, {}), recovery.server: recovery}
    return replace(state, recoveries={**state.recoveries, recovery.incident: of_incident})


def _host_event(
    state: State,
    at: Instant,
    event: ev.HostFoundDown
    | ev.HostSeenUp
    | ev.WitnessTrusted
    | ev.HostNoticed
    | ev.HostNoticeCleared
    | ev.StopsSeen
    | ev.StopMoved
    | ev.HealthLost
    | ev.HealthBack
    | ev.HealthGivenUp,
) -> State:
    match event:
        case ev.HealthLost() | ev.HealthBack() | ev.HealthGivenUp():
            return _health_event(state, at, event)
        case ev.StopsSeen() | ev.StopMoved():
            return _stop_event(state, at, event)
        case ev.HostFoundDown():
            return replace(state, found_down=state.found_down | {event.host})
        case ev.HostSeenUp():
            return replace(state, found_down=state.found_down - {event.host})
        case ev.WitnessTrusted():
            trust = Trust(at=at, target=event.target)
            if event.network == MANAGEMENT:
                return replace(state, trusted={**state.trusted, event.host: trust})
            key = (event.host, event.network)
            return replace(state, trusted_further={**state.trusted_further, key: trust})
        case ev.HostNoticed():
            notice = HostNotice(host=event.host, topic=event.topic, text=event.text, since=at)
            return replace(state, notices={**state.notices, (event.host, event.topic): notice})
        case ev.HostNoticeCleared():
            topic = (event.host, event.topic)
            return replace(state, notices={k: n for k, n in state.notices.items() if k != topic})


def _waits(state: State, at: Instant, event: ev.WaitsForOthers) -> State:
    recovery = state.recoveries[event.incident][event.server]
    if not event.awaits:  # it gets on: what held it up is no stall
        incident = state.incidents[event.incident]
        state = _with_incident(state, replace(incident, progressed_at=at))
    waits = replace(
        recovery,
        reason=event.reason,
        waits_since=recovery.waits_since or at,
        awaits=event.awaits,
        wait_is_over=not event.awaits,
    )
    return _with_recovery(state, waits)


def _health_event(
    state: State, at: Instant, event: ev.HealthLost | ev.HealthBack | ev.HealthGivenUp
) -> State:
    if isinstance(event, ev.HealthLost):
        server, name, host, reason = event.server, event.name, event.host, event.reason
        lost = Unwell(server=server, name=name, host=host, since=at, reason=reason)
        return replace(state, unwell=with_lost(state.unwell, at, lost))
    known = state.unwell[event.server]
    if isinstance(event, ev.HealthBack):
        known = replace(known, is_over=True)
    else:
        known = replace(known, given_up=True)
    return replace(state, unwell={**state.unwell, event.server: known})


def _lesson(
    state: State, at: Instant, event: ev.NoHostFound | ev.PoisonSuspected | ev.WaitsForOthers
) -> State:
    """Return the state that knows what a server's evacuation taught of it, or of its like."""
    if isinstance(event, ev.WaitsForOthers):
        return _waits(state, at, event)
    if isinstance(event, ev.PoisonSuspected):
        hosts = state.poison.get(event.server, frozenset()) | {event.host}
        return replace(state, poison={**state.poison, event.server: hosts})
    recovery = state.recoveries[event.incident][event.server]
    full = Full(at=at, open_hosts=event.open_hosts)
    state = replace(state, full={**state.full, recovery.candidate.shape: full})
    return _with_recovery(state, replace(recovery, no_host_found=True))


def _stop_event(state: State, at: Instant, event: ev.StopsSeen | ev.StopMoved) -> State:
    if isinstance(event, ev.StopMoved):
        moved = with_moved(state.stops, at, event.server, event.to, event.reason)
        return replace(state, stops=moved)
    new = [
        Stop(
            server=server.id,
            name=server.name,
            host=event.host,
            cause=event.cause,
            state=event.to,
            reason=event.reason,
            seen_at=at,
            moved_at=at,
        )
        for server in event.servers
    ]
    return replace(state, stops=with_seen(state.stops, at, new))


def _servers_listed(state: State, at: Instant, event: ev.ServersListed) -> State:
    known = state.recoveries.get(event.incident, {})
    new = {
        c.server: Recovery(
            incident=event.incident,
            candidate=c,
            state=_FIRST_STATE[c.treatment],
            reason=c.reason,
            seen_at=at,
            moved_at=at,
        )
        for c in event.candidates
        if c.server not in known
    }
    incident = replace(state.incidents[event.incident], servers_listed=True)
    state = _with_incident(state, incident)
    return replace(state, recoveries={**state.recoveries, event.incident: {**known, **new}})


def _intended(state: State, at: Instant, command: Command) -> State:
    opened = OpenCommand(command=command, intended_at=at)
    state = replace(
        state,
        commands={**state.commands, command.id: opened},
        command_count=state.command_count + 1,
    )
    match command:
        case FenceOff():
            incident = state.incidents[command.incident]
            state = replace(state, fences={**state.fences, command.host: at})
            return _with_incident(
                state, replace(incident, fence_attempts=incident.fence_attempts + 1)
            )
        case Evacuate():
            recovery = state.recoveries[command.incident][command.server]
            recovery = recovery_moved(recovery, RecoveryState.POSTING, command.to, at)
            return _with_recovery(
                state,
                replace(
                    recovery,
                    command=command.id,
                    destination=command.destination,
                    known_records=command.known_records,
                    open_records=command.open_records,
                    no_host_found=False,
                    posts=recovery.posts + 1,
                ),
            )
        case TryFence():
            return replace(state, fences={**state.fences, command.host: at})
        case Isolate():
            return replace(state, isolations={**state.isolations, command.host: at})
        case StartServer() if command.incident == NO_INCIDENT:
            return replace(state, stops=with_started(state.stops, at, command.server))
        case RebootServer() if command.incident == NO_INCIDENT:
            return replace(state, unwell=with_rebooted(state.unwell, at, command.server))
        case StopServer():
            recovery = state.recoveries[command.incident][command.server]
            return _with_recovery(state, replace(recovery, stop_asked_at=at))
        case PowerOn() | LiftForceDown() | EnableService() | RestoreDisable():
            return _on_its_way_home(state, at, command)
        case StartServer() | RebootServer():
            return _starting(state, at, command)


def _on_its_way_home(
    state: State, at: Instant, command: PowerOn | LiftForceDown | EnableService | RestoreDisable
) -> State:
    incident = state.incidents[command.incident]
    home = replace(incident.home, asked_at=at)
    if isinstance(command, PowerOn):
        home = replace(home, power_ons=home.power_ons + 1, powered_on_at=at)
    return _with_incident(state, replace(incident, home=home))


def _starting(state: State, at: Instant, command: StartServer | RebootServer) -> State:
    recovery = state.recoveries.get(command.incident, {}).get(command.server)
    if recovery is None:  # no host's failure: the server alone had stopped
        return state
    by_reboot = isinstance(command, RebootServer)
    return _with_recovery(
        state,
        replace(
            recovery,
            start_asked_at=at,
            starts=recovery.starts + (not by_reboot),
            reboots=recovery.reboots + by_reboot,
        ),
    )


def _answered(
    state: State, at: Instant, event: ev.CommandAccepted | ev.CommandUnknown | ev.CommandEnded
) -> State:
    opened = state.commands[event.command]
    if isinstance(event, ev.CommandAccepted) or (
        isinstance(event, ev.CommandEnded) and event.outcome in {Outcome.DONE, Outcome.FAILED}
    ):
        incident = state.incidents.get(opened.command.incident)
        if incident is not None:
            state = _with_incident(state, replace(incident, progressed_at=at))
    recovery = (
        state.recoveries[opened.command.incident][opened.command.server]
        if isinstance(opened.command, Evacuate)
        else None
    )
    if isinstance(event, ev.CommandEnded):
        state = _alone_ended(state, at, opened.command, event)
        state = _learned_on_the_way_home(state, at, opened.command, event)
        state = replace(
            state, commands={k: c for k, c in state.commands.items() if k != event.command}
        )
        return _with_recovery(state, recovery_ended(recovery, event)) if recovery else state
    if isinstance(event, ev.CommandAccepted):
        opened, to = replace(opened, accepted=True, unknown_since=None), RecoveryState.BUILDING
        recovery = replace(recovery, refusals=0) if recovery else None
    else:
        opened, to = replace(opened, unknown_since=at), RecoveryState.UNKNOWN
        recovery = replace(recovery, pinned=recovery.destination) if recovery else None
    state = replace(state, commands={**state.commands, event.command: opened})
    if recovery is None:
        return state
    return _with_recovery(state, recovery_moved(recovery, to, event.detail, at))


def _alone_ended(state: State, at: Instant, command: Command, event: ev.CommandEnded) -> State:
    """Return the state after a start of a server that stopped alone: what was not sent is due again."""
    if not isinstance(command, StartServer) or command.incident != NO_INCIDENT:
        return state
    if event.outcome is not Outcome.REFUSED:
        return state
    moved = with_moved(state.stops, at, command.server, StopState.DUE, event.detail)
    return replace(state, stops=moved)


def _learned_on_the_way_home(
    state: State, at: Instant, command: Command, event: ev.CommandEnded
) -> State:
    """Remember what Nova refused: since when it will not lift, and a reboot that was none."""
    refused = event.outcome is Outcome.REFUSED
    if isinstance(command, FenceOff) and event.outcome is Outcome.DONE:
        incident = state.incidents[command.incident]
        return _with_incident(state, replace(incident, switched_off=True))
    if isinstance(command, LiftForceDown):
        incident = state.incidents[command.incident]
        home = incident.home
        since = (home.refused_since or at) if refused else None
        home = replace(home, refused_since=since, refusal=event.detail if refused else "")
        return _with_incident(state, replace(incident, home=home))
    if isinstance(command, RebootServer) and refused:
        recovery = state.recoveries.get(command.incident, {}).get(command.server)
        if recovery is not None:
            return _with_recovery(state, replace(recovery, reboots=recovery.reboots - 1))
    return state
