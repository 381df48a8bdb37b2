"""What an operator decides of Koboshi's judgement, and the one way from there to the domain's rules.

The daemon's settings and a story's both go it: a rule that a setting changes is changed in both.
"""

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Protocol

from pydantic import Field, ValidationInfo, field_validator

from koboshi.domain.policies.terms import Key, Misspelt, value_of
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.rules import Mode, OnLocalDisk, PolicyRules, ProofPolicy, Rules, TenantMay
from koboshi.settings.base import Duration, Patterns, Section, minutes, seconds
from koboshi.settings.braking import BrakeSettings
from koboshi.settings.homeward import HomeSettings
from koboshi.settings.watching import EvidenceSettings, WindowsSettings


class Protect(StrEnum):
    """Which servers are recovered."""

    ALL = "all"
    TAGGED = "tagged"


def _check(key: Key, text: str) -> str:
    try:
        value_of(key, text)
    except Misspelt as error:
        raise ValueError(f'"{text}" cannot be read; {error}') from None
    return text


class SaidSettings(Section):
    """What is said of all servers of a project, or on the hosts of an aggregate."""

    protect: bool | None = Field(
        default=None, description="Whether they are recovered at all; without it, as usual."
    )
    on_local_disk: str = Field(
        default="",
        description="`hold`, `rebuild`, `rebuild-after=30m` or `ignore`; empty: as usual.",
    )
    priority: str = Field(
        default="", description="`critical`, `high`, `normal` or `low`; empty: as usual."
    )
    after: tuple[str, ...] = Field(
        default=(),
        description="Names or ids of servers of the project, or server groups of it (`group:NAME`), that must be "
        "up before them.",
    )

    lone_stop: str = Field(
        default="",
        description="`start` or `leave` those whose guests ended alone; empty: as usual ([alone]).",
    )

    @field_validator("on_local_disk", "priority", "lone_stop")
    @classmethod
    def _can_be_read(cls, text: str, info: ValidationInfo) -> str:
        return _check(Key(info.field_name or ""), text) if text else text

    def said(self) -> Mapping[str, str]:
        """Return it as it would stand in metadata."""
        found = {Key.ON_LOCAL_DISK: self.on_local_disk, Key.PRIORITY: self.priority}
        found[Key.LONE_STOP] = self.lone_stop
        found[Key.AFTER] = ",".join(self.after)
        if self.protect is not None:
            found[Key.PROTECT] = str(self.protect).lower()
        return {key.value: text for key, text in found.items() if text}


class PolicySettings(Section):
    """What may be lost, who is recovered and in which order, and what proves a death."""

    on_local_disk: OnLocalDisk = Field(
        default=OnLocalDisk.HOLD,
        description="What to do with servers whose data lies on the dead host's own disk: `hold` "
        "leaves them where their data is, because the host may come back; `rebuild` evacuates "
        "them at once, made again from their image, and what was on those disks is lost; "
        "`rebuild-after` holds them for a while, and rebuilds them then if the host is still off; "
        "`ignore` leaves them to their owners. Metadata, tags, images, flavors, projects and aggregates may "
        "say otherwise (docs/policy.md).",
    )
    rebuild_after: Duration = Field(
        default=minutes(30),
        ge=minutes(1),
        le=minutes(30 * 24 * 60),
        description="How long `rebuild-after` waits where nobody says how long. It counts only while the "
        "host's power reads off: a host that comes back has its servers' data.",
    )
    protect: Protect = Field(
        default=Protect.ALL,
        description="Which servers are recovered: `all` that nobody excepts (`HA_Enabled=False`, "
        "`evacuable=false`), or only those that somebody tagged (`HA_Enabled=True`, or `evacuable=true` "
        "on the flavor, the image or the aggregate).",
    )
    priority: Priority = Field(
        default=Priority.NORMAL,
        description="The class of servers of which nobody says another: turns go 8:4:2:1.",
    )
    tenant_may: tuple[TenantMay, ...] = Field(
        default=tuple(TenantMay),
        description="What a project may say of its own servers, in their metadata and tags, or by its own "
        "images. What it may not say is reported, and does not count.",
    )
    tenant_priority_at_most: Priority = Field(
        default=Priority.HIGH,
        description="The highest class that a project may give its own servers.",
    )
    ready_networks: Patterns = Field(
        default=(),
        description="Networks (`192.0.2.0/24`) in which servers may be asked whether they are ready, by "
        "`koboshi:ready`. None by default: Koboshi sits where hosts are managed, and what stands in "
        "metadata must not make it knock at any door.",
    )
    wait_at_most: Duration = Field(
        default=minutes(10),
        ge=seconds(1),
        le=minutes(10),
        description="How long a server waits for those that must be up before it (`koboshi:after`), before "
        "it goes on without them, and that is told.",
    )
    project: dict[str, SaidSettings] = Field(default_factory=dict[str, SaidSettings])
    aggregate: dict[str, SaidSettings] = Field(default_factory=dict[str, SaidSettings])
    proof: ProofPolicy = Field(
        default=ProofPolicy.POWER,
        description="What proves the death of a host without a power device. `power`: nothing does, so "
        "every protected host needs one. `word`: a person, by `koboshi host confirm-dead`; until then "
        "its servers stay down. `silence`: nothing proves it, and death is ASSUMED when the management "
        "network and Nova's heartbeats are both silent for 60 s and the brake lets go; a host that runs "
        "on, cut off from both, then has its servers run twice and their data destroyed.",
    )

    @field_validator("ready_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{error}; write 192.0.2.0/24") from None
        return networks

    def rules(self) -> PolicyRules:
        """Return who is recovered, in which order, and who may say so."""
        return PolicyRules(
            tagged_only=self.protect is Protect.TAGGED,
            priority=self.priority,
            tenant_may=frozenset(self.tenant_may),
            tenant_priority_at_most=self.tenant_priority_at_most,
            projects={name: table.said() for name, table in self.project.items()},
            aggregates={name: table.said() for name, table in self.aggregate.items()},
            ready_networks=self.ready_networks,
            wait_at_most=self.wait_at_most,
        )


