"""What becomes of each disk of a server whose host dies.

After nova 34: a disk is made again on the destination where it is not found there
(virt/libvirt/driver.py: _create_and_inject_local_root), so whatever was on the dead host's own disk
is gone from the evacuated server, and is removed when that host returns.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from koboshi.domain.facts.cloud import Aggregate, Server
from koboshi.domain.facts.disks import disks_of
from koboshi.domain.facts.stock import Image, Port, Volume, made_from
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies.policy import Meant, who_gives_tpm
from koboshi.domain.recoveries.recovery import Treatment
from koboshi.domain.recoveries.stranded import goes_down_with


class DiskOutcome(StrEnum):
    """What becomes of one disk."""

    SURVIVES = "survives"
    BACK_TO_IMAGE = "back_to_image"
    LOST = "lost"
    WAITS_FOR_HOST = "waits_for_host"
    UNKNOWN = "unknown"


DISK_OUTCOME_MEANING: Final[Mapping[DiskOutcome, str]] = {
    DiskOutcome.SURVIVES: "what is on it is there afterwards",
    DiskOutcome.BACK_TO_IMAGE: "it is made again from its image: every change since then is gone",
    DiskOutcome.LOST: "it is made again, blank",
    DiskOutcome.WAITS_FOR_HOST: "it lies on the dead host, untouched, and is there when that returns",
    DiskOutcome.UNKNOWN: "it could not be told; the reason says why",
}


class DiskKind(StrEnum):
    """What kind of disk it is."""

    ROOT = "root"
    EPHEMERAL = "ephemeral"
    SWAP = "swap"
    CONFIG_DRIVE = "config drive"
    VOLUME = "volume"
    VTPM = "vTPM"
    NVRAM = "NVRAM"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskForecast:
    """What becomes of one disk should its server's host die."""

    kind: DiskKind
    name: str
    """A volume's id, a device's alias; empty where the kind says it all."""
    outcome: DiskOutcome
    why: str
    is_stranded: bool = False
    """Whether it is a volume whose back end goes down with the host."""

    @property
    def is_data(self) -> bool:
        """Return whether it holds what a user would miss: not a drive that is made again alike."""
        return self.kind is not DiskKind.CONFIG_DRIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where data lies that is not plainly on a host's own disk."""

    volumes: Mapping[str, Volume] | None
    """None when Cinder could not be read."""
    images: Mapping[str, Image] | None = None
    """None when Glance could not be read."""
    shared: tuple[Aggregate, ...] = ()
    """Aggregates whose hosts keep their servers' disks on one storage, as the settings declare."""
    destinations: frozenset[HostName] = frozenset()
    """Hosts that take servers now."""
    tpm_hosts: frozenset[HostName] | None = frozenset()
    """Hosts that can give a vTPM, where Cinder hides whose image asks for one; None: nobody knows which."""
    ports: Mapping[ServerId, tuple[Port, ...]] = field(
        default_factory=dict[ServerId, tuple[Port, ...]]
    )
    """Those that ask something of a host: a device, or resources."""

    def shares(self, host: HostName) -> str | None:
        """Return the aggregate on whose shared storage the host's disks lie, if there is one."""
        return next((a.name for a in self.shared if host in a.hosts), None)

    def made_from(self, server: Server) -> Image | Volume | None:
        """Return what tells the properties of the image that a server was made from."""
        return made_from(server, self.images or {}, self.volumes or {})

    def strangers_to(self, storage: str) -> frozenset[HostName]:
        """Return the hosts that take servers and do not share this storage: Nova may choose one."""
        return self.destinations - next(a.hosts for a in self.shared if a.name == storage)


def disk_forecasts(
    server: Server, host: HostName, meant: Meant, storage: Storage
) -> tuple[DiskForecast, ...]:
    """Return the outcome of every disk, in the order in which a person counts them."""
    return tuple(_all(server, host, meant, storage))


