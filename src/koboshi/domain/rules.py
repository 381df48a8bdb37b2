"""What an operator decides, as the domain sees it: settings, freed from where they were read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.recoveries.priority import Priority


class Mode(StrEnum):
    """Whether Koboshi may change anything."""

    OBSERVE = "observe"
    """It watches, judges, and journals what it would do."""
    ACT = "act"
    """It fences, forces down and evacuates."""


class OnLocalDisk(StrEnum):
    """What to do with a server whose data lies on its dead host's own disk."""

    HOLD = "hold"
    """Leave it where its data is, until its host comes back or a person decides."""
    REBUILD = "rebuild"
    """Evacuate it: the disks on the dead host are lost, it is made again from its image."""
    REBUILD_AFTER = "rebuild-after"
    """Hold it for a while, and rebuild it then if its host is still off."""
    IGNORE = "ignore"
    """Do nothing for it: its owner brings it back."""


class TenantMay(StrEnum):
    """What a project may say of its own servers."""

    HOLD = "hold"
    REBUILD = "rebuild"
    REBUILD_AFTER = "rebuild-after"
    IGNORE = "ignore"
    OPT_OUT = "opt-out"
    """That a server is not recovered at all."""
    OPT_IN = "opt-in"
    """That it is, where only what says so is."""
    START_LONE = "start-lone"
    """That it is started when its guest ended alone."""


class LoneStop(StrEnum):
    """What to do with a server whose guest ended without a sign that its host rebooted."""

    START = "start"
    """Start it again, whatever ended it; its user's own stop never is."""
    LEAVE = "leave"
    """Leave it off, and tell a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRules:
    """What an operator decides of servers, and how far their owners may decide otherwise."""

    tagged_only: bool = False
    """Whether only servers are recovered of which somebody says so."""
    priority: Priority = Priority.NORMAL
    tenant_may: frozenset[TenantMay] = frozenset(TenantMay)
    tenant_priority_at_most: Priority = Priority.HIGH
    projects: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """By a project's id: what is said of all its servers."""
    aggregates: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, Mapping[str, str]]
    )
    """By an aggregate's name: what is said of all servers on its hosts."""
    ready_networks: tuple[str, ...] = ()
    """Where servers may be asked whether they are ready."""
    wait_at_most: timedelta = timedelta(seconds=600)
    """How long a server waits for others before it goes on without them (never longer)."""


class ProofPolicy(StrEnum):
    """What may prove a host's death where its power cannot be switched or read."""

    POWER = "power"
    """Nothing: every protected host needs a power device."""
    WORD = "word"
    """A person: a host without a power device waits for `koboshi host confirm-dead`."""
    SILENCE = "silence"
    """Nothing proves it: a host without a power device is assumed dead after long silence."""