class StorageSettings(Section):
    """Where servers' local disks lie on storage that hosts share; no API tells."""

    shared_aggregates: tuple[str, ...] = Field(
        default=(),
        description="Host aggregates (their names) whose hosts keep their servers' disks on one "
        "storage that all of them share (NFS, CephFS, images_type = rbd): what lies there outlives "
        "a host. Their servers are evacuated so that a host that does not see the disks refuses, "
        "and Nova, not Koboshi, chooses the destination.",
    )


class AloneSettings(Section):
    """Servers that fail alone, on hosts that live."""

    start_lone_stops: bool = Field(
        default=False,
        description="Whether to start a server whose guest ended without a sign that its host rebooted. "
        "A QEMU that was killed and a guest's own poweroff look alike, so by default a person is told, and "
        "it stays off. Servers' metadata, tags, images, flavors, projects and aggregates may say otherwise "
        "(`koboshi:lone_stop`, docs/policy.md). Those that stopped because their host rebooted too quickly to be missed are started "
        "anyway; those that their users stopped never are.",
    )


class DownInside(Protocol):
    """What is said of hosts that rebooted, and whose nova-compute does not come."""

    @property
    def down_inside(self) -> bool:
        """Return whether they are fenced."""
        ...


class HealthSettings(Section):
    """Checks of servers, whose owners name them in the metadata key `koboshi:health`."""

    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks (`10.20.0.0/16`) on which servers may be asked; without any nobody is. An owner "
        "writes `koboshi:health` = `tcp:ADDRESS:PORT` or `http:ADDRESS:PORT/PATH` into a server's "
        "metadata; whatever lies outside of these networks is not asked, because an owner must not choose "
        "whom the daemon talks to.",
    )
    reboot: bool = Field(
        default=False,
        description="Whether a server that does not answer, on a host that lives, is rebooted (HARD). By "
        "default a person is told.",
    )
    failing_after: Duration = Field(
        default=seconds(60),
        ge=seconds(30),
        le=minutes(60),
        description="How long it must not answer. It must have answered before, and most of the other "
        "servers that are asked must answer meanwhile.",
    )
    reboots_an_hour: int = Field(
        default=2,
        ge=1,
        le=10,
        description="How often one server is rebooted for that within an hour, at the most; then a person "
        "is told.",
    )


