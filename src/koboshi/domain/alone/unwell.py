"""Servers whose checks fail: what is remembered of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName, ServerId

REMEMBERED = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwell:
    """One server that does not answer, or did not of late."""

    server: ServerId
    name: str
    host: HostName
    since: Instant
    reason: str
    """What was asked, and how it failed, when it was found."""
    is_over: bool = False
    reboots: tuple[Instant, ...] = ()
    """When it was rebooted, of the last day."""
    given_up: bool = False


Unwells = Mapping[ServerId, Unwell]


def with_lost(unwell: Unwells, at: Instant, found: Unwell) -> Unwells:
    """Return the memory with one more; of those that are over for a day nothing is left."""
    kept = {s: u for s, u in unwell.items() if not u.is_over or at.since(u.since) < REMEMBERED}
    reboots = tuple(
        r
        for r in (kept[found.server].reboots if found.server in kept else ())
        if at.surely_since(r) < REMEMBERED
    )
    return {**kept, found.server: replace(found, reboots=reboots)}


def with_rebooted(unwell: Unwells, at: Instant, server: ServerId) -> Unwells:
    """Return the memory after a reboot was meant; of one that nobody called unwell none is counted."""
    one = unwell.get(server)
    if one is None:
        return unwell  # the journal is read at every start: what stands in it must never stop that
    return {**unwell, server: replace(one, reboots=(*one.reboots, at))}
