"""What a person may ask to be changed: the bodies of the requests, closed to unknown keys."""

from pydantic import BaseModel, ConfigDict, Field


class Asked(BaseModel):
    """What every request that changes something shares: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ConfirmDeadAsked(Asked):
    """A person's word that a host is dead."""

    confirm: str
    """The host's name once more: whoever sends this has read whom it is about."""
    note: str = Field(default="", max_length=500)
    """Why they are sure; stands in the journal."""


class ConfirmDomainAsked(Asked):
    """A person's word that the silent hosts of a domain are dead."""

    confirm: str
    """The domain's name once more."""


class ArmAsked(Asked):
    """The order to act."""

    keep: bool = False
    """Whether it holds beyond a restart of the daemon."""


class DisarmAsked(Asked):
    """The order to begin nothing new."""

    for_s: float | None = Field(default=None, gt=0, le=31 * 24 * 3600)
    """After so long it is armed again by itself; None: when somebody arms it."""
    reason: str = Field(min_length=1, max_length=500)


class RebuildAsked(Asked):
    """The order to give up a held server's local disks."""

    confirm: str
    """The server's id once more."""
    note: str = Field(default="", max_length=500)
    """Why; stands in the journal."""


class ReleaseAsked(Asked):
    """A person's word that a host that failed again and again may serve again."""


class TestFenceAsked(Asked):
    """The order to switch an empty, disabled host off and on."""

    confirm: str
    """The host's name once more."""
