"""What an operator decides of the way home: whether a host is switched on again, and how much at once."""

from pydantic import Field

from koboshi.settings.base import Section


class HomeSettings(Section):
    """How a host that failed comes home."""

    automatic: bool = Field(
        default=True,
        description="Whether Koboshi brings a host home by itself when its servers are safe: it waits for "
        "Nova's clean-up, lifts force-down, starts the servers that were held, and clears its own disable. "
        "With `false` a person does, by the steps of `koboshi incident show`.",
    )
    power_on: bool = Field(
        default=True,
        description="Whether a host that Koboshi switched off is switched on again when its servers are "
        "safe and none of its evacuation records is open. With `false` a person does, and "
        "Koboshi goes on from its first sign of life: Nova's clean-up, force-down, held servers, enable.",
    )
    hosts_at_once: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Hosts that may be on their way home together: each start loads Nova and the storage.",
    )
    starts_per_host: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Held servers of one host that may be starting at the same time.",
    )
    starts_at_once: int = Field(default=16, ge=1, le=256, description="... of all hosts together.")
