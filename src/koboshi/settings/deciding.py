"""What an operator decides of Koboshi's judgement, and the one way from there to the domain's rules.

The daemon's settings and a story's both go it: a rule that a setting changes is changed in both.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from pydantic import Field

from koboshi.domain.rules import Mode, OnLocalDisk, ProofPolicy, Rules
from koboshi.settings.base import Duration, Section, minutes, seconds
from koboshi.settings.braking import BrakeSettings
from koboshi.settings.watching import EvidenceSettings, WindowsSettings


class PolicySettings(Section):
    """What may be lost, and what proves a death."""

    on_local_disk: OnLocalDisk = Field(
        default=OnLocalDisk.HOLD,
        description="What to do with servers whose data lies on the dead host's own disk: `hold` "
        "leaves them where their data is, because the host may come back; `rebuild` evacuates "
        "them at once, made again from their image, and what was on those disks is lost.",
    )
    proof: ProofPolicy = Field(
        default=ProofPolicy.POWER,
        description="What proves the death of a host without a power device. `power`: nothing does, so "
        "every protected host needs one. `word`: a person, by `koboshi host confirm-dead`; until then "
        "its servers stay down. `silence`: nothing proves it, and death is ASSUMED when the management "
        "network and Nova's heartbeats are both silent for 60 s and the brake lets go; a host that runs "
        "on, cut off from both, then has its servers run twice and their data destroyed.",
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
        "it stays off. Those that stopped because their host rebooted too quickly to be missed are started "
        "anyway; those that their users stopped never are.",
    )


class HealthSettings(Section):
    """Checks of servers, whose owners name them in the metadata key `koboshi:health`."""

    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks (`10.20.0.0/16`) on which servers may be asked; without any nobody is. An owner "
        "writes `koboshi:health` = `tcp://ADDRESS:PORT` or `http://ADDRESS:PORT/PATH` into a server's "
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
        description="Evacuations on their way at once: enough to keep Nova's workers busy, few "
        "enough not to time them out.",
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
    def health(self) -> HealthSettings:
        """Return how servers are checked."""
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
        proof=said.policy.proof,
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
        reboot_unwell=said.health.reboot,
        unwell_after=said.health.failing_after,
        reboots_an_hour=said.health.reboots_an_hour,
        start_lone_stops=said.alone.start_lone_stops,
        window=said.pace.window,
        per_destination=said.pace.per_destination,
        per_destination_rebuilds=said.pace.per_destination_rebuilds,
        stuck_after=said.pace.stuck_after,
    )
