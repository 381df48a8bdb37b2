"""The lifecycle of one server's recovery within an incident."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.facts.cloud import Demand
from koboshi.domain.instant import Instant
from koboshi.domain.memory.lifecycle import Table
from koboshi.domain.names import CommandId, HostName, IncidentId, MigrationId, ServerId
from koboshi.domain.policies.readiness import Readiness
from koboshi.domain.recoveries.priority import Priority


class RecoveryState(StrEnum):
    """Where a server's recovery stands."""

    HELD = "held"
    IGNORED = "ignored"
    QUEUED = "queued"
    POSTING = "posting"
    UNKNOWN = "unknown"
    BUILDING = "building"
    CONFIRMING = "confirming"
    SETTLING = "settling"
    STUCK = "stuck"
    DONE = "done"
    GONE = "gone"
    GIVEN_UP = "given_up"
    ORPHAN_SUSPECTED = "orphan_suspected"
    FOREIGN = "foreign"
    REFUSED = "refused"


RECOVERY_MEANING: dict[RecoveryState, str] = {
    RecoveryState.HELD: "left where its data is; nothing was sent",
    RecoveryState.IGNORED: "by policy nothing is done for it",
    RecoveryState.QUEUED: "will be evacuated when its turn comes",
    RecoveryState.POSTING: "the evacuate request is being sent",
    RecoveryState.UNKNOWN: "the answer to the evacuate request was lost; its records are being read",
    RecoveryState.BUILDING: "Nova is rebuilding it on its destination",
    RecoveryState.CONFIRMING: "Nova says done; host and task state are being read back",
    RecoveryState.SETTLING: "moved; its hypervisor is being asked whether it runs",
    RecoveryState.STUCK: "it does not come to an end; nothing may be repeated until it does",
    RecoveryState.DONE: "up again, on its destination or with its host",
    RecoveryState.GONE: "deleted, or moved by somebody else, meanwhile",
    RecoveryState.GIVEN_UP: "no try is left, or no host can take it now: a host must open, or a person look",
    RecoveryState.ORPHAN_SUSPECTED: "an orphaned copy may run somewhere: no more commands",
    RecoveryState.FOREIGN: "somebody else evacuates it: Koboshi only watches",
    RecoveryState.REFUSED: "Nova refuses to evacuate it; the reason is Nova's own",
}

_S = RecoveryState

RECOVERY_STEPS: Table[RecoveryState] = {
    _S.HELD: frozenset({_S.QUEUED, _S.GONE, _S.FOREIGN, _S.DONE, _S.STUCK}),
    _S.IGNORED: frozenset({_S.GONE}),
    _S.QUEUED: frozenset(
        {_S.POSTING, _S.HELD, _S.GONE, _S.FOREIGN, _S.GIVEN_UP, _S.REFUSED, _S.STUCK},
    ),
    _S.POSTING: frozenset(
        {
            _S.BUILDING,
            _S.UNKNOWN,
            _S.QUEUED,
            _S.REFUSED,
            _S.HELD,
            _S.GONE,
            _S.FOREIGN,
            _S.ORPHAN_SUSPECTED,
        },
    ),
    _S.UNKNOWN: frozenset(
        {_S.BUILDING, _S.POSTING, _S.STUCK, _S.HELD, _S.GONE, _S.ORPHAN_SUSPECTED},
    ),
    _S.BUILDING: frozenset(
        {
            _S.CONFIRMING,
            _S.QUEUED,
            _S.HELD,
            _S.STUCK,
            _S.GIVEN_UP,
            _S.GONE,
            _S.ORPHAN_SUSPECTED,
        }
    ),
    _S.CONFIRMING: frozenset({_S.SETTLING, _S.STUCK, _S.GONE, _S.ORPHAN_SUSPECTED}),
    _S.SETTLING: frozenset({_S.DONE, _S.GONE, _S.STUCK}),
    _S.STUCK: frozenset(
        {_S.QUEUED, _S.HELD, _S.GONE, _S.GIVEN_UP, _S.ORPHAN_SUSPECTED, _S.SETTLING, _S.DONE},
    ),
    _S.DONE: frozenset(),
    _S.GONE: frozenset(),
    _S.GIVEN_UP: frozenset({_S.QUEUED, _S.HELD, _S.GONE}),
    _S.ORPHAN_SUSPECTED: frozenset({_S.GONE}),
    _S.FOREIGN: frozenset({_S.GONE, _S.DONE}),
    _S.REFUSED: frozenset({_S.QUEUED, _S.HELD, _S.GONE}),
}

