"""What must meet to come close at all, and by chance alone seldom would: each a small story of its own.

A campaign draws one of them now and then, beside whatever else befalls the same cloud.
"""

from collections.abc import Callable
from random import Random

from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.subjects import VICTIM, Subjects
from koboshi.rehearsal.script import Happening
from koboshi.rehearsal.words import Spoken, WordKind
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import Dies, Fault, FaultKind, Moment
from koboshi.sim.line import Fails

WRONG_FOR_S = 40.0
LONG_CUT_S = 150.0
"""Longer than silence must last to stand for death, and than a person waits before a word."""
A_PERSON_LATER_S = 1_000.0
"""Longer than it takes until an incident that waits for a person is told again."""

HELD_SERVERS_LATER_S = 3_700.0
"""... and a server that is held for its host."""
MUCH_LATER_PERCENT = 15
STAYS_OFF_PERCENT = 30

Meeting = Callable[[Random, Subjects, float], tuple[Happening, ...]]


def _the_assumption(_random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return the one documented assumption: a BMC that reads off, of a host that runs and is silent."""
    lies = Fault(kind=FaultKind.BMC, host=VICTIM, bmc=Bmc.LIE_OFF, for_s=WRONG_FOR_S)
    cut = Fault(kind=FaultKind.CUT, host=VICTIM, for_s=WRONG_FOR_S)
    return Happening(what=cut, at_s=at_s), Happening(what=lies, at_s=at_s + 1)


def _an_operator_races(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    server = random.choice(of.of_victim or of.servers)
    what = Fault(kind=FaultKind.OPERATOR_EVACUATES, server=server)
    early_s = random.choice((0.0, 0.02, 0.05))
    races = Happening(what=what, when=f"command evacuate {server}", at_s=early_s)
    return _victim_dies(at_s), races


def _victim_dies(at_s: float) -> Happening:
    return Happening(what=Fault(kind=FaultKind.POWER_LOSS, host=VICTIM), at_s=at_s)


def _nova_refuses(random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    return _evacuates_fail(at_s, Fails.REFUSED, random.choice((403, 409)))


def _answers_are_lost(random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    return _evacuates_fail(
        at_s, random.choice((Fails.ANSWER_LOST, Fails.NO_ANSWER, Fails.LATE)), 409
    )


def _evacuates_fail(at_s: float, how: Fails, status: int) -> tuple[Happening, ...]:
    what = Fault(
        kind=FaultKind.API_FAILS, call="evacuate", times=2, for_s=30.0, how=how, status=status
    )
    return _victim_dies(at_s), Happening(what=what, when=f"incident {VICTIM} isolating")


def _hidden_evacuation(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return somebody else's evacuation that never ends, and hides by a reset."""
    to = random.choice(of.others)
    server = random.choice(of.of_victim or of.servers)
    dies = Fault(kind=FaultKind.DIES_IN_SPAWN, host=to, moment=Moment.BEFORE, dies=Dies.COMPUTE)
    what = Fault(kind=FaultKind.OPERATOR_EVACUATES, server=server, to=to)
    reset = Fault(kind=FaultKind.OPERATOR_RESETS, server=server, state="active")
    return (
        _victim_dies(at_s),
        Happening(what=dies, at_s=at_s),
        Happening(what=what, when=f"isolated {VICTIM}"),  # from here on Nova takes it
        Happening(what=reset, when=f"evacuation {server} begun", at_s=1.0),
    )


def _a_wrong_word(random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return a word that a host is dead which is only cut off, its power unreadable."""
    for_s = random.choice((60.0, 90.0, LONG_CUT_S))
    word = Spoken(kind=WordKind.CONFIRMS_DEAD, host=VICTIM)
    return (
        *_cut_off(at_s, for_s),
        Happening(what=word, at_s=at_s + random.choice((20.0, 30.0, 50.0))),
    )


def _silence_deceives(_random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return a host that is cut off for longer than silence must last to stand for death."""
    return _cut_off(at_s, LONG_CUT_S)


def _cut_off(at_s: float, for_s: float) -> tuple[Happening, ...]:
    return (
        Happening(what=Fault(kind=FaultKind.CUT, host=VICTIM, for_s=for_s), at_s=at_s),
        Happening(what=Fault(kind=FaultKind.BMC, host=VICTIM, for_s=for_s), at_s=at_s),
    )


def _rack_is_dark(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return a rack that falls silent, by its switch or its feed, and a word that it is dead."""
    if not of.racks:
        return ()
    rack = random.choice(of.racks)
    kind = random.choice((FaultKind.SWITCH_DIES, FaultKind.RACK_LOSES_POWER))
    word = Spoken(kind=WordKind.CONFIRMS_DOMAIN, domain=rack)
    return (
        Happening(what=Fault(kind=kind, rack=rack, for_s=90.0), at_s=at_s),
        Happening(what=word, at_s=at_s + random.choice((25.0, 40.0, 60.0))),
    )


def _evacuated_alive(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return an operator who forces a living host down, and evacuates a server from it."""
    server = random.choice(of.of_victim or of.servers)
    down = Fault(kind=FaultKind.OPERATOR_FORCES_DOWN, host=VICTIM)
    moves = Fault(kind=FaultKind.OPERATOR_EVACUATES, server=server, to=random.choice(of.others))
    return (Happening(what=down, at_s=at_s - 4.0), Happening(what=moves, at_s=at_s - 3.0))


def _nobody_comes(random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return a host that dies with its BMC, while nobody looks for a long time.

    Or without it, and a longer one: then servers that are held are told again. It takes a minute of
    ours, so it is seldom.
    """
    if chance(random, MUCH_LATER_PERCENT):
        harmless = Fault(kind=FaultKind.PROMETHEUS_DOWN, for_s=HELD_SERVERS_LATER_S)
        return _victim_dies(at_s), Happening(what=harmless, at_s=at_s)
    gone = Fault(kind=FaultKind.BMC, host=VICTIM, for_s=A_PERSON_LATER_S)
    return _victim_dies(at_s), Happening(what=gone, at_s=at_s)


def _fence_is_tried(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return an operator who has the power device of an empty host tried."""
    host = random.choice(of.empty or of.hosts)
    disables = Fault(kind=FaultKind.OPERATOR_DISABLES, host=host, text="maintenance")
    word = Spoken(kind=WordKind.TESTS_FENCE, host=host)
    return Happening(what=disables, at_s=at_s - 4.0), Happening(what=word, at_s=at_s + 4.0)


def _disabled_and_dark(random: Random, _of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return a host that dies while an operator has it disabled, who hands it over, and brings it back."""
    disables = Fault(kind=FaultKind.OPERATOR_DISABLES, host=VICTIM, text="memory errors")
    word = Spoken(kind=WordKind.CONFIRMS_DEAD, host=VICTIM)
    told_s = at_s + random.choice((15.0, 30.0, 50.0))
    meets = (
        Happening(what=disables, at_s=at_s - random.choice((2.0, 10.0))),
        _victim_dies(at_s),
        Happening(what=word, at_s=told_s),
    )
    if chance(random, STAYS_OFF_PERCENT):
        return meets
    mended = Fault(kind=FaultKind.START, host=VICTIM)
    return (*meets, Happening(what=mended, at_s=told_s + random.choice((2.0, 20.0, 60.0))))


MEETINGS: tuple[Meeting, ...] = (
    _the_assumption,
    _an_operator_races,
    _nova_refuses,
    _answers_are_lost,
    _hidden_evacuation,
    _a_wrong_word,
    _a_wrong_word,
    _silence_deceives,
    _rack_is_dark,
    _evacuated_alive,
    _nobody_comes,
    _fence_is_tried,
    _disabled_and_dark,
)


def draw_meeting(random: Random, of: Subjects, at_s: float) -> tuple[Happening, ...]:
    """Return one of them, to begin at about a time."""
    return random.choice(MEETINGS)(random, of, at_s)
