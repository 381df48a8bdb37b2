"""What an operator decides of the look ahead."""

from pydantic import Field

from koboshi.settings.base import Duration, Section, minutes


class ForecastSettings(Section):
    """The forecast that the daemon makes by itself, now and again."""

    automatic: bool = Field(
        default=True,
        description="Whether the daemon plays every single host's death and every declared domain's through "
        "by itself, and tells of servers that would find no place (`no_room`). It reads the whole cloud for "
        "that, as `koboshi forecast` does, while nothing is wrong.",
    )
    every: Duration = Field(
        default=minutes(15),
        ge=minutes(1),
        le=minutes(24 * 60),
        description="How long it rests between two of them.",
    )
