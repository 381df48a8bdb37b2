"""A story's settings: the keys of koboshi.toml that a simulated daemon has a use for.

The defaults are koboshi's own, but for the windows that `windows.shortened` shortens, and for the
way home, which most stories leave out.
"""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from koboshi.domain.rules import Mode, Rules
from koboshi.rehearsal.windows import shortened
from koboshi.settings.base import Duration, Section, seconds
from koboshi.settings.braking import BrakeSettings, DomainSettings
from koboshi.settings.deciding import (
    AloneSettings,
    HealthSettings,
    PaceSettings,
    PolicySettings,
    StorageSettings,
    rules_of,
)
from koboshi.settings.homeward import HomeSettings
from koboshi.settings.watching import EvidenceSettings, HostsSettings, WindowsSettings

_SHORT = shortened()


class StoryWindows(WindowsSettings):
    """The safety windows that a story may shorten; shortened by default."""

    probe_warm_up: Duration = Field(default=_SHORT.probe_warm_up, ge=seconds(1))
    new_evidence: Duration = Field(default=_SHORT.new_evidence, ge=seconds(1))
    incident_memory: Duration = Field(default=_SHORT.incident_memory, ge=seconds(1))
    latch: Duration = Field(default=_SHORT.latch, ge=seconds(1))
    flapping: Duration = Field(default=_SHORT.flapping, ge=seconds(1))


class StoryNetwork(Section):
    """A further network over which hosts are asked: `storage` or `tenant`."""

    independent: bool = False


class StoryFencing(Section):
    """Which hosts that answer are fenced; a story's power devices are its cloud's."""

    down_inside: bool = False


class StoryHome(HomeSettings):
    """The way home; a story is over when its servers are safe, unless it says `automatic = true`."""

    automatic: bool = False


class StorySettings(Section):
    """What `settings.toml` says."""

    mode: Mode = Mode.OBSERVE
    install: str = Field(default="story", pattern=r"^[A-Za-z0-9._-]{1,32}$")
    hosts: HostsSettings = Field(default_factory=HostsSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    windows: StoryWindows = Field(default_factory=StoryWindows)
    brake: BrakeSettings = Field(default_factory=BrakeSettings)
    domains: DomainSettings = Field(default_factory=DomainSettings)
    networks: dict[Literal["storage", "tenant"], StoryNetwork] = Field(
        default_factory=dict[Literal["storage", "tenant"], StoryNetwork]
    )
    policy: PolicySettings = Field(default_factory=PolicySettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    alone: AloneSettings = Field(default_factory=AloneSettings)
    fencing: StoryFencing = Field(default_factory=StoryFencing)
    health: HealthSettings = Field(default_factory=HealthSettings)
    pace: PaceSettings = Field(default_factory=PaceSettings)
    home: StoryHome = Field(default_factory=StoryHome)

    def rules(self) -> Rules:
        """Return the settings as the domain sees them."""
        return rules_of(self)


def act(**more: timedelta) -> StorySettings:
    """Return the settings of a daemon that may act; `more` are windows."""
    return StorySettings(mode=Mode.ACT, windows=StoryWindows(**more))
