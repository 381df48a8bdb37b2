"""What a power device says it is: the only way to find, by reading, that it is another host's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A device's own words; empty where it does not tell."""

    serial: str = ""
    """What names the machine behind it, and no other (Redfish: UUID, or else SerialNumber)."""
    host_name: str = ""
    """The name that the operating system gave to it (Redfish: HostName)."""


NAMELESS = Identity()
"""A device that tells nothing of itself."""

BMC = "bmc"
"""The name of a host's first power device."""
OUTLETS = "outlets"
"""... and of what feeds it, all of it together."""
