"""What happened in a story, line by line: the one text for logs, for eyes, and for a script's `when`.

A line of the log is stable: words that code names (kinds, states, outcomes), names from the story's
cloud, no ids and no sentences. The sentence that says why stands beside it, for people only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import anyio

from koboshi.domain.alone import telling
from koboshi.domain.alone.telling import AloneEvent
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
from koboshi.domain.names import CommandId, HostName, IncidentId
from koboshi.domain.recoveries.recovery import Candidate, Treatment


class Voice(StrEnum):
    """Who a line is about."""

    WORLD = "world"
    """What really happens: faults, power, guests, requests that arrive."""
    KOBOSHI = "koboshi"
    """What Koboshi remembers: each event of its journal."""
    END = "end"
    """How things stand when the story is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a story."""

    at_s: float
    voice: Voice
    text: str
    why: str = ""

    def __str__(self) -> str:
        """Return the line as it stands in a log: the time in whole seconds."""
        return f"{int(self.at_s):5} {self.voice:<7} {self.text}"


Listener = Callable[[Line], None]


class Chronicle:
    """Collects a story's lines in the order in which things happen."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._listeners: list[Listener] = []
        self._hosts: dict[IncidentId, HostName] = {}
        self._commands: dict[CommandId, Command] = {}

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each line from now on, in the moment it is written."""
        self._listeners.append(listener)

    def write(self, voice: Voice, text: str, why: str = "") -> None:
        """Write what happens now."""
        line = Line(at_s=anyio.current_time(), voice=voice, text=text, why=why)
        self.lines.append(line)
        for listener in tuple(self._listeners):
            listener(line)

    def event(self, event: ev.Event) -> None:
        """Write an event that was journalled now."""
        if isinstance(event, ev.DeviceIdentified):
            return  # one a device, at the first start: of no use to a reader
        text, why = self._told(event)
        self.write(Voice.KOBOSHI, text, why)

    def _told(self, event: ev.Event) -> tuple[str, str]:
        if isinstance(event, HoldEvent):
            return words_for(event)
        if isinstance(event, DeviceEvent):
            return devices.words_for(event)
        if isinstance(event, AloneEvent):
            return telling.words_for(event)
        match event:
            case ev.DaemonStarted():
                return f"daemon started {event.mode}", f"version {event.version}"
            case ev.HostFoundDown():
                return f"host {event.host} found_down", ""
            case ev.HostSeenUp():
                return f"host {event.host} seen_up", ""
            case ev.WitnessTrusted():
                return f"host {event.host} trusted", event.target
            case ev.HostNoticed():
                return f"notice {event.host} {_topic(event)}", event.text
            case ev.HostNoticeCleared():
                return f"notice {event.host} {_topic(event)} over", ""
            case ev.IncidentOpened():
                self._hosts[event.incident] = event.host
                return f"incident {event.host} opened", "; ".join(event.evidence)
            case (
                ev.CommandIntended()
                | ev.CommandAccepted()
                | ev.CommandUnknown()
                | ev.CommandEnded()
            ):
                return self._command(event)
            case _:
                return self._step(event)

    def _step(
        self,
        event: ev.IncidentMoved
        | ev.WordGiven
        | ev.WordVoided
        | ev.DeathProven
        | ev.HostIsolated
        | ev.HostBeat
        | ev.HostReleased
        | ev.ServersListed
        | ev.RecoveryMoved
        | ev.DataLossCommitted
        | ev.DestinationChosen
        | ev.WaitsForOthers
        | ev.StorageNotSeen
        | ev.NoHostFound
        | ev.PoisonSuspected,
    ) -> tuple[str, str]:
        host = self._hosts.get(event.incident, HostName("?"))
        match event:
            case ev.IncidentMoved():
                return f"incident {host} {event.to}", event.reason
            case ev.HostBeat():
                return f"beat {host}", ""
            case ev.HostReleased():
                return f"host {host} released", event.by
            case ev.WordGiven():
                what = "given to fence" if event.to_fence else "given"
                return f"word {host} {what}", f"{event.by}: {event.note}"
            case ev.WordVoided():
                return f"word {host} void", event.reason
            case ev.DeathProven():
                return f"proof {host} {event.proof.kind}", ""
            case ev.HostIsolated():
                return f"isolated {host}", event.isolation.marker
            case ev.ServersListed():
                return f"listed {host} {_treatments(event.candidates)}".strip(), _reasons(event)
            case _:
                return _of_server(event)

    def _command(
        self, event: ev.CommandIntended | ev.CommandAccepted | ev.CommandUnknown | ev.CommandEnded
    ) -> tuple[str, str]:
        match event:
            case ev.CommandIntended():
                self._commands[event.command.id] = event.command
                return f"command {_named(event.command)} intended", ""
            case ev.CommandAccepted():
                outcome = "accepted"
            case ev.CommandUnknown():
                outcome = "unknown"
            case ev.CommandEnded():
                outcome = f"ended {event.outcome}"
        command = self._commands.get(event.command)
        name = "?" if command is None else _named(command)
        return f"command {name} {outcome}", event.detail


def _of_server(
    event: ev.RecoveryMoved
    | ev.DataLossCommitted
    | ev.DestinationChosen
    | ev.StorageNotSeen
    | ev.NoHostFound
    | ev.PoisonSuspected
    | ev.WaitsForOthers,
) -> tuple[str, str]:
    match event:
        case ev.RecoveryMoved():
            return f"server {event.server} {event.to}", event.reason
        case ev.DataLossCommitted():
            return f"data_loss {event.server} {', '.join(event.disks)}", event.policy
        case ev.DestinationChosen():
            return f"server {event.server} goes to {event.destination}", "Nova chose it"
        case ev.PoisonSuspected():
            return f"poison {event.server} suspected", f"{event.host} died after receiving it"
        case ev.NoHostFound():
            names = ", ".join(sorted(event.open_hosts)) or "none"
            return f"no_host {event.server}", f"open as far as is known: {names}"
        case ev.StorageNotSeen():
            return f"storage {event.storage} not seen by {event.host}", f"of {event.server}"
        case ev.WaitsForOthers():
            return f"server {event.server} {_waits(event)}", event.reason
        case _:
            assert_never(event)


def _named(command: Command) -> str:
    match command:
        case FenceOff() | Isolate() | TryFence() | PowerOn():
            return f"{command.type} {command.host}"
        case LiftForceDown() | EnableService() | RestoreDisable():
            return f"{command.type} {command.host}"
        case Evacuate():
            return f"evacuate {command.server} {command.to}"
        case StopServer():
            return f"stop_server {command.server}"
        case StartServer() | RebootServer():
            return f"{command.type} {command.server} on {command.host}"


def _treatments(candidates: tuple[Candidate, ...]) -> str:
    parts: list[str] = []
    for treatment in Treatment:
        names = sorted(c.server for c in candidates if c.treatment is treatment)
        if names:
            parts.append(f"{treatment} {' '.join(names)}")
    return ", ".join(parts)


def _waits(event: ev.WaitsForOthers) -> str:
    if event.awaits:
        return f"waits for {', '.join(event.awaits)}"
    return f"goes on without {', '.join(event.without)}" if event.without else "waits no more"


def _reasons(event: ev.ServersListed) -> str:
    return "; ".join(f"{c.server}: {c.reason}" for c in event.candidates)


def _topic(event: ev.HostNoticed | ev.HostNoticeCleared) -> str:
    """Return what a notice is about, without which record of it: Nova names those by chance."""
    return event.topic.partition("/")[0]
