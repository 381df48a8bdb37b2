"""A story's settings: the keys of koboshi.toml that a simulated daemon has a use for.

The defaults are koboshi's own, but for the windows that `windows.shortened` shortens.
"""

from datetime import timedelta

from pydantic import Field

from koboshi.domain.rules import Mode, Rules
from koboshi.rehearsal.windows import shortened
from koboshi.settings.base import Duration, Section, minutes, seconds
from koboshi.settings.schema import PaceSettings, PolicySettings
from koboshi.settings.watching import HostsSettings

_SHORT = shortened()


class StoryEvidence(Section):
    """When the witnesses' silence counts; within the bounds of koboshi's own settings."""

    silence: Duration = Field(default=_SHORT.silence, ge=seconds(3), le=minutes(5))
    heartbeat_margin: Duration = Field(
        default=_SHORT.heartbeat_margin, ge=seconds(1), le=minutes(2)
    )


class StoryWindows(Section):
    """The safety windows that a story may shorten; shortened by default."""

    probe_warm_up: Duration = Field(default=_SHORT.probe_warm_up, ge=seconds(1))
    new_evidence: Duration = Field(default=_SHORT.new_evidence, ge=seconds(1))
    incident_memory: Duration = Field(default=_SHORT.incident_memory, ge=seconds(1))
    latch: Duration = Field(default=_SHORT.latch, ge=seconds(1))


class StorySettings(Section):
    """What `settings.toml` says."""

    mode: Mode = Mode.OBSERVE
    install: str = Field(default="story", pattern=r"^[A-Za-z0-9._-]{1,32}$")
    hosts: HostsSettings = Field(default_factory=HostsSettings)
    evidence: StoryEvidence = Field(default_factory=StoryEvidence)
    windows: StoryWindows = Field(default_factory=StoryWindows)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    pace: PaceSettings = Field(default_factory=PaceSettings)

    def rules(self) -> Rules:
        """Return the settings as the domain sees them."""
        return Rules(
            mode=self.mode,
            install=self.install,
            on_local_disk=self.policy.on_local_disk,
            silence=self.evidence.silence,
            heartbeat_margin=self.evidence.heartbeat_margin,
            probe_warm_up=self.windows.probe_warm_up,
            new_evidence=self.windows.new_evidence,
            incident_memory=self.windows.incident_memory,
            latch=self.windows.latch,
            window=self.pace.window,
            per_destination=self.pace.per_destination,
            per_destination_rebuilds=self.pace.per_destination_rebuilds,
            stuck_after=self.pace.stuck_after,
        )


def act(**more: timedelta) -> StorySettings:
    """Return the settings of a daemon that may act; `more` are windows."""
    return StorySettings(mode=Mode.ACT, windows=StoryWindows(**more))
