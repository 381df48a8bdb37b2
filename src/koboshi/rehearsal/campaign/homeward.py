"""Bad luck on the way home: what befalls a host, its device and the daemon between the steps of it.

Drawn with dice of its own, thrown from where the story's stand: whatever is added here, a seed's
story up to there stays what it was.
"""

from collections.abc import Callable
from random import Random

from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.subjects import VICTIM, Subjects
from koboshi.rehearsal.script import Happening
from koboshi.rehearsal.troubles import Trouble, TroubleKind
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.line import Fails

HOME_PERCENT = 50
STATES = ("settled", "parked", "powering_on", "returning", "reconciling", "restoring", "enabling")
COMMANDS = ("power_on", "lift_force_down", "enable_service")
CALLS = ("lift", "enable", "start", "reboot_hard", "migrations", "server", "services")


def draw_homeward(dice: Random, of: Subjects) -> tuple[Happening, ...]:
    """Return up to three things that happen on the way home; mostly none is enough."""
    random = Random()  # noqa: S311 a story's dice, no secret
    random.setstate(dice.getstate())
    if not chance(random, HOME_PERCENT):
        return ()
    return tuple(
        Happening(
            what=random.choice(_BEFALLS)(random, of),
            when=_cue(random, of),
            at_s=random.choice((0, 0, 0.02, 0.5, 3, 15)),
        )
        for _ in range(random.choice((1, 1, 2, 3)))
    )


def _cue(random: Random, of: Subjects) -> str:
    server = random.choice(of.of_victim or of.servers)
    return random.choice(
        (
            *(f"incident {VICTIM} {state}" for state in STATES),
            *(f"command {command} {VICTIM} intended" for command in COMMANDS),
            f"beat {VICTIM}",
            f"arrived start {server}",
            f"arrived reboot_hard {server}",
        )
    )


def _killed(random: Random, _of: Subjects) -> Trouble:
    return Trouble(kind=TroubleKind.KILLED, for_s=float(random.randint(1, 20)))


def _call_fails(random: Random, _of: Subjects) -> Fault:
    return Fault(
        kind=FaultKind.API_FAILS,
        call=random.choice(CALLS),
        how=random.choice(tuple(Fails)),
        times=random.choice((1, 2, 5)),
        status=random.choice((400, 403, 409)),
        for_s=30.0,
    )


def _bmc(random: Random, _of: Subjects) -> Fault:
    kind = random.choice((Bmc.ACCEPT_ONLY, Bmc.REFUSE, Bmc.HANG, Bmc.GONE, Bmc.SLOW))
    return Fault(kind=FaultKind.BMC, host=VICTIM, bmc=kind, for_s=float(random.choice((20, 100))))


def _of_host(kind: FaultKind) -> Callable[[Random, Subjects], Fault]:
    return lambda _random, _of: Fault(kind=kind, host=VICTIM)


def _of_server(kind: FaultKind) -> Callable[[Random, Subjects], Fault]:
    return lambda random, of: Fault(kind=kind, server=random.choice(of.of_victim or of.servers))


_BEFALLS: tuple[Callable[[Random, Subjects], Fault | Trouble], ...] = (
    _killed,
    _killed,
    _killed,
    _call_fails,
    _call_fails,
    _bmc,
    _of_host(FaultKind.POWER_LOSS),
    _of_host(FaultKind.START),
    _of_host(FaultKind.COMPUTE_STARTS),
    _of_host(FaultKind.OPERATOR_ENABLES),
    _of_host(FaultKind.OPERATOR_LIFTS),
    _of_host(FaultKind.OPERATOR_DISABLES),
    _of_server(FaultKind.USER_STARTS),
    _of_server(FaultKind.USER_STOPS),
    _of_server(FaultKind.USER_DELETES),
    _of_server(FaultKind.OPERATOR_EVACUATES),
)
