"""What is remembered of power devices: which are not believed, and when they were tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from koboshi.domain.facts.device import BMC
from koboshi.domain.instant import Instant
from koboshi.domain.memory import events as ev
from koboshi.domain.names import HostName

CONTRADICTS = "contradicts"
"""The cause of a quarantine: it read off while its host answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Why a device is not believed, since when, and what the settings said of it then."""

    cause: str
    reason: str
    since: Instant
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceTest:
    """The newest try of a host's power devices."""

    at: Instant
    ok: bool
    detail: str
    worked_at: Instant | None
    """When one last worked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a host's first device said that it is, and what the settings said of the device then."""

    serial: str
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """All of it, folded from the journal."""

    quarantined: Mapping[tuple[HostName, str], Quarantine] = field(
        default_factory=dict[tuple[HostName, str], Quarantine],
    )
    tests: Mapping[HostName, FenceTest] = field(default_factory=dict[HostName, FenceTest])
    machines: Mapping[HostName, Machine] = field(default_factory=dict[HostName, Machine])

    def distrusted(self, host: HostName) -> frozenset[str]:
        """Return which devices of `host` are not believed."""
        return frozenset(device for (h, device) in self.quarantined if h == host)

    def of(self, host: HostName, cause: str) -> Quarantine | None:
        """Return the first quarantine of a device of `host` for `cause`."""
        return next(
            (q for (h, _), q in self.quarantined.items() if h == host and q.cause == cause), None
        )


DeviceEvent = ev.DeviceIdentified | ev.DeviceQuarantined | ev.DeviceTrusted | ev.FenceTested


def learned(devices: Devices, at: Instant, event: DeviceEvent) -> Devices:
    """Return what is remembered after `event`."""
    match event:
        case ev.DeviceIdentified():
            machine = Machine(serial=event.serial, table=event.table)
            return replace(devices, machines={**devices.machines, event.host: machine})
        case ev.DeviceQuarantined():
            quarantine = Quarantine(
                cause=event.cause, reason=event.reason, since=at, table=event.table
            )
            key = (event.host, event.device)
            # One that contradicted its host was never known to be the host's.
            forgets = event.cause == CONTRADICTS and event.device == BMC
            kept = {h: m for h, m in devices.machines.items() if not (forgets and h == event.host)}
            quarantined = {**devices.quarantined, key: quarantine}
            return replace(devices, quarantined=quarantined, machines=kept)
        case ev.DeviceTrusted():
            key = (event.host, event.device)
            rest = {k: q for k, q in devices.quarantined.items() if k != key}
            return replace(devices, quarantined=rest)
        case ev.FenceTested():
            before = devices.tests.get(event.host)
            worked_at = at if event.ok else (before.worked_at if before else None)
            test = FenceTest(at=at, ok=event.ok, detail=event.detail, worked_at=worked_at)
            return replace(devices, tests={**devices.tests, event.host: test})


def words_for(event: DeviceEvent) -> tuple[str, str]:
    """Return the event in words, and why."""
    match event:
        case ev.DeviceIdentified():
            return f"device {event.host} {event.device} identified", f"it is {event.serial}"
        case ev.DeviceQuarantined():
            return f"device {event.host} {event.device} quarantined", event.reason
        case ev.DeviceTrusted():
            return f"device {event.host} {event.device} trusted", event.reason
        case ev.FenceTested():
            return f"fence {event.host} {'works' if event.ok else 'fails'}", event.detail