def _all(server: Server, host: HostName, meant: Meant, storage: Storage) -> Iterator[DiskForecast]:
    local = _local_outcome(server, host, meant, storage)
    for name in disks_of(server).local:
        yield local(DiskKind(name))
    if server.config_drive:
        yield DiskForecast(
            kind=DiskKind.CONFIG_DRIVE,
            name="",
            outcome=DiskOutcome.SURVIVES,
            why="Nova makes it again from the server's metadata",
        )
    for volume in server.volume_ids:
        yield _volume(volume, host, storage)
    image = storage.made_from(server)
    if who_gives_tpm(server, image) is not None:
        yield local(DiskKind.VTPM)
    if image is not None and image.firmware.lower() == "uefi":
        yield local(DiskKind.NVRAM)
    for name in _devices(server):
        yield DiskForecast(
            kind=DiskKind.DEVICE,
            name=name,
            outcome=DiskOutcome.UNKNOWN,
            why="the destination must have another one; what this one stores stays behind",
        )
    for port in storage.ports.get(server.id, ()):
        if port.is_device:
            yield DiskForecast(
                kind=DiskKind.DEVICE,
                name=f"port {port.id}",
                outcome=DiskOutcome.UNKNOWN,
                why=f"behind it is a device of the host's ({port.vnic_type}): the destination must have another "
                "one free; it stores nothing",
            )


def _local_outcome(
    server: Server, host: HostName, meant: Meant, storage: Storage
) -> Callable[[DiskKind], DiskForecast]:
    shared = storage.shares(host)
    moves = meant.treatment in {Treatment.EVACUATE, Treatment.REBUILD}

    def outcome(kind: DiskKind) -> tuple[DiskOutcome, str]:
        if shared is not None and kind not in {DiskKind.VTPM, DiskKind.NVRAM}:
            return DiskOutcome.SURVIVES, f"it lies on the storage that the hosts of {shared} share"
        if not moves or kind is DiskKind.VTPM:
            return DiskOutcome.WAITS_FOR_HOST, f"it lies on {host}'s own disk, and is left there"
        if kind is DiskKind.NVRAM:
            return DiskOutcome.LOST, "the firmware's settings are made again"
        if kind is DiskKind.ROOT:
            return DiskOutcome.BACK_TO_IMAGE, f"made again from image {server.image_id}"
        return DiskOutcome.LOST, f"it lies on {host}'s own disk; a blank one takes its place"

    def forecast(kind: DiskKind) -> DiskForecast:
        result, why = outcome(kind)
        return DiskForecast(kind=kind, name="", outcome=result, why=why)

    return forecast


def _volume(volume: str, host: HostName, storage: Storage) -> DiskForecast:
    def row(outcome: DiskOutcome, why: str, *, is_stranded: bool = False) -> DiskForecast:
        return DiskForecast(
            kind=DiskKind.VOLUME, name=volume, outcome=outcome, why=why, is_stranded=is_stranded
        )

    if storage.volumes is None:
        return row(DiskOutcome.UNKNOWN, "Cinder did not tell where its volumes are")
    found = storage.volumes.get(volume)
    if found is None:
        return row(DiskOutcome.UNKNOWN, "Cinder does not list it")
    if found.backend is None:
        return row(DiskOutcome.UNKNOWN, "Cinder does not tell its back end")
    if goes_down_with(found.backend, host):
        why = f"its back end {found.backend} is {host}'s own"
        return row(DiskOutcome.WAITS_FOR_HOST, why, is_stranded=True)
    return row(DiskOutcome.SURVIVES, f"served by {found.backend}")


def _devices(server: Server) -> Iterator[str]:
    """Return what the flavor passes through: PCI devices by alias, vGPUs, accelerators, memory that lasts."""
    specs = server.flavor.extra_specs
    for alias in specs.get("pci_passthrough:alias", "").split(","):
        if name := alias.partition(":")[0].strip():
            yield name
    yield from (
        key.removeprefix("resources:")
        for key in specs
        if key in {"resources:VGPU", "resources:PGPU", "resources:FPGA"}
    )
    if profile := specs.get("accel:device_profile"):
        yield profile
    for name in specs.get("hw:pmem", "").split(","):
        if name.strip():
            yield f"pmem {name.strip()}"
