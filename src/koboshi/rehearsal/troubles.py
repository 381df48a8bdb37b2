"""What can befall the daemon itself, as data: the counterpart of `sim.faults`, which is the world's."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from pydantic import ConfigDict, with_config

from koboshi.sim.faults import FaultInvalid


class TroubleKind(StrEnum):
    """What befalls the daemon, its journal, or its machine."""

    KILLED = "koboshi_killed"
    KILLED_AT_STEP = "koboshi_killed_at_step"
    STOPPED = "koboshi_stopped"
    STARTED = "koboshi_started"
    FROZEN = "koboshi_frozen"
    SECOND = "koboshi_second"
    JOURNAL_FULL = "journal_full"
    MACHINE_REBOOTS = "koboshi_machine_reboots"
    CLOCK_JUMPS = "koboshi_clock_jumps"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that befalls the daemon."""

    kind: TroubleKind
    for_s: float | None = None
    """After so many seconds it is started again, or goes on; None: never."""
    step: int = 1
    """At which step from now on, counted in transactions of the journal, it is killed."""
    written: bool = False
    """Whether that transaction is still written."""
    by_s: float = 0.0
    """By how much the wall clock is wrong from now on: ahead, or (negative) behind."""

    def __post_init__(self) -> None:
        """Hold the trouble to its kind's shape; raises FaultInvalid."""
        said = {f.name for f in fields(self) if getattr(self, f.name) != f.default} - {"kind"}
        if idle := said - TROUBLE_TAKES[self.kind]:
            raise FaultInvalid(f"{self.kind} knows no {', '.join(sorted(idle))}")


_K = TroubleKind
TROUBLE_TAKES: Mapping[TroubleKind, frozenset[str]] = {
    _K.KILLED: frozenset({"for_s"}),
    _K.KILLED_AT_STEP: frozenset({"for_s", "step", "written"}),
    _K.STOPPED: frozenset({"for_s"}),
    _K.STARTED: frozenset(),
    _K.FROZEN: frozenset({"for_s"}),
    _K.SECOND: frozenset(),
    _K.JOURNAL_FULL: frozenset({"for_s"}),
    _K.MACHINE_REBOOTS: frozenset({"for_s", "by_s"}),
    _K.CLOCK_JUMPS: frozenset({"by_s"}),
}
TROUBLE_MEANING: Mapping[TroubleKind, str] = {
    _K.KILLED: "the daemon is killed; with for_s it is started again after that",
    _K.KILLED_AT_STEP: "the daemon is killed at its step-th next step, before or after it is written",
    _K.STOPPED: "the daemon is asked to end (SIGTERM)",
    _K.STARTED: "the daemon is started on the same journal",
    _K.FROZEN: "the daemon's process stands still for for_s",
    _K.SECOND: "a second daemon is started on the same journal, while the first one runs",
    _K.JOURNAL_FULL: "nothing can be written into the journal",
    _K.MACHINE_REBOOTS: "the daemon's machine reboots and takes for_s; its wall clock may be wrong",
    _K.CLOCK_JUMPS: "the wall clock of the daemon's machine jumps by by_s",
}
