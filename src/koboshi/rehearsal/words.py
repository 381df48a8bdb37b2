"""What a person says to the daemon in a story, as data: beside what befalls it and its world."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum

from pydantic import ConfigDict, with_config

from koboshi.domain.instant import Instant
from koboshi.domain.names import DomainName, HostName, ServerId
from koboshi.domain.word import (
    Arm,
    ConfirmDead,
    ConfirmDomain,
    Disarm,
    RebuildServer,
    ReleaseHost,
    TestFence,
    Word,
)
from koboshi.sim.faults import FaultInvalid

SPEAKER = "uid 0 (root)"


class WordKind(StrEnum):
    """What is said."""

    CONFIRMS_DEAD = "operator_confirms_dead"
    CONFIRMS_DOMAIN = "operator_confirms_domain"
    DISARMS = "operator_disarms"
    ARMS = "operator_arms"
    TESTS_FENCE = "operator_tests_fence"
    ORDERS_REBUILD = "operator_orders_rebuild"
    RELEASES = "operator_releases"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One word of a person's."""

    kind: WordKind
    host: str | None = None
    domain: str | None = None
    server: str | None = None
    for_s: float | None = None
    """How long it is disarmed; None: until somebody arms it."""
    keep: bool = False
    """Whether it stays armed over a restart."""
    text: str = "as the story has it"

    def __post_init__(self) -> None:
        """Hold the word to its kind's shape; raises FaultInvalid."""
        said = {f.name for f in fields(self) if getattr(self, f.name) != f.default} - {"kind"}
        needs, takes = WORD_SHAPES[self.kind]
        if missing := needs - said:
            raise FaultInvalid(f"{self.kind} needs {', '.join(sorted(missing))}")
        if idle := said - needs - takes:
            raise FaultInvalid(f"{self.kind} knows no {', '.join(sorted(idle))}")


_NONE: frozenset[str] = frozenset()
WORD_SHAPES: Mapping[WordKind, tuple[frozenset[str], frozenset[str]]] = {
    WordKind.CONFIRMS_DEAD: (frozenset({"host"}), frozenset({"text"})),
    WordKind.CONFIRMS_DOMAIN: (frozenset({"domain"}), _NONE),
    WordKind.DISARMS: (_NONE, frozenset({"for_s", "text"})),
    WordKind.ARMS: (_NONE, frozenset({"keep"})),
    WordKind.TESTS_FENCE: (frozenset({"host"}), _NONE),
    WordKind.ORDERS_REBUILD: (frozenset({"server"}), frozenset({"text"})),
    WordKind.RELEASES: (frozenset({"host"}), _NONE),
}
"""Which fields each kind needs, and which others it takes."""
WORD_MEANING: Mapping[WordKind, str] = {
    WordKind.CONFIRMS_DEAD: "an operator says that a host is dead (koboshi host confirm-dead)",
    WordKind.CONFIRMS_DOMAIN: "an operator says that a silent domain is dead (koboshi domain confirm)",
    WordKind.DISARMS: "an operator tells Koboshi to begin nothing new; with for_s only so long",
    WordKind.ARMS: "an operator lets Koboshi act again",
    WordKind.RELEASES: "an operator lets a quarantined host serve again (koboshi host release)",
    WordKind.TESTS_FENCE: "an operator has an empty, disabled host switched off and on",
    WordKind.ORDERS_REBUILD: "an operator gives up a held server's disks (koboshi server rebuild)",
}


def word_of(spoken: Spoken, now: Instant) -> Word:
    """Return what the daemon hears now."""
    host = HostName(spoken.host or "")
    match spoken.kind:
        case WordKind.CONFIRMS_DEAD:
            return ConfirmDead(host=host, note=spoken.text)
        case WordKind.CONFIRMS_DOMAIN:
            return ConfirmDomain(domain=DomainName(spoken.domain or ""))
        case WordKind.DISARMS:
            until = None if spoken.for_s is None else now.later(timedelta(seconds=spoken.for_s))
            return Disarm(until=until, reason=spoken.text)
        case WordKind.ARMS:
            return Arm(keep=spoken.keep)
        case WordKind.TESTS_FENCE:
            return TestFence(host=host)
        case WordKind.ORDERS_REBUILD:
            return RebuildServer(server=ServerId(spoken.server or ""), note=spoken.text)
        case WordKind.RELEASES:
            return ReleaseHost(host=host)
