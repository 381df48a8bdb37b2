"""What Koboshi may do to a cloud. Each command is journalled before it is carried out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from koboshi.domain.names import CommandId, HostName, IncidentId, MigrationId, ServerId, ServiceId

NO_INCIDENT = IncidentId("")
ON_SHARED_STORAGE = "on shared storage"
"""How an evacuation without a named destination is told."""


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    FAILED = "failed"
    """It ran and did not do what it should; nothing of it is running any more."""
    REFUSED = "refused"
    """It certainly had no effect."""
    UNRESOLVED = "unresolved"
    """Nobody will ever know; it may be asked again, in the way that its kind allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceOff:
    """Switch the host off, and read its power back."""

    type: Literal["fence_off"] = "fence_off"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    host: HostName

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolate:
    """Force the compute service down and disable it with our marker, in one PUT."""

    type: Literal["isolate"] = "isolate"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    host: HostName
    service: ServiceId
    marker: str

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evacuate:
    """Ask Nova to evacuate one server: to a named destination, or to whoever sees its disks.

    With a name, a request whose answer was lost may be sent again, to the same destination only, where
    Nova refuses to start a second copy. Without one it is never sent again while its end is unknown.
    """

    type: Literal["evacuate"] = "evacuate"
    may_be_repeated: ClassVar[bool] = False
    id: CommandId
    incident: IncidentId
    host: HostName
    server: ServerId
    destination: HostName | None
    """None where its local disks lie on storage that hosts share: then Nova chooses, and a host that
    does not see them refuses (`onSharedStorage`, compute API 2.13)."""
    rebuilds: bool
    known_records: frozenset[MigrationId]
    """Evacuation records that it had before."""
    open_records: frozenset[MigrationId] = frozenset()
    """... those of them that were never ended: Nova may work on one of these instead of a new one."""
    baseline: datetime | None

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"server:{self.server}"

    @property
    def to(self) -> str:
        """Return where it goes, in words."""
        return ON_SHARED_STORAGE if self.destination is None else f"to {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopServer:
    """Stop a server again that was stopped before its evacuation booted it."""

    type: Literal["stop_server"] = "stop_server"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    server: ServerId

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"stop:{self.server}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TryFence:
    """Switch an empty, disabled host off and on: a person asks whether that can be done."""

    type: Literal["try_fence"] = "try_fence"
    may_be_repeated: ClassVar[bool] = False
    id: CommandId
    incident: IncidentId = NO_INCIDENT
    host: HostName
    by: str

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOn:
    """Switch a host on again that we had switched off."""

    type: Literal["power_on"] = "power_on"
    may_be_repeated: ClassVar[bool] = True
    """If no newer *off* was meant."""
    id: CommandId
    incident: IncidentId
    host: HostName

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftForceDown:
    """Lift force-down from a compute service that came back; it stays disabled."""

    type: Literal["lift_force_down"] = "lift_force_down"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    host: HostName
    service: ServiceId
    marker: str

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreDisable:
    """Give a compute service, disabled by us, back to the operator who had disabled it before: as it was."""

    type: Literal["restore_disable"] = "restore_disable"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    host: HostName
    service: ServiceId
    marker: str
    reason: str
    """The operator's own `disabled_reason`; "": none."""

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableService:
    """Enable a compute service that we had disabled, and nobody else."""

    type: Literal["enable_service"] = "enable_service"
    may_be_repeated: ClassVar[bool] = True
    id: CommandId
    incident: IncidentId
    host: HostName
    service: ServiceId
    marker: str

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"host:{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartServer:
    """Start a server that Nova has stopped, on the host where its disks are."""

    type: Literal["start_server"] = "start_server"
    may_be_repeated: ClassVar[bool] = True
    """After reading: Nova answers 409 where it runs already."""
    id: CommandId
    incident: IncidentId = NO_INCIDENT
    server: ServerId
    host: HostName
    """Where it must be when the request leaves."""
    why: str

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"server:{self.server}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootServer:
    """Make a server's guest anew from its disks (a HARD reboot), on the host where they are."""

    type: Literal["reboot_server"] = "reboot_server"
    may_be_repeated: ClassVar[bool] = False
    """Not by itself: it would stop a guest that the first one has started."""
    id: CommandId
    incident: IncidentId = NO_INCIDENT
    server: ServerId
    host: HostName
    """Where it must be when the request leaves."""
    why: str
    guest_may_run: bool = False
    """Whether a guest that runs may be stopped by it: only where a person's policy says so."""

    @property
    def subject(self) -> str:
        """Return what only one open command may be about."""
        return f"server:{self.server}"


Command = (
    FenceOff
    | Isolate
    | Evacuate
    | StopServer
    | TryFence
    | PowerOn
    | LiftForceDown
    | EnableService
    | RestoreDisable
    | StartServer
    | RebootServer
)
