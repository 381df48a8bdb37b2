"""What a person may say to a running daemon, and the pure answer to it.

A word is judged like any other fact: on one picture, without I/O. Whoever it is from was
authenticated before (the kernel tells who is at the other end of the socket), and stands in the
journal beside it.
"""

from dataclasses import dataclass

from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.home.enabling import release
from koboshi.domain.incidents.confirm_dead import confirm_dead
from koboshi.domain.incidents.fence_trial import try_fence
from koboshi.domain.instant import Instant
from koboshi.domain.names import DomainName, HostName, ServerId
from koboshi.domain.orders import arm, confirm_domain, disarm
from koboshi.domain.recoveries.rebuild_order import order_rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDead:
    """The host is dead: `by` answers for it."""

    host: HostName
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDomain:
    """The whole domain has failed: the brake may let go of it."""

    domain: DomainName


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Act from now on; with `keep` also after a restart."""

    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarm:
    """Begin nothing new until then (None: until somebody arms it)."""

    until: Instant | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFence:
    """Switch an empty, disabled host off and on, to see that it can be done."""

    host: HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildServer:
    """Give up the local disks of a held server: make it again from its image on another host."""

    server: ServerId
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHost:
    """A host that failed again and again may serve again."""

    host: HostName


Word = ConfirmDead | ConfirmDomain | Arm | Disarm | TestFence | RebuildServer | ReleaseHost


def answer(picture: Picture, word: Word, by: str) -> Decision | Refused:
    """Return what follows from `word`, or why it is refused. Pure: the same picture, the same answer."""
    match word:
        case ConfirmDead():
            return confirm_dead(picture, word.host, word.note, by)
        case ConfirmDomain():
            return confirm_domain(picture, word.domain, by)
        case Arm():
            return arm(picture, by, keep=word.keep)
        case Disarm():
            return disarm(picture, word.until, word.reason, by)
        case TestFence():
            return try_fence(picture, word.host, by)
        case RebuildServer():
            return order_rebuild(picture, word.server, by, word.note)
        case ReleaseHost():
            return release(picture, word.host, by)