class PaceSettings(Section):
    """How much is done at once."""

    window: int = Field(
        default=8,
        ge=1,
        le=40,
        description="Evacuations on their way at once in a cell, at the beginning: one more for each "
        "window of servers that arrived, half as many (never fewer than this) when requests fail, "
        "time out or take long, or when Nova leaves one lying for 20 s.",
    )
    window_most: int = Field(
        default=40,
        ge=1,
        le=200,
        description="... and at the most, however well Nova takes them. It is never more than "
        "`per_destination` for each host that takes servers. A smaller one than `window` is one like it.",
    )
    per_destination: int = Field(
        default=2,
        ge=1,
        le=8,
        description="... of them onto one destination: nova-compute claims resources one after "
        "the other.",
    )
    per_destination_rebuilds: int = Field(
        default=1,
        ge=1,
        le=4,
        description="... of those, how many that fetch an image and build a disk: two of them "
        "slow each other down.",
    )
    per_backend: int = Field(
        default=8,
        ge=1,
        le=200,
        description="... of them with volumes of one of Cinder's back ends (`HOST@BACKEND`). Volumes of "
        "which Cinder does not tell it count as those of one back end.",
    )
    stuck_after: Duration = Field(
        default=minutes(10),
        ge=minutes(1),
        le=minutes(24 * 60),
        description="How long one evacuation may be on its way before a person is told: Nova "
        "itself times nothing out.",
    )


class Decides(Protocol):
    """Settings that say all that the domain must know of an operator's mind."""

    @property
    def mode(self) -> Mode:
        """Return whether Koboshi may change anything."""
        ...

    @property
    def install(self) -> str:
        """Return the installation's name."""
        ...

    @property
    def evidence(self) -> EvidenceSettings:
        """Return when the witnesses' silence counts."""
        ...

    @property
    def windows(self) -> WindowsSettings:
        """Return the safety windows."""
        ...

    @property
    def policy(self) -> PolicySettings:
        """Return what may be lost."""
        ...

    @property
    def storage(self) -> StorageSettings:
        """Return where servers' local disks lie on storage that hosts share."""
        ...

    @property
    def brake(self) -> BrakeSettings:
        """Return when the picture is too implausible to act upon."""
        ...

    @property
    def alone(self) -> AloneSettings:
        """Return what is done about servers that fail alone."""
        ...

    @property
    def fencing(self) -> DownInside:
        """Return which hosts that answer are fenced."""
        ...

    @property
    def health(self) -> HealthSettings:
        """Return how servers are checked."""
        ...

    @property
    def home(self) -> HomeSettings:
        """Return how a host comes home."""
        ...

    @property
    def pace(self) -> PaceSettings:
        """Return how much is done at once."""
        ...


def rules_of(said: Decides) -> Rules:
    """Return settings as the domain sees them."""
    return Rules(
        mode=said.mode,
        install=said.install,
        on_local_disk=said.policy.on_local_disk,
        shared_aggregates=said.storage.shared_aggregates,
        rebuild_after=said.policy.rebuild_after,
        policy=said.policy.rules(),
        proof=said.policy.proof,
        fence_down_inside=said.fencing.down_inside,
        silence=said.evidence.silence,
        heartbeat_margin=said.evidence.heartbeat_margin,
        sample_max_age=said.evidence.sample_max_age,
        probe_warm_up=said.windows.probe_warm_up,
        new_evidence=said.windows.new_evidence,
        incident_memory=said.windows.incident_memory,
        latch=said.windows.latch,
        brake_percent=said.brake.percent,
        brake_most=said.brake.at_most,
        release_after=said.brake.release_after,
        late_percent=said.brake.late_percent,
        api_error_percent=said.brake.api_error_percent,
        api_latency=said.brake.api_latency,
        health_networks=tuple(str(n) for n in said.health.networks),
        reboot_unwell=said.health.reboot,
        unwell_after=said.health.failing_after,
        reboots_an_hour=said.health.reboots_an_hour,
        start_lone_stops=said.alone.start_lone_stops,
        window=said.pace.window,
        window_most=max(said.pace.window, said.pace.window_most),
        per_destination=said.pace.per_destination,
        per_destination_rebuilds=said.pace.per_destination_rebuilds,
        per_backend=said.pace.per_backend,
        stuck_after=said.pace.stuck_after,
        comes_home=said.home.automatic,
        power_on=said.home.power_on,
        hosts_home_at_once=said.home.hosts_at_once,
        starts_per_host=said.home.starts_per_host,
        starts_at_once=said.home.starts_at_once,
        flapping=said.windows.flapping,
    )
