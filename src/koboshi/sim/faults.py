"""What can befall a cloud, as data: each fault is one entry of a script, a campaign, or a test.

How a fault is carried out is in `happening`; what befalls the daemon itself (killed, paused, its
journal full) is no matter of the world, and is not in here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from koboshi.domain.facts.device import BMC
from koboshi.sim.bmc import Bmc
from koboshi.sim.line import Fails
from koboshi.sim.network import Network

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


class FaultInvalid(ValueError):
    """An entry is no fault: an unknown kind, a field missing, or one that says nothing there."""


class FaultKind(StrEnum):
    """What befalls."""

    # Hosts
    POWER_LOSS = "power_loss"
    START = "start"
    COMPUTE_DIES = "compute_dies"
    COMPUTE_STARTS = "compute_starts"
    HANG = "hang"
    QUICK_REBOOT = "quick_reboot"
    GUEST_DIES = "guest_dies"
    GUEST_HANGS = "guest_hangs"
    KERNEL_CRASHES = "kernel_crashes"
    KDUMP_FORGED = "kdump_forged"
    AGENT_DIES = "agent_dies"
    LATE_HEARTBEAT = "late_heartbeat"
    SLOW_HEARTBEATS = "slow_heartbeats"
    CLOCK_SKEW = "clock_skew"
    # Networks
    CUT = "cut"
    SWITCH_DIES = "switch_dies"
    RACK_LOSES_POWER = "rack_loses_power"
    BLIND = "blind"
    UPLINK_DOWN = "uplink_down"
    PROMETHEUS_DOWN = "prometheus_down"
    OWN_TROUBLE = "own_trouble"
    # The control plane
    BUS_DOWN = "bus_down"
    DATABASE_DOWN = "database_down"
    CONDUCTOR_DIES = "conductor_dies"
    SCHEDULER_DIES = "scheduler_dies"
    CELL_DOWN = "cell_down"
    ROW_VANISHES = "row_vanishes"
    STALE = "stale"
    IMAGE_VANISHES = "image_vanishes"
    # The API
    API_FAILS = "api_fails"
    API_SLOW = "api_slow"
    # BMCs
    BMC = "bmc"
    WRONG_MAPPING = "wrong_mapping"
    # Evacuations
    SPAWNS_FAIL = "spawns_fail"
    SPAWNS_SLOW = "spawns_slow"
    SPAWNS_HANG = "spawns_hang"
    CLAIMS_FAIL = "claims_fail"
    FILTER_REFUSES = "filter_refuses"
    DIES_IN_SPAWN = "dies_in_spawn"
    # People
    OPERATOR_EVACUATES = "operator_evacuates"
    OPERATOR_MIGRATES = "operator_migrates"
    OPERATOR_COLD_MIGRATES = "operator_cold_migrates"
    OPERATOR_CONFIRMS = "operator_confirms"
    OPERATOR_REVERTS = "operator_reverts"
    OPERATOR_ENABLES = "operator_enables"
    OPERATOR_DISABLES = "operator_disables"
    OPERATOR_FORCES_DOWN = "operator_forces_down"
    OPERATOR_LIFTS = "operator_lifts"
    OPERATOR_RESETS = "operator_resets"
    OPERATOR_ENDS_RECORDS = "operator_ends_records"
    USER_STARTS = "user_starts"
    USER_STOPS = "user_stops"
    USER_REBOOTS = "user_reboots"
    USER_DELETES = "user_deletes"
    USER_PAUSES = "user_pauses"
    USER_UNPAUSES = "user_unpauses"
    USER_SUSPENDS = "user_suspends"
    USER_RESUMES = "user_resumes"
    # The end of troubles
    CALM = "calm"


class Way(StrEnum):
    """Which conversations a cut ends, as a firewall that remembers connections does."""

    BOTH = "both"
    IN = "in"
    """Those that others begin with the host (probes): its heartbeats still go out."""
    OUT = "out"
    """Those that the host begins (its message bus, its storage): it still answers probes."""


class Moment(StrEnum):
    """When in an evacuation its destination dies."""

    BEFORE = "before"
    """Before the guest was started there."""
    AFTER = "after"
    """After the guest was started, before Nova wrote it down."""


class Dies(StrEnum):
    """What of a destination dies."""

    COMPUTE = "compute"
    """nova-compute alone: the guest, once started, runs on."""
    POWER = "power"
    """The whole host."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that befalls the world. Fields that its kind does not name stay at their defaults."""

    kind: FaultKind
    host: str | None = None
    server: str | None = None
    image: str | None = None
    rack: str | None = None
    to: str | None = None
    """The host that an operator sends a server to (None leaves it to the scheduler), or that a power
    device is wired to in truth."""
    for_s: float | None = None
    """It ends by itself after so many seconds; None: not before a `calm`."""
    network: Network = Network.MANAGEMENT
    way: Way = Way.BOTH
    call: str = "*"
    """A call of the API by its name in ports/cloud.py, e.g. `services`; `*` is any."""
    how: Fails = Fails.NO_ANSWER
    status: int = 500
    """The HTTP status of an error answer."""
    times: int | None = None
    """So many calls only."""
    by_s: float = 20.0
    """By how many seconds a call, an effect, a spawn, or a clock is late (a clock: ahead)."""
    bmc: Bmc = Bmc.GONE
    device: str = BMC
    """Which of a host's power devices: `bmc` or `outlets`."""
    signed: bool = False
    """Whether a kernel's last words carry the right HMAC."""
    moment: Moment = Moment.BEFORE
    dies: Dies = Dies.COMPUTE
    text: str = "Virtual Interface creation failed"
    """What a failing spawn says in the server's fault, or an operator's reason to disable."""
    state: str = "active"
    """What a reset-state sets: `active` or `error`."""
    resumes_guests: bool = False
    """Whether the host that starts has nova's resume_guests_state_on_host_boot."""

    def __post_init__(self) -> None:
        """Hold the fault to its kind's shape; raises FaultInvalid."""
        shape = SHAPES[self.kind]
        said = {f.name for f in fields(self) if getattr(self, f.name) != f.default} - {"kind"}
        missing, idle = shape.needs - said, said - shape.needs - shape.takes
        # What is needed has no default that says anything: it differs from it, or was not given.
        if missing:
            raise FaultInvalid(f"{self.kind} needs {', '.join(sorted(missing))}")
        if idle:
            raise FaultInvalid(f"{self.kind} knows no {', '.join(sorted(idle))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kind of fault means, and which fields say more of it."""

    meaning: str
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()


def _shape(meaning: str, needs: str = "", takes: str = "") -> Shape:
    return Shape(meaning=meaning, needs=frozenset(needs.split()), takes=frozenset(takes.split()))


_K = FaultKind
SHAPES: Mapping[FaultKind, Shape] = {
    _K.POWER_LOSS: _shape(
        "the host loses its power; with for_s it is started again after that",
        "host",
        "for_s resumes_guests",
    ),
    _K.START: _shape("the host is switched on and boots", "host", "resumes_guests"),
    _K.COMPUTE_DIES: _shape(
        "nova-compute dies alone, the guests run on; with for_s it is started again",
        "host",
        "for_s",
    ),
    _K.COMPUTE_STARTS: _shape("nova-compute is (re)started on a host that has power", "host"),
    _K.HANG: _shape(
        "the host's kernel answers and every process stands still, guests too", "host", "for_s"
    ),
    _K.QUICK_REBOOT: _shape(
        "the host reboots sooner than Nova could notice; its guests are off afterwards",
        "host",
        "resumes_guests",
    ),
    _K.GUEST_DIES: _shape(
        "one guest's QEMU dies (or the guest switches itself off: nobody can tell)", "server"
    ),
    _K.GUEST_HANGS: _shape(
        "a guest's programs stand still; its QEMU runs on, and a reboot mends it, or (with times) not the "
        "first ones",
        "server",
        "times for_s",
    ),
    _K.KERNEL_CRASHES: _shape(
        "the host's kernel panics and sends kdump messages; with for_s it reboots after that",
        "host",
        "for_s signed resumes_guests",
    ),
    _K.KDUMP_FORGED: _shape(
        "somebody sends a kdump message in a host's name, without the key", "host"
    ),
    _K.AGENT_DIES: _shape("the host's Neutron agent dies alone", "host", "for_s"),
    _K.SLOW_HEARTBEATS: _shape(
        "heartbeats (of one host only, if it is named) take by_s longer", "", "host by_s for_s"
    ),
    _K.LATE_HEARTBEAT: _shape(
        "a heartbeat that waited on its way arrives, whatever became of its sender", "host"
    ),
    _K.CLOCK_SKEW: _shape(
        "a host's clock, or without host the conductor's, is by_s ahead", "", "host by_s for_s"
    ),
    _K.CUT: _shape("one network of the host is cut, or one way of it", "host", "network way for_s"),
    _K.SWITCH_DIES: _shape(
        "one network of every host of a rack is cut: its switch died", "rack", "network way for_s"
    ),
    _K.RACK_LOSES_POWER: _shape(
        "every host of a rack loses its power, and its BMC with it; with for_s it comes back",
        "rack",
        "for_s resumes_guests",
    ),
    _K.UPLINK_DOWN: _shape(
        "our own machine reaches nothing: no API, no host, no power device", "", "for_s"
    ),
    _K.PROMETHEUS_DOWN: _shape("Prometheus does not answer", "", "for_s"),
    _K.BLIND: _shape("our own prober's network is cut: nobody answers it", "", "for_s"),
    _K.OWN_TROUBLE: _shape("our own prober cannot even ask", "", "for_s"),
    _K.BUS_DOWN: _shape("the message bus carries nothing: every heartbeat stops", "", "for_s"),
    _K.DATABASE_DOWN: _shape(
        "Nova's database is away: heartbeats stop, and the API answers 500", "", "for_s"
    ),
    _K.CONDUCTOR_DIES: _shape(
        "nova-conductor is dead: no heartbeat is written, no evacuation begins", "", "for_s"
    ),
    _K.SCHEDULER_DIES: _shape(
        "nova-scheduler is dead: an evacuation's record stays accepted for good", "", "for_s"
    ),
    _K.CELL_DOWN: _shape(
        "the cell does not answer the API: UNKNOWN rows, vanished servers", "", "for_s"
    ),
    _K.ROW_VANISHES: _shape("a host's row is missing in the list of services", "host", "for_s"),
    _K.STALE: _shape("a kind of read goes on answering what was so when it began", "call", "for_s"),
    _K.IMAGE_VANISHES: _shape("Glance would not serve this image any more", "image", "for_s"),
    _K.API_FAILS: _shape(
        "calls fail: no answer, answer lost, effect late (by_s), refused (status), never sent",
        "",
        "call how status times for_s by_s",
    ),
    _K.API_SLOW: _shape("answers, true when asked for, arrive by_s late", "", "call by_s for_s"),
    _K.BMC: _shape("the host's power device behaves in this way", "host", "bmc device for_s"),
    _K.WRONG_MAPPING: _shape(
        "the host's power device is wired to another host", "host to", "device for_s"
    ),
    _K.SPAWNS_FAIL: _shape("every guest's start on this host fails", "host", "text for_s"),
    _K.SPAWNS_SLOW: _shape("guests' starts take by_s", "", "host by_s for_s"),
    _K.SPAWNS_HANG: _shape("guests' starts on this host never end", "host", "for_s"),
    _K.CLAIMS_FAIL: _shape("this host refuses what the scheduler sends it", "host", "for_s"),
    _K.FILTER_REFUSES: _shape(
        "a filter of Nova's scheduler keeps every server from this host", "host", "for_s"
    ),
    _K.DIES_IN_SPAWN: _shape(
        "this host, or its nova-compute, dies in the next spawn on it", "host", "moment dies"
    ),
    _K.OPERATOR_EVACUATES: _shape("an operator evacuates a server", "server", "to"),
    _K.OPERATOR_MIGRATES: _shape("an operator live-migrates a server", "server", "to"),
    _K.OPERATOR_COLD_MIGRATES: _shape(
        "an operator migrates a server cold: its disk is left on the source until he confirms",
        "server",
        "to",
    ),
    _K.OPERATOR_CONFIRMS: _shape("an operator confirms a server's cold migration", "server"),
    _K.OPERATOR_REVERTS: _shape("an operator takes a server's cold migration back", "server"),
    _K.OPERATOR_ENABLES: _shape("an operator lifts forced_down and enables a host", "host"),
    _K.OPERATOR_DISABLES: _shape("an operator disables a host", "host", "text"),
    _K.OPERATOR_FORCES_DOWN: _shape("an operator forces a host down", "host"),
    _K.OPERATOR_LIFTS: _shape("an operator lifts forced_down of a host", "host"),
    _K.OPERATOR_RESETS: _shape("an operator resets a server's state", "server", "state"),
    _K.OPERATOR_ENDS_RECORDS: _shape(
        "an operator ends a server's open evacuation records in Nova's database", "server"
    ),
    _K.USER_STARTS: _shape("its owner starts a server", "server"),
    _K.USER_STOPS: _shape("its owner stops a server", "server"),
    _K.USER_REBOOTS: _shape("its owner reboots a server (hard)", "server"),
    _K.USER_DELETES: _shape("its owner deletes a server", "server"),
    _K.USER_PAUSES: _shape("its owner pauses a server: it stands still", "server"),
    _K.USER_UNPAUSES: _shape("its owner lets a paused server go on", "server"),
    _K.USER_SUSPENDS: _shape("its owner suspends a server: its memory goes to disk", "server"),
    _K.USER_RESUMES: _shape("its owner lets a suspended server go on", "server"),
    _K.CALM: _shape("every lasting fault ends (of this host only, if one is named)", "", "host"),
}
FAULT_MEANING: Mapping[FaultKind, str] = {kind: shape.meaning for kind, shape in SHAPES.items()}


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_entry(kind: type[T], what: str, entry: Mapping[str, Any]) -> T:
    """Read one `what` (a dataclass `kind`) from an entry of a TOML script; raises FaultInvalid."""
    try:
        read: T = _adapter(kind).validate_python(dict(entry))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise FaultInvalid(f"no {what}: {where or 'entry'}: {problem['msg']}") from error
    return read


def entry_of(happening: "DataclassInstance") -> dict[str, Any]:
    """Write what happens as an entry that reads back as itself: only what differs from the defaults."""
    said = {f.name: getattr(happening, f.name) for f in fields(happening)}
    return {
        f.name: value.value if isinstance(value := said[f.name], StrEnum) else value
        for f in fields(happening)
        if said[f.name] != f.default
    }


def fault_from(entry: Mapping[str, Any]) -> Fault:
    """Read one fault from an entry of a TOML script; raises FaultInvalid."""
    return read_entry(Fault, "fault", entry)
