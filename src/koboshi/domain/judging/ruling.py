"""Which verdict follows from the witnesses' words: one table, each row with its rule in a sentence."""

from dataclasses import dataclass
from enum import StrEnum

from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.hearing import Heard
from koboshi.domain.judging.networks import Network


class Verdict(StrEnum):
    """What is held of a host."""

    UP = "up"
    SUSPECT = "suspect"
    SERVICE_FAILED = "service_failed"
    DOWN_INSIDE = "down_inside"
    HUNG = "hung"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    FOUND_DOWN = "found_down"


VERDICT_MEANING: dict[Verdict, str] = {
    Verdict.UP: "its userland answers, or its heartbeat is fresh",
    Verdict.SUSPECT: "a witness is silent, but the silence is not confirmed: it is looked at harder",
    Verdict.SERVICE_FAILED: "its heartbeat stopped, but the host answers: its servers run",
    Verdict.DOWN_INSIDE: "it rebooted and answers, and its nova-compute has not come for ten minutes: its "
    "servers are down",
    Verdict.HUNG: "its kernel answers, its userland and its heartbeat do not",
    Verdict.UNREACHABLE: "silent on every path that counts, confirmed by a positive control",
    Verdict.UNKNOWN: "there is not enough evidence: nothing is concluded",
    Verdict.FOUND_DOWN: "it was down already at the very first start: it waits for a word",
}

WORSE_THAN_UP = frozenset(
    {
        Verdict.SUSPECT,
        Verdict.SERVICE_FAILED,
        Verdict.DOWN_INSIDE,
        Verdict.HUNG,
        Verdict.UNREACHABLE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A verdict, the rule that made it, and what would change it."""

    verdict: Verdict
    rule: str
    would_change: str


UP = Ruling(
    verdict=Verdict.UP,
    rule="a program of the host answers, or its heartbeat is fresh, and no network is silent",
    would_change="silence of its management address, or a heartbeat that is overdue",
)
SERVICE_FAILED = Ruling(
    verdict=Verdict.SERVICE_FAILED,
    rule="Nova's heartbeat stopped, but another witness hears the host: its servers run",
    would_change="a new heartbeat (up), or silence of all who hear it now (suspect)",
)
DOWN_INSIDE = Ruling(
    verdict=Verdict.DOWN_INSIDE,
    rule="its boot time is new and it answers, but its nova-compute has not reported for ten minutes "
    "since: its servers are down",
    would_change="a new heartbeat (up), or silence of all who hear it now (suspect)",
)
HUNG = Ruling(
    verdict=Verdict.HUNG,
    rule="the kernel answers; programs that answered before do not, and no heartbeat comes",
    would_change="an answer of a program or a heartbeat (up), or silence of the kernel, too (suspect)",
)
UNKNOWN = Ruling(
    verdict=Verdict.UNKNOWN,
    rule="no witness that can be believed now speaks for or against the host",
    would_change="an answer of a program or a fresh heartbeat (up)",
)
SUSPECT = Ruling(
    verdict=Verdict.SUSPECT,
    rule="a witness is silent, and the silence is not confirmed by another fate group",
    would_change="an answer (up); or silence of the management network for long enough, together with "
    "a late heartbeat or power that reads off (unreachable)",
)
CONTRADICTED = Ruling(
    verdict=Verdict.SUSPECT,
    rule="its management address is silent, but another witness hears it: one that hears it is enough",
    would_change="silence of that witness, too (unreachable), or an answer (up)",
)
UNREACHED = Ruling(
    verdict=Verdict.SUSPECT,
    rule="its silence does not count, because the same prober does not reach the other hosts either",
    would_change="the prober's reach of the others, or an answer of the host",
)
UNREACHABLE = Ruling(
    verdict=Verdict.UNREACHABLE,
    rule="the management network and the control plane are silent, and the same prober reaches others",
    would_change="one answer of any witness",
)
SILENT_AND_OFF = Ruling(
    verdict=Verdict.UNREACHABLE,
    rule="the management network is silent and the power reads off three times: no heartbeat is waited "
    "for, and the same prober reaches others",
    would_change="one answer of any witness, or power that reads on",
)
CRASHED = Ruling(
    verdict=Verdict.UNREACHABLE,
    rule="its kernel said that it crashed and it is silent: nothing else is waited for, and the same "
    "prober reaches others",
    would_change="an answer of a program, or a heartbeat",
)
CRASH_KERNEL = Ruling(
    verdict=Verdict.UNREACHABLE,
    rule="its kernel said that it crashed, provably; what answers now is the kernel that writes the dump",
    would_change="an answer of a program, a heartbeat, or the end of its messages (hung)",
)
FOUND_DOWN = Ruling(
    verdict=Verdict.FOUND_DOWN,
    rule="it was down already when Koboshi first saw this cloud",
    would_change="its return (up), or a person's word",
)


def first_ruling(heard: Heard) -> Ruling:
    """Return what follows from the words alone; a silence is confirmed by more than this table."""
    control, nova_late = heard.control.control, heard.control.nova is Control.LATE
    programs_elsewhere = heard.alive_elsewhere is not None
    match heard.network, control:
        case Network.USERLAND, _:
            return SERVICE_FAILED if nova_late else UP
        case ((Network.QUIET | Network.SILENT), _):
            return CONTRADICTED if programs_elsewhere else SUSPECT
        case Network.KERNEL, Control.LATE:
            if heard.crash is not None and heard.crash.authenticated and heard.crash.is_speaking:
                return CRASH_KERNEL
            hung = heard.userland_ever and not programs_elsewhere
            return HUNG if hung else SERVICE_FAILED
        case Network.DONT_KNOW, Control.LATE:
            return SERVICE_FAILED if programs_elsewhere else SUSPECT
        case _, Control.FRESH:
            return SERVICE_FAILED if nova_late else UP
        case _:
            return UP if programs_elsewhere else UNKNOWN


def confirmed_by(heard: Heard, *, off: bool) -> Ruling | None:
    """Return what confirms the management network's silence; None when nothing does yet."""
    if heard.alive_elsewhere is not None:
        return None
    if heard.crash is not None:
        return CRASHED
    if heard.network is not Network.SILENT:
        return None
    if off:
        return SILENT_AND_OFF
    return UNREACHABLE if heard.control.control is Control.LATE else None
