"""The disks of the simulated cloud: which copy of which disk lies where, and what is on it.

A disk has as many copies as were ever made of it and not destroyed: one on the host that died, one
made again elsewhere from the image. `made` tells them apart, as a marker file inside would;
`written_s` grows while the guest runs, as a log inside would.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from koboshi.domain.names import ServerId

CINDER = "cinder"
"""Where volumes lie: every host reaches them there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy of one disk."""

    server: ServerId
    disk: str
    """`root`, `ephemeral`, `swap`, or a volume's id."""
    place: str
    """A host, a storage that hosts share, or CINDER."""
    made: int
    """Which making this is: 1 is the disk that the server began with, and its data."""
    written_s: float = 0.0
    """For how many seconds a guest has written to it."""
    torn: bool = False
    """Whether two guests wrote to it at the same time: nothing on it can be trusted any more."""


class Fate(StrEnum):
    """What became of a disk's data."""

    KEPT = "kept"
    LEFT_BEHIND = "left_behind"
    DESTROYED = "destroyed"
    TORN = "torn"


FATE_MEANING: dict[Fate, str] = {
    Fate.KEPT: "the server has the same disk, with all that was ever written to it",
    Fate.LEFT_BEHIND: "the server has not got it, but it still lies somewhere and could be saved",
    Fate.DESTROYED: "no copy of it is left anywhere",
    Fate.TORN: "two guests wrote to it at once",
}


class Disks:
    """Every copy of every disk."""

    def __init__(self) -> None:
        self._copies: dict[ServerId, dict[tuple[str, str], Copy]] = {}
        self._makings: dict[tuple[ServerId, str], int] = {}

    def find(self, server: ServerId, disk: str, place: str) -> Copy | None:
        """Return one copy; None if there is none at that place."""
        return self._copies.get(server, {}).get((disk, place))

    def make(self, server: ServerId, disk: str, place: str) -> Copy:
        """Make a disk, empty or from its image; returns the copy, whose `made` is its first sight."""
        number = self._makings.get((server, disk), 0) + 1
        self._makings[server, disk] = number
        copy = Copy(server=server, disk=disk, place=place, made=number)
        return self.put(copy)

    def put(self, copy: Copy) -> Copy:
        """Let this copy be at its place."""
        self._copies.setdefault(copy.server, {})[copy.disk, copy.place] = copy
        return copy

    def move(self, copy: Copy, place: str) -> Copy:
        """Let a copy lie elsewhere: nothing of it is lost."""
        self.drop(copy)
        return self.put(replace(copy, place=place))

    def drop(self, copy: Copy) -> None:
        """Destroy one copy."""
        self._copies.get(copy.server, {}).pop((copy.disk, copy.place), None)

    def copies(self, server: ServerId) -> tuple[Copy, ...]:
        """Return every copy of a server's disks, oldest making first."""
        found = self._copies.get(server, {}).values()
        return tuple(sorted(found, key=lambda c: (c.disk, c.made, c.place)))

    def at(self, server: ServerId, place: str) -> tuple[Copy, ...]:
        """Return what of a server's disks lies at one place."""
        return tuple(c for c in self._copies.get(server, {}).values() if c.place == place)


def fate(before: Copy, now: Iterable[Copy], place: str) -> Fate:
    """Return what became of the disk that a server had, now that its own disks lie at `place`."""
    same = [c for c in now if c.disk == before.disk and c.made == before.made]
    here = [c for c in same if c.place in {place, CINDER}]
    if any(c.torn for c in here):
        return Fate.TORN
    if any(c.written_s >= before.written_s for c in here):
        return Fate.KEPT
    return Fate.LEFT_BEHIND if same else Fate.DESTROYED
