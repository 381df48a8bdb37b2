"""The whole configuration: every key with its type, unit, default, bounds, and reason.

The reasons are read by `koboshi init` (as comments) and by the reference in docs/, so that there
is one text for each.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from koboshi.domain.names import MANAGEMENT
from koboshi.domain.rules import Mode, ProofPolicy, Rules
from koboshi.settings.base import Section
from koboshi.settings.braking import BrakeSettings, DomainSettings
from koboshi.settings.deciding import (
    AloneSettings,
    HealthSettings,
    PaceSettings,
    PolicySettings,
    StorageSettings,
    rules_of,
)
from koboshi.settings.duration import format_duration
from koboshi.settings.fencing import FencingSettings
from koboshi.settings.forecasting import ForecastSettings
from koboshi.settings.homeward import HomeSettings
from koboshi.settings.telling import HttpSettings, LogSettings, WebhookSettings
from koboshi.settings.watching import (
    CloudSettings,
    EvidenceSettings,
    HostsSettings,
    ProbeSettings,
    WindowsSettings,
)
from koboshi.settings.witnesses import (
    KdumpSettings,
    NetworkSettings,
    NeutronSettings,
    PrometheusSettings,
)

MAX_SOCKET_PATH = 107
"""Bytes that Linux allows for the path of a Unix socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortenedWindow:
    """A safety window that is shorter than its default."""

    key: str
    value: timedelta
    default: timedelta

    def __str__(self) -> str:
        return (
            f"{self.key} = {format_duration(self.value)} (default {format_duration(self.default)})"
        )


class Settings(Section):
    """The whole configuration."""

    mode: Mode = Field(
        default=Mode.OBSERVE,
        description="`observe` watches, judges and journals what it would do; `act` also fences, "
        "forces down and evacuates. It starts by observing, so that a first try can break nothing.",
    )
    install: str = Field(
        default="koboshi",
        pattern=r"^[A-Za-z0-9._-]{1,32}$",
        description="Names this installation in the marker that it leaves in Nova "
        "(`koboshi:INSTALL:INCIDENT`): two installations must never take each other's for theirs.",
    )
    state_dir: Path = Field(
        default=Path("/var/lib/koboshi"),
        description="Holds the journal and the daemon's socket; on a disk that survives a restart, "
        "because the journal is the memory.",
    )
    cloud: CloudSettings = Field(default_factory=CloudSettings)
    hosts: HostsSettings = Field(default_factory=HostsSettings)
    probe: ProbeSettings = Field(default_factory=ProbeSettings)
    networks: dict[str, NetworkSettings] = Field(default_factory=dict[str, NetworkSettings])
    neutron: NeutronSettings = Field(default_factory=NeutronSettings)
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings)
    kdump: KdumpSettings = Field(default_factory=KdumpSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings, validate_default=True)
    windows: WindowsSettings = Field(default_factory=WindowsSettings)
    brake: BrakeSettings = Field(default_factory=BrakeSettings)
    domains: DomainSettings = Field(default_factory=DomainSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    alone: AloneSettings = Field(default_factory=AloneSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    pace: PaceSettings = Field(default_factory=PaceSettings)
    home: HomeSettings = Field(default_factory=HomeSettings)
    forecast: ForecastSettings = Field(default_factory=ForecastSettings)
    fencing: FencingSettings = Field(default_factory=FencingSettings, validate_default=True)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    _source: Path | None = PrivateAttr(default=None)

    @field_validator("state_dir")
    @classmethod
    def _fits_a_socket(cls, value: Path) -> Path:
        value = value.expanduser()
        if not value.is_absolute():
            raise ValueError(f"{value} is relative; write the whole path")
        if len(bytes(value / "koboshi.sock")) > MAX_SOCKET_PATH:
            raise ValueError(
                f"{value} is too long: Linux allows {MAX_SOCKET_PATH} bytes for the path of the "
                "socket in it; choose a shorter one",
            )
        return value

    @field_validator("networks")
    @classmethod
    def _are_others(cls, networks: dict[str, NetworkSettings]) -> dict[str, NetworkSettings]:
        if MANAGEMENT in networks:
            raise ValueError(
                f"{MANAGEMENT} is what [probe] and [hosts] are about; name the other networks here"
            )
        return networks

    @field_validator("evidence")
    @classmethod
    def _silence_holds_several_probes(
        cls,
        evidence: EvidenceSettings,
        info: ValidationInfo,
    ) -> EvidenceSettings:
        probe = info.data.get("probe")
        if isinstance(probe, ProbeSettings) and evidence.silence < 3 * probe.interval:
            raise ValueError(
                f"silence ({format_duration(evidence.silence)}) must last at least three probes "
                f"({format_duration(3 * probe.interval)}); lower probe.interval or raise it",
            )
        return evidence

    @field_validator("fencing")
    @classmethod
    def _acting_needs_fencing(
        cls, fencing: FencingSettings, info: ValidationInfo
    ) -> FencingSettings:
        policy = info.data.get("policy")
        by_power = isinstance(policy, PolicySettings) and policy.proof is ProofPolicy.POWER
        if info.data.get("mode") is Mode.ACT and by_power and not fencing.known_hosts():
            raise ValueError(
                'mode = "act" needs the power devices of the hosts that it protects: without them '
                "there is no proof that a host is dead, and nothing could be evacuated; add "
                '[fencing.hosts.HOST] tables (koboshi init writes them), set mode = "observe", or, where there is no power control, '
                'proof = "word" in [policy]: then a person says that a host is dead',
            )
        return fencing

    def read_from(self, source: Path | None) -> Self:
        """Remember which file these settings were read from."""
        self._source = source
        return self

    @property
    def source(self) -> Path | None:
        """Return the file that was read; None when there was none."""
        return self._source

    @property
    def journal_path(self) -> Path:
        """Return the journal's file."""
        return self.state_dir / "journal.db"

    @property
    def socket_path(self) -> Path:
        """Return the daemon's Unix socket."""
        return self.state_dir / "koboshi.sock"

    def rules(self) -> Rules:
        """Return the settings as the domain sees them."""
        return replace(
            rules_of(self),
            quarantine=self.fencing.quarantine,
            look_first=self.fencing.look_first,
        )

    def shortened_windows(self) -> tuple[ShortenedWindow, ...]:
        """Return the safety windows that are shorter than their defaults."""
        found: list[ShortenedWindow] = []
        for name, field in WindowsSettings.model_fields.items():
            value: timedelta = getattr(self.windows, name)
            if value < field.default:
                key = f"windows.{name}"
                found.append(ShortenedWindow(key=key, value=value, default=field.default))
        return tuple(found)
