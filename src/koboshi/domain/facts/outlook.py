"""What the newest look ahead found: which hosts and domains the cloud could not lose today."""

from dataclasses import dataclass

from koboshi.domain.instant import Instant
from koboshi.domain.names import DomainName, HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Hosts that die together, and servers of theirs that would find no place."""

    hosts: tuple[HostName, ...]
    domain: DomainName | None = None
    """The declared domain that they are; None: one host by itself."""
    servers: tuple[str, ...]
    """Their names, in the order in which they would be sent."""
    of: int
    """How many would be evacuated."""
    lacking: str
    """For want of what the first of them goes nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Every single host's death and every declared domain's, played through once."""

    at: Instant
    """When the cloud was read."""
    hosts: int = 0
    """How many hosts were played through, each by itself."""
    domains: int = 0
    short: tuple[Shortfall, ...] = ()
    """Sorted: hosts first, each kind by name."""
    not_counted: str = ""
    """Of which servers nobody can tell whether they find a place, as the others do; empty: of none."""
    trouble: str = ""
    """Why it could not be told, or not all of it; empty when it is whole."""