HOLDS_A_SLOT = frozenset({_S.POSTING, _S.UNKNOWN, _S.BUILDING, _S.STUCK})
"""States in which a destination may still be at work; a terminal record frees the slot."""

ON_ITS_WAY = frozenset({_S.POSTING, _S.UNKNOWN, _S.BUILDING, _S.CONFIRMING, _S.SETTLING})
"""States in which an evacuation may be running in Nova."""

WAITING = frozenset({_S.QUEUED})

NEEDS_A_PERSON = frozenset({_S.STUCK, _S.GIVEN_UP, _S.ORPHAN_SUSPECTED, _S.REFUSED})


class Treatment(StrEnum):
    """What is meant for a server when its host is dead."""

    EVACUATE = "evacuate"
    """Nothing of it lies on the dead host: it comes back as it was."""
    REBUILD = "rebuild"
    """Its local disks are lost by policy: it comes back as made from its image."""
    HOLD = "hold"
    """It waits for its host, or for a person."""
    IGNORE = "ignore"
    """It is not protected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What Nova's scheduler looks at: where it finds no host for one, it finds none for its like."""

    demand: Demand
    zone: str
    storage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A server of the dead host as it was listed, with what is meant for it and why."""

    server: ServerId
    name: str
    treatment: Treatment
    reason: str
    local_disks: tuple[str, ...]
    demand: Demand
    availability_zone: str
    vm_state: str
    """Before the failure: what it should be again (`active`, `stopped` or `error`)."""
    storage: str = ""
    """The aggregate on whose shared storage its local disks lie; empty where it has none there."""
    separate_from: frozenset[ServerId] = frozenset()
    """The other members of its anti-affinity groups: they share no host."""
    priority: Priority = Priority.NORMAL
    """How much its return matters beside the others'."""
    rebuild_after: timedelta | None = None
    """How long it is held before it is rebuilt after all, should its host stay off; None: for good."""
    project: str = ""
    after: tuple[str, ...] = ()
    """Which servers must be up before it, as they were named (`koboshi:after`)."""
    ready: Readiness | None = None
    """What must answer before it counts as up for those that wait for it."""
    backends: frozenset[str] = frozenset()
    """Which of Cinder's back ends serve its volumes (`HOST@BACKEND`); one is empty where it is not known."""

    @property
    def shape(self) -> Shape:
        """Return what it has in common with others that find a host where it does."""
        return Shape(demand=self.demand, zone=self.availability_zone, storage=self.storage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One server's recovery, as folded from the journal."""

    incident: IncidentId
    candidate: Candidate
    state: RecoveryState
    reason: str
    seen_at: Instant
    moved_at: Instant
    command: CommandId | None = None
    destination: HostName | None = None
    known_records: frozenset[MigrationId] = frozenset()
    """Evacuation records that existed before the newest request: what is not in here is its own."""
    open_records: frozenset[MigrationId] = frozenset()
    """Those of them that were never ended."""
    posts: int = 0
    """Requests of which it is certain or possible that Nova took them."""
    pinned: HostName | None = None
    """Where alone a request may go: the answer to one was lost, and only its end will tell."""
    refusals: int = 0
    """How often in a row a request was not sent, or was refused: it is tried ever less often."""
    stop_asked_at: Instant | None = None
    starts: int = 0
    """How often it was started where its disks are."""
    reboots: int = 0
    """How often it was rebooted HARD there; what Nova refused does not count."""
    start_asked_at: Instant | None = None
    failed_destinations: frozenset[HostName] = frozenset()
    no_host_found: bool = False
    """Whether Nova's scheduler found no host for its newest request."""
    data_loss_committed: bool = False
    unseen_by: HostName | None = None
    """Which host that is declared to share its storage did not see its disks."""
    waits_since: Instant | None = None
    """Since when it could have been sent, had it not to wait for others; None: it never had to."""
    awaits: tuple[str, ...] = ()
    """For whom it waits; empty when it waits for nobody, or no longer."""
    wait_is_over: bool = False
    """Whether it goes on, because all that it waited for is up, or without it: it waits once only."""

    @property
    def waits_for_others(self) -> bool:
        """Return whether it is left alone until others are up, or its wait has lasted for too long."""
        return self.state in WAITING and bool(self.awaits)

    def waited_for_others(self, now: Instant) -> timedelta:
        """Return for how long it has waited for others, whatever a clock did meanwhile."""
        if self.waits_since is None:
            return timedelta()
        return max(now.since(self.waits_since), now.surely_since(self.waits_since))

    @property
    def server(self) -> ServerId:
        """Return the server's id."""
        return self.candidate.server
