"""What really happens in the simulated cloud, told in the moment it happens to whoever watches.

Nova's API shows some of this, late or never. Judges need all of it, and in order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.names import HostName, MigrationId, ServerId


class By(StrEnum):
    """Whose deed something is."""

    KOBOSHI = "koboshi"
    OTHERS = "others"
    """An operator, an owner, or the cloud itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStarted:
    """A guest began to run on a host; `elsewhere` it ran already."""

    at_s: float
    server: ServerId
    host: HostName
    elsewhere: tuple[HostName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStopped:
    """A guest stopped running on a host."""

    at_s: float
    server: ServerId
    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMoved:
    """A guest went on elsewhere without a stop: a live migration's switch-over."""

    at_s: float
    server: ServerId
    source: HostName
    destination: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLost:
    """A local disk that held a server's data was destroyed, or is made again from an image."""

    at_s: float
    server: ServerId
    host: HostName
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSwitched:
    """A host's power went on or off."""

    at_s: float
    host: HostName
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandArrived:
    """A command of Koboshi's reached whom it was sent to; `call` as the port names it."""

    at_s: float
    call: str
    subject: str
    """A server, a service's row (`nova-compute@h1`), or a host."""
    detail: str = ""
    misses: str = ""
    """The host that an *off* hits instead, where the device says that it is not what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvacuationBegan:
    """Nova took an evacuate request, and made a record of it."""

    at_s: float
    server: ServerId
    record: MigrationId
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEdited:
    """Somebody changed a compute service's row (a heartbeat is no edit)."""

    at_s: float
    by: By
    before: ComputeService
    after: ComputeService


TrueEvent = (
    GuestStarted
    | GuestStopped
    | GuestMoved
    | DataLost
    | PowerSwitched
    | CommandArrived
    | EvacuationBegan
    | ServiceEdited
)
Watcher = Callable[[TrueEvent], None]
"""Told of each; must neither block nor raise."""


class Witnesses:
    """Whoever watches one world."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of everything from now on."""
        self._watchers.append(watcher)

    def tell(self, event: TrueEvent) -> None:
        """Tell everybody, at once."""
        for watcher in self._watchers:
            watcher(event)