PROOF_READS = 3
"""How many times the power must read off in a row (never shortened)."""
PROOF_SPACING = timedelta(seconds=2)
"""The least time between two of those readings (never shortened)."""
PROOF_MAX_AGE = timedelta(seconds=10)
"""How old the newest reading may be when an evacuation is sent (never longer)."""
SILENT_FOR = timedelta(seconds=10)
"""How long every path must be silent when an evacuation rests on a word, or on silence (never shorter)."""
ASSUMED_DEAD_AFTER = timedelta(seconds=60)
"""How long two fate groups must be silent before silence stands for death (never shorter)."""
POSITIVE_CONTROL_MAX_AGE = timedelta(seconds=3)
"""How recently the same prober must have reached the other hosts."""
UNKNOWN_READS = 3
"""How many times the records are read before a lost request may be asked again."""
UNKNOWN_WAIT = timedelta(seconds=90)
"""... and over how long a time, while the API answers."""
MAX_POSTS = 3
"""How many evacuations of one server may fail before a person must look."""
WAITED_LONG = timedelta(minutes=10)
"""Who has waited for so long goes first, whatever its class."""
NO_HOST_WAIT = timedelta(seconds=120)
"""How long a shape waits after Nova found no host for one, unless capacity changes."""
NEWEST_SUSPECT_WAIT = timedelta(seconds=5)
"""How long after a host fell silent nothing new is sent: it may be the first of several."""
LOOP_GAP = timedelta(seconds=5)
"""A longer gap between two ticks of our own loop makes all silence start anew."""
LEAST_HOLD = timedelta(seconds=5)
"""A brake that was held is not eased sooner: a picture that flickers must not fill the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's decisions and the safety argument's windows."""

    mode: Mode
    install: str = "koboshi"
    """Names this installation in the marker that it leaves in Nova."""
    on_local_disk: OnLocalDisk = OnLocalDisk.HOLD
    shared_aggregates: tuple[str, ...] = ()
    """Aggregates whose hosts keep their servers' disks on one storage that all of them share."""
    rebuild_after: timedelta = timedelta(minutes=30)
    """How long a server is held that is to be rebuilt after a while, where nobody says how long."""
    policy: PolicyRules = field(default_factory=PolicyRules)
    """Who is recovered, in which order, and who may say so."""
    proof: ProofPolicy = ProofPolicy.POWER
    """What may prove the death of a host without a power device."""
    fence_down_inside: bool = False
    """Whether a host that rebooted, and whose nova-compute does not come, is fenced and recovered."""
    silence: timedelta = timedelta(seconds=6)
    """How long a witness must be silent before its silence is a vote."""
    heartbeat_margin: timedelta = timedelta(seconds=3)
    """How much later than its interval a heartbeat may come."""
    sample_max_age: timedelta = timedelta(seconds=30)
    """How old a sample of Prometheus may be to say that its host lives."""
    probe_warm_up: timedelta = timedelta(minutes=10)
    """How long a prober must have reached a host before its silence counts."""
    new_evidence: timedelta = timedelta(seconds=60)
    """How much fresh evidence a later start gathers before it opens an incident."""
    brake_percent: int = 8
    """Which part of a cell's hosts may be in trouble at once; one host always may."""
    brake_most: int = 20
    """How many hosts may be at the most, however large the cell is."""
    release_after: timedelta = timedelta(seconds=60)
    """How long the picture must have been plausible before a brake that was held is released."""
    late_percent: int = 5
    """If more of the hosts that answer probes report late, the control plane is unwell."""
    api_error_percent: int = 20
    """If more requests of the last 30 s failed, the API is unwell."""
    api_latency: timedelta = timedelta(seconds=5)
    """If more than one request of twenty took longer, too."""
    incident_memory: timedelta = timedelta(minutes=15)
    """How long one incident counts for the brake."""
    latch: timedelta = timedelta(minutes=10)
    """How long a host must have been healthy before its incident is closed."""
    quarantine: timedelta = timedelta(hours=24)
    """How long a device that contradicted a living host must read on before it is believed again."""
    look_first: int = 32
    """How many other hosts' devices are read before the first *off* of a host that reads on."""
    window: int = 8
    """Evacuations on their way at once in a cell, at the beginning and when Nova is slow."""
    window_most: int = 40
    """... and at the most, however well Nova takes them."""
    per_destination: int = 2
    """... of them onto one destination."""
    per_destination_rebuilds: int = 1
    """... of those, how many that fetch an image and build a disk."""
    per_backend: int = 8
    """... of them with volumes of one of Cinder's back ends; those whose is not known count as one."""
    health_networks: tuple[str, ...] = ()
    """Where servers may be asked all the time whether they are well."""
    reboot_unwell: bool = False
    """Whether a server whose check fails is rebooted (HARD)."""
    unwell_after: timedelta = timedelta(seconds=60)
    """How long a check must fail."""
    reboots_an_hour: int = 2
    """How often one server is rebooted for that at the most."""
    start_lone_stops: bool = False
    """Whether a server whose guest ended alone is started, whatever ended it."""
    stuck_after: timedelta = timedelta(minutes=10)
    """How long one evacuation may be on its way before a person is told."""
    comes_home: bool = True
    """Whether a host comes home by itself once its servers are safe; else a person brings it."""
    power_on: bool = True
    """Whether a host that Koboshi switched off is switched on again when its servers are safe."""
    hosts_home_at_once: int = 2
    """How many hosts may be on their way home together."""
    starts_per_host: int = 4
    """Held servers of one host that may be starting together."""
    starts_at_once: int = 16
    """... of all hosts."""
    flapping: timedelta = timedelta(hours=24)
    """A host that fails twice within this time stays disabled until a person says otherwise."""
