"""What the journal remembers. State is a fold over these, and nothing else.

Every event has its one-sentence meaning beside its name: API, pages and documents read that text.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from koboshi.domain.alone.stops import StopCause, StoppedServer, StopState
from koboshi.domain.incidents.incident import IncidentState, Isolation, Proof
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command, Outcome
from koboshi.domain.names import (
    MANAGEMENT,
    CellName,
    CommandId,
    DomainName,
    HostName,
    IncidentId,
    NetworkName,
    ServerId,
)
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted:
    """A daemon took over this journal."""

    kind: Literal["daemon_started"] = "daemon_started"
    version: str
    mode: str
    install: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFoundDown:
    """The host was down at the very first start: it waits for a word, nothing is automatic."""

    kind: Literal["host_found_down"] = "host_found_down"
    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeenUp:
    """A host that was found down is up: it is protected from now on."""

    kind: Literal["host_seen_up"] = "host_seen_up"
    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessTrusted:
    """The prober has reached the host for long enough: from now on its silence counts."""

    kind: Literal["witness_trusted"] = "witness_trusted"
    host: HostName
    target: str
    """What is asked, and where: trust in one address says nothing of another."""
    network: NetworkName = MANAGEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNoticed:
    """Something about a host that a person should know; nothing is done about it."""

    kind: Literal["host_noticed"] = "host_noticed"
    host: HostName
    topic: str
    """Stable: `service_failed`, `down_inside`, `hung`, `disabled_and_dark`, `bmc_contradicts`, `stale_record`, …"""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNoticeCleared:
    """What was noticed about a host is no longer so."""

    kind: Literal["host_notice_cleared"] = "host_notice_cleared"
    host: HostName
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentified:
    """A host's power device said which machine it switches: from now on it must say the same."""

    kind: Literal["device_identified"] = "device_identified"
    host: HostName
    device: str
    serial: str
    """What names the machine, and no other (Redfish: UUID, or else SerialNumber)."""
    table: str
    """What the settings said of the device then; with other settings it is another device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuarantined:
    """A host's power device was found to be wrong, or another host's: it is neither believed nor used."""

    kind: Literal["device_quarantined"] = "device_quarantined"
    host: HostName
    device: str
    """`bmc`, or `outlets` for all that feeds the host."""
    cause: str
    """Stable: `contradicts` (off while the host answered), `mistaken` (it says that it is another's)."""
    reason: str
    table: str
    """What the settings said of it then; with other settings it is another device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrusted:
    """A power device that was quarantined is believed and used again."""

    kind: Literal["device_trusted"] = "device_trusted"
    host: HostName
    device: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceTested:
    """A person had an empty, disabled host switched off and on: whether that can be done."""

    kind: Literal["fence_tested"] = "fence_tested"
    host: HostName
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened:
    """A host's silence was confirmed."""

    kind: Literal["incident_opened"] = "incident_opened"
    incident: IncidentId
    host: HostName
    evidence: tuple[str, ...]
    """Each witness's word, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMoved:
    """An incident went on to another state, for this reason."""

    kind: Literal["incident_moved"] = "incident_moved"
    incident: IncidentId
    to: IncidentState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathProven:
    """There is proof that the host is dead."""

    kind: Literal["death_proven"] = "death_proven"
    incident: IncidentId
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class WordGiven:
    """A person said that the host is dead, and answers for it."""

    kind: Literal["word_given"] = "word_given"
    host: HostName
    incident: IncidentId
    by: str
    """Who, as the operating system told: `uid 0 (root), pid 123`."""
    note: str
    handed_over: str | None = None
    """With what `disabled_reason` an operator had disabled it ("": without one); None: nobody had."""
    to_fence: bool = False  # of a host that is down inside: see GivenWord


@dataclass(frozen=True, slots=True, kw_only=True)
class WordVoided:
    """The word that the host is dead counts no more: a witness answered after it."""

    kind: Literal["word_voided"] = "word_voided"
    incident: IncidentId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIsolated:
    """The compute service reads back as forced down and disabled with our marker."""

    kind: Literal["host_isolated"] = "host_isolated"
    incident: IncidentId
    isolation: Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class HostBeat:
    """The nova-compute of a host that returns has sent a heartbeat: the first comes after its clean-up."""

    kind: Literal["host_beat"] = "host_beat"
    incident: IncidentId
    updated_at: datetime
    """By Nova's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReleased:
    """A person said that a host that failed again and again may serve again."""

    kind: Literal["host_released"] = "host_released"
    incident: IncidentId
    host: HostName
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersListed:
    """The dead host's servers, each with what is meant for it and why."""

    kind: Literal["servers_listed"] = "servers_listed"
    incident: IncidentId
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryMoved:
    """A server's recovery went on to another state, for this reason."""

    kind: Literal["recovery_moved"] = "recovery_moved"
    incident: IncidentId
    server: ServerId
    to: RecoveryState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLossCommitted:
    """By policy, or by a person's order, these local disks will be lost: the server is rebuilt."""

    kind: Literal["data_loss_committed"] = "data_loss_committed"
    incident: IncidentId
    server: ServerId
    disks: tuple[str, ...]
    policy: str
    """The line of the policy that says so, or the order in words."""
    by: str = ""
    """The person who ordered it, as the operating system told; empty where a policy did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationChosen:
    """Nova chose the destination of a server whose disks lie on shared storage."""

    kind: Literal["destination_chosen"] = "destination_chosen"
    incident: IncidentId
    server: ServerId
    destination: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageNotSeen:
    """A host that is declared to share the storage of a server did not see its disks, and refused."""

    kind: Literal["storage_not_seen"] = "storage_not_seen"
    incident: IncidentId
    server: ServerId
    storage: str
    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsForOthers:
    """A server whose turn has come waits until others are up; or it waits for nobody any more."""

    kind: Literal["waits_for_others"] = "waits_for_others"
    incident: IncidentId
    server: ServerId
    awaits: tuple[str, ...]
    """Those of the named that are not up; empty: it goes on."""
    without: tuple[str, ...] = ()
    """Those without which it goes on, though they are not up."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsSeen:
    """Nova stopped these servers of a living host by itself, and nobody had asked for it."""

    kind: Literal["stops_seen"] = "stops_seen"
    host: HostName
    cause: StopCause
    """`reboot` (the host rebooted, too quickly to be missed) or `lone`."""
    to: StopState
    reason: str
    servers: tuple[StoppedServer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoved:
    """What is done about a server that Nova had stopped went on to another state, for this reason."""

    kind: Literal["stop_moved"] = "stop_moved"
    server: ServerId
    to: StopState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLost:
    """A server that its owner wants to be asked does not answer any more, on a host that lives."""

    kind: Literal["health_lost"] = "health_lost"
    server: ServerId
    name: str
    host: HostName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthBack:
    """A server whose check failed answers again, or is no matter any more."""

    kind: Literal["health_back"] = "health_back"
    server: ServerId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthGivenUp:
    """A server whose check fails is not rebooted any more: it was, as often as the operator allows."""

    kind: Literal["health_given_up"] = "health_given_up"
    server: ServerId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHostFound:
    """Nova's scheduler found no host for a server: others of its shape wait, too."""

    kind: Literal["no_host_found"] = "no_host_found"
    incident: IncidentId
    server: ServerId
    open_hosts: frozenset[HostName]
    """Hosts that had room for it as far as is known, and took servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonSuspected:
    """A host died within ten minutes of receiving this server: it may have killed it."""

    kind: Literal["poison_suspected"] = "poison_suspected"
    incident: IncidentId
    """The incident of the host that died."""
    server: ServerId
    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandIntended:
    """Koboshi is about to carry out this command."""

    kind: Literal["command_intended"] = "command_intended"
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAccepted:
    """The command's request was accepted; its effect is being watched."""

    kind: Literal["command_accepted"] = "command_accepted"
    command: CommandId
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandUnknown:
    """Nobody knows whether the command had its effect: it is being resolved by reading."""

    kind: Literal["command_unknown"] = "command_unknown"
    command: CommandId
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnded:
    """The command is over, with this outcome."""

    kind: Literal["command_ended"] = "command_ended"
    command: CommandId
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A person let Koboshi act; in observe mode until it restarts, or with `keep` for good."""

    kind: Literal["armed"] = "armed"
    by: str
    reason: str
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarmed:
    """A person told Koboshi to send nothing new; what is open is still followed."""

    kind: Literal["disarmed"] = "disarmed"
    until: Instant | None
    """When it ends by itself; None: when somebody arms it again."""
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisarmEnded:
    """The time for which Koboshi was disarmed is over."""

    kind: Literal["disarm_ended"] = "disarm_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConfirmed:
    """A person said that these silent hosts of one domain are dead: they may be switched off together."""

    kind: Literal["domain_confirmed"] = "domain_confirmed"
    domain: DomainName
    hosts: frozenset[HostName]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeHeld:
    """The picture of a cell is implausible: no host of it is fenced, and no new one is acted upon."""

    kind: Literal["brake_held"] = "brake_held"
    cell: CellName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeEased:
    """The picture of the cell is plausible again: all silence counts anew from here."""

    kind: Literal["brake_eased"] = "brake_eased"
    cell: CellName


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeReleased:
    """The picture of the cell has been plausible for long enough: hosts may be acted upon again."""

    kind: Literal["brake_released"] = "brake_released"
    cell: CellName


Event = (
    DaemonStarted
    | HostFoundDown
    | HostSeenUp
    | WitnessTrusted
    | HostNoticed
    | HostNoticeCleared
    | DeviceIdentified
    | DeviceQuarantined
    | DeviceTrusted
    | FenceTested
    | IncidentOpened
    | IncidentMoved
    | WordGiven
    | WordVoided
    | DeathProven
    | HostIsolated
    | HostBeat
    | HostReleased
    | ServersListed
    | RecoveryMoved
    | DataLossCommitted
    | DestinationChosen
    | StorageNotSeen
    | WaitsForOthers
    | NoHostFound
    | PoisonSuspected
    | StopsSeen
    | StopMoved
    | HealthLost
    | HealthBack
    | HealthGivenUp
    | CommandIntended
    | CommandAccepted
    | CommandUnknown
    | CommandEnded
    | Armed
    | Disarmed
    | DisarmEnded
    | DomainConfirmed
    | BrakeHeld
    | BrakeEased
    | BrakeReleased
)
