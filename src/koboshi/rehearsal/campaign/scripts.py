"""Random scripts: anything that may befall a cloud or the daemon, at any time, in any order."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.homeward import draw_homeward
from koboshi.rehearsal.campaign.meetings import draw_meeting
from koboshi.rehearsal.campaign.subjects import VICTIM, Subjects
from koboshi.rehearsal.script import Befalling, Happening, Script
from koboshi.rehearsal.spec import IMAGE, CloudSpec
from koboshi.rehearsal.troubles import TROUBLE_TAKES, Trouble, TroubleKind
from koboshi.rehearsal.words import Spoken, WordKind
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import SHAPES, Dies, Fault, FaultKind, Moment, Way
from koboshi.sim.line import Fails
from koboshi.sim.network import Network

CALLS = (
    "services",
    "migrations",
    "server",
    "servers",
    "room",
    "server_groups",
    "image",
    "evacuate",
    "evacuate",
    "isolate",
    "stop",
    "*",
)
"""Calls of the API that fail or are slow; what spoils a request most of all."""
INCIDENT_CUES = ("confirmed", "fencing", "proven", "isolating", "recovering", "settled")
SERVER_CUES = ("building", "unknown", "confirming", "settling", "done")
MAX_FOR_S = 40
MEETING_PERCENT = 25
KINDS: tuple[FaultKind | TroubleKind | WordKind, ...] = (
    *(k for k in FaultKind if k is not FaultKind.CALM),
    *(k for k in TroubleKind if k is not TroubleKind.STARTED),
    *(w for w in WordKind if w is not WordKind.RELEASES),
)
"""What a campaign tries: everything. The daemon is started again by itself, and calm is the end."""
BLOWS = (
    FaultKind.POWER_LOSS,
    FaultKind.POWER_LOSS,
    FaultKind.POWER_LOSS,
    FaultKind.CUT,
    FaultKind.CUT,
    FaultKind.HANG,
    FaultKind.QUICK_REBOOT,
    FaultKind.COMPUTE_DIES,
)
"""What the story begins with, on the victim."""
OF_RACKS = frozenset({FaultKind.SWITCH_DIES, FaultKind.RACK_LOSES_POWER, WordKind.CONFIRMS_DOMAIN})
STAYS = frozenset({FaultKind.POWER_LOSS, FaultKind.COMPUTE_DIES, FaultKind.GUEST_DIES})
"""What may stay as it is for ever."""


def draw_script(random: Random, cloud: CloudSpec) -> Script:
    """Return up to a dozen things that happen, and calm after the last of them."""
    of = Subjects.of(cloud)
    warm_s = 15.0 + 3.0 * cloud.heartbeat.total_seconds()
    happens: list[Happening] = []
    kinds = [k for k in KINDS if of.racks or k not in OF_RACKS]
    at_s = warm_s
    if chance(random, 95):
        blow = draw_fault(random, random.choice(BLOWS), of, VICTIM)
        happens.append(Happening(what=blow, at_s=at_s))
    for _ in range(random.choice((1, 2, 3, 4, 6, 9, 12))):
        what = draw(random, random.choice(kinds), of)
        if chance(random, 50):
            happens.append(
                Happening(
                    what=what, when=_cue(random, of), at_s=random.choice((0, 0, 0.02, 0.5, 3))
                )
            )
        else:
            at_s += random.randint(0, 60) / 4
            happens.append(Happening(what=what, at_s=at_s))
    if chance(random, MEETING_PERCENT):
        happens.extend(draw_meeting(random, of, warm_s))
    happens.extend(draw_homeward(random, of))
    calm_s = max(at_s + MAX_FOR_S, *(h.at_s + _lasts_s(h) for h in happens if not h.when), 0.0)
    happens.append(Happening(what=Fault(kind=FaultKind.CALM), at_s=calm_s))
    return Script(happens=tuple(happens), lasts_s=calm_s + 3600.0)


def _lasts_s(happening: Happening) -> float:
    """Return for how long it lasts by itself, so that calm does not end it sooner."""
    what = happening.what
    return (what.for_s or 0.0) if isinstance(what, Fault) else 0.0


def _cue(random: Random, of: Subjects) -> str:
    """Return the beginning of a line of the log: the moment at which something is so."""
    host = VICTIM if chance(random, 80) else random.choice(of.hosts)
    server = random.choice(of.servers)
    return random.choice(
        (
            *(f"incident {host} {state}" for state in INCIDENT_CUES),
            *(f"server {server} {state}" for state in SERVER_CUES),
            f"command fence_off {host} intended",
            f"command isolate {host} intended",
            f"isolated {host}",
            f"command evacuate {server}",
            f"arrived evacuate {server}",
            f"evacuation {server} begun",
            f"guest {server} runs",
        )
    )


def draw(random: Random, kind: FaultKind | TroubleKind | WordKind, of: Subjects) -> Befalling:
    """Return something of a kind that happens."""
    if isinstance(kind, TroubleKind):
        return _trouble(random, kind)
    if isinstance(kind, WordKind):
        return _word(random, kind, of)
    host = VICTIM if chance(random, 50) else random.choice(of.hosts)
    return draw_fault(random, kind, of, host)


def draw_fault(random: Random, kind: FaultKind, of: Subjects, host: str) -> Fault:
    """Return a fault of a kind, on `host` if it is of one."""
    shape = SHAPES[kind]
    said: dict[str, Any] = {}
    for name in sorted(shape.needs | shape.takes):
        value = host if name == "host" else _FIELDS[name](random, of)
        if name == "for_s" and kind in STAYS and chance(random, 60):
            continue  # for ever
        if value is not None:
            said[name] = value
    if kind is FaultKind.STALE:
        # Records and servers read by id are what the last look rests on: it may be late, not lied to.
        said["call"] = random.choice(("services", "servers", "room", "server_groups", "image"))
    if kind is FaultKind.WRONG_MAPPING:
        said["to"] = random.choice([h for h in of.hosts if h != host])
    if kind is FaultKind.API_FAILS and said.get("call") == "evacuate":
        said["times"] = random.randint(1, 3)
    return Fault(kind=kind, **said)


def _trouble(random: Random, kind: TroubleKind) -> Trouble:
    said: dict[str, Any] = {}
    takes = TROUBLE_TAKES[kind]
    if "for_s" in takes:
        said["for_s"] = random.randint(1, MAX_FOR_S) / 2
    if "step" in takes:
        said["step"] = random.randint(1, 20)
    if "written" in takes:
        said["written"] = chance(random, 50)
    if "by_s" in takes:
        # Across a reboot of our own machine nothing but the wall clock tells an age: NTP must hold it.
        far = () if kind is TroubleKind.MACHINE_REBOOTS else (-3600, 3600)
        said["by_s"] = float(random.choice((-30, 30, *far)))
    return Trouble(kind=kind, **said)


def _word(random: Random, kind: WordKind, of: Subjects) -> Spoken:
    """Return what an operator says; of a host mostly that of the victim."""
    match kind:
        case WordKind.CONFIRMS_DEAD | WordKind.TESTS_FENCE | WordKind.RELEASES:
            host = VICTIM if chance(random, 80) else random.choice(of.hosts)
            return Spoken(kind=kind, host=host)
        case WordKind.CONFIRMS_DOMAIN:
            return Spoken(kind=kind, domain=random.choice(of.racks))
        case WordKind.DISARMS:
            return Spoken(kind=kind, for_s=float(random.randint(5, MAX_FOR_S)))
        case WordKind.ARMS:
            return Spoken(kind=kind, keep=chance(random, 50))
        case WordKind.ORDERS_REBUILD:
            return Spoken(kind=kind, server=random.choice(of.servers))


def _call(random: Random, _of: Subjects) -> str:
    return random.choice(CALLS)


_FIELDS: Mapping[str, Callable[[Random, Subjects], Any]] = {
    "server": lambda random, of: random.choice(of.servers),
    "image": lambda _random, _of: IMAGE,
    "to": lambda random, of: random.choice((None, *of.hosts)),
    "for_s": lambda random, _of: float(random.randint(1, MAX_FOR_S)),
    "network": lambda random, _of: random.choice((Network.MANAGEMENT, *Network)),
    "way": lambda random, _of: random.choice((Way.BOTH, *Way)),
    "call": _call,
    "how": lambda random, _of: random.choice(tuple(Fails)),
    "status": lambda random, _of: random.choice((400, 401, 403, 404, 409, 429)),
    "times": lambda random, _of: random.choice((None, 1, 2, 5)),
    "by_s": lambda random, _of: float(random.choice((1, 3, 8, 20, 60))),
    "bmc": lambda random, _of: random.choice([b for b in Bmc if b is not Bmc.NORMAL]),
    "device": lambda _random, _of: None,
    "rack": lambda random, of: random.choice(of.racks),
    "signed": lambda random, _of: chance(random, 50),
    "moment": lambda random, _of: random.choice(tuple(Moment)),
    "dies": lambda random, _of: random.choice(tuple(Dies)),
    "text": lambda random, _of: random.choice(
        ("Virtual Interface creation failed", "maintenance", "masakari")
    ),
    "state": lambda random, _of: random.choice(("active", "error")),
    "resumes_guests": lambda random, _of: chance(random, 50),
}
