"""The lifecycle of a host incident: from confirmed silence to servers that are safe elsewhere.

Up to `settled` its servers are recovered; from there the host comes home: switched on (or `parked`
until a person does), cleared of what was evacuated, given back to Nova, and watched until `closed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from koboshi.domain.instant import Instant
from koboshi.domain.memory.lifecycle import Table
from koboshi.domain.names import HostName, IncidentId, ServiceId
from koboshi.domain.rules import Rules


class IncidentState(StrEnum):
    """Where an incident stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    WOULD_ACT = "would_act"
    FENCING = "fencing"
    UNPROVEN = "unproven"
    PROVEN = "proven"
    ISOLATING = "isolating"
    RECOVERING = "recovering"
    SOURCE_BACK = "source_back"
    SETTLED = "settled"
    PARKED = "parked"
    POWERING_ON = "powering_on"
    RETURNING = "returning"
    RECONCILING = "reconciling"
    RESTORING = "restoring"
    ENABLING = "enabling"
    QUARANTINED = "quarantined"
    NEEDS_HUMAN = "needs_human"
    FOREIGN = "foreign"
    CLOSED = "closed"


INCIDENT_MEANING: dict[IncidentState, str] = {
    IncidentState.HELD: "the host is silent, but a safety rule holds every action back",
    IncidentState.CONFIRMED: "the host is silent on every path that counts; nothing was done yet",
    IncidentState.WOULD_ACT: "observe mode: this is what would be done now; nothing is",
    IncidentState.FENCING: "the host is being switched off, and its power read back",
    IncidentState.UNPROVEN: "the power could not be read as off: nothing is evacuated without proof",
    IncidentState.PROVEN: "there is proof that the host is dead",
    IncidentState.ISOLATING: "its compute service is being forced down and disabled in Nova",
    IncidentState.RECOVERING: "its servers are being evacuated",
    IncidentState.SOURCE_BACK: "the host gave a sign of life after the proof: no new evacuation",
    IncidentState.SETTLED: "no server is on its way any more; the host awaits its way home",
    IncidentState.PARKED: "no server is on its way; the host stays off until a person brings it back",
    IncidentState.POWERING_ON: "no server is on its way: the host is being switched on again",
    IncidentState.RETURNING: "the host gives signs of life: two heartbeats of its nova-compute are awaited",
    IncidentState.RECONCILING: "Nova clears away what was evacuated; then force-down is lifted",
    IncidentState.RESTORING: "servers that waited for their disks are started on the host again",
    IncidentState.ENABLING: "the host is enabled in Nova, and watched until it has been healthy for long",
    IncidentState.QUARANTINED: "the host failed again and again: it is home, and left disabled",
    IncidentState.NEEDS_HUMAN: "Koboshi cannot go on safely by itself; the reason says what to do",
    IncidentState.FOREIGN: "somebody else is recovering this host: Koboshi only watches",
    IncidentState.CLOSED: "over: the host is healthy and enabled again",
}

_S = IncidentState
_ENDS_ANYWHERE = frozenset({_S.NEEDS_HUMAN, _S.CLOSED})

INCIDENT_STEPS: Table[IncidentState] = {
    _S.HELD: frozenset({_S.CONFIRMED, _S.FOREIGN}) | _ENDS_ANYWHERE,
    _S.CONFIRMED: frozenset({_S.HELD, _S.WOULD_ACT, _S.FENCING, _S.UNPROVEN, _S.PROVEN, _S.FOREIGN})
    | _ENDS_ANYWHERE,
    _S.WOULD_ACT: frozenset({_S.CONFIRMED, _S.HELD, _S.FOREIGN}) | _ENDS_ANYWHERE,
    _S.FENCING: frozenset({_S.PROVEN, _S.UNPROVEN}) | _ENDS_ANYWHERE,
    _S.UNPROVEN: frozenset({_S.FENCING, _S.PROVEN}) | _ENDS_ANYWHERE,
    _S.PROVEN: frozenset({_S.ISOLATING, _S.SOURCE_BACK, _S.FOREIGN}) | _ENDS_ANYWHERE,
    _S.ISOLATING: frozenset({_S.RECOVERING, _S.SOURCE_BACK, _S.FOREIGN}) | _ENDS_ANYWHERE,
    _S.RECOVERING: frozenset({_S.SETTLED, _S.SOURCE_BACK}) | _ENDS_ANYWHERE,
    _S.SOURCE_BACK: frozenset({_S.FENCING, _S.PROVEN, _S.SETTLED}) | _ENDS_ANYWHERE,
    _S.SETTLED: frozenset({_S.RECOVERING, _S.SOURCE_BACK, _S.PARKED, _S.POWERING_ON, _S.RETURNING})
    | _ENDS_ANYWHERE,
    _S.PARKED: frozenset({_S.RECOVERING, _S.SOURCE_BACK, _S.SETTLED, _S.RETURNING})
    | _ENDS_ANYWHERE,
    # From here nothing is evacuated any more: there is no way back to `recovering`.
    _S.POWERING_ON: frozenset({_S.RETURNING}) | _ENDS_ANYWHERE,
    _S.RETURNING: frozenset({_S.RECONCILING}) | _ENDS_ANYWHERE,
    _S.RECONCILING: frozenset({_S.RESTORING}) | _ENDS_ANYWHERE,
    _S.RESTORING: frozenset({_S.ENABLING}) | _ENDS_ANYWHERE,
    _S.ENABLING: frozenset({_S.QUARANTINED}) | _ENDS_ANYWHERE,
    _S.QUARANTINED: frozenset({_S.ENABLING}) | _ENDS_ANYWHERE,
    # To `recovering` only what was laid down (laid_down.py), and never after a power-on.
    _S.NEEDS_HUMAN: frozenset({_S.CONFIRMED, _S.RECOVERING, _S.SETTLED, _S.RETURNING, _S.CLOSED}),
    # To `confirmed` only by a person's word that hands the host over (confirm_dead.py).
    _S.FOREIGN: frozenset({_S.CONFIRMED, _S.CLOSED}),
    _S.CLOSED: frozenset(),
}

ACTING = frozenset(
    {_S.FENCING, _S.UNPROVEN, _S.PROVEN, _S.ISOLATING, _S.RECOVERING, _S.SOURCE_BACK}
)
"""States in which Koboshi has begun to act upon the host."""

COMING_HOME = frozenset({_S.POWERING_ON, _S.RETURNING, _S.RECONCILING, _S.RESTORING})
"""States in which a host is on its way home, and more than its power is at stake."""

NO_MORE_EVACUATIONS = COMING_HOME | {_S.ENABLING, _S.QUARANTINED}
"""States after a power-on, or a return: nothing is evacuated from the host in this incident."""

SHOULD_GET_ON = frozenset({_S.PROVEN, _S.ISOLATING, _S.RECOVERING, _S.SOURCE_BACK})
"""States after the proof in which something must come of the incident again and again."""

DEADLINES: Mapping[IncidentState, timedelta] = {
    _S.CONFIRMED: timedelta(minutes=10),
    _S.FENCING: timedelta(seconds=30),
    _S.SETTLED: timedelta(hours=1),
    _S.POWERING_ON: timedelta(minutes=5),
    _S.RETURNING: timedelta(minutes=15),
    _S.RECONCILING: timedelta(hours=1),
    _S.RESTORING: timedelta(minutes=30),
    _S.ENABLING: timedelta(hours=1),
}
"""How long a host may be in a state before a person is asked: Nova times nothing out."""

WAITS_FOR_A_PERSON = frozenset(
    {_S.HELD, _S.WOULD_ACT, _S.UNPROVEN, _S.PARKED, _S.QUARANTINED, _S.NEEDS_HUMAN, _S.FOREIGN}
)
"""States that end by a person's doing, or when the evidence changes: they are told when they begin."""


def deadline_of(state: IncidentState, rules: Rules) -> timedelta | None:
    """Return how long nothing may come of an incident; None where it waits for a person, or is over."""
    return rules.stuck_after if state in SHOULD_GET_ON else DEADLINES.get(state)


class ProofKind(StrEnum):
    """What counts as proof that a host is dead."""

    FENCED_OFF = "fenced_off"
    """Power read off three times after our own off command."""
    FOUND_OFF = "found_off"
    """Power read off three times before any command of ours."""
    KDUMP = "kdump"
    """Its crash kernel wrote: authenticated, or on a network that is declared isolated."""
    WORD = "word"
    """A person said so, whom the operating system vouches for, while every witness was silent."""
    SILENCE = "silence"
    """Nothing is proven: by the operator's policy, death is assumed after long silence."""


BY_POWER = frozenset({ProofKind.FENCED_OFF, ProofKind.FOUND_OFF})
"""Proof that holds for as long as the power reads off; every other holds while the host is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Proof of death, and the moment from which any sign of life makes it void."""

    kind: ProofKind
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWord:
    """A person's word that a host is dead; void as soon as a witness answers again."""

    at: Instant
    by: str
    """Who gave it, as the operating system told: `uid 0 (root), pid 123`."""
    note: str
    to_fence: bool = False
    """Whether it was given of a host that is down inside, and answers: it proves nothing, but lets the
    host be switched off, by every rule that holds for a silent one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The compute service as it read back after our own PUT."""

    service: ServiceId
    marker: str
    """The `disabled_reason` that says who disabled it: `koboshi:<install>:<incident>`."""
    baseline: datetime | None
    """`updated_at` after our PUT: any later value is a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Homeway:
    """How far a host's way home has come."""

    power_ons: int = 0
    """How often *on* was meant: from the first on nothing is evacuated in this incident."""
    powered_on_at: Instant | None = None
    beats: int = 0
    """Heartbeats of its nova-compute since it returned."""
    beat: datetime | None = None
    """The newest of them, by Nova's clock."""
    asked_at: Instant | None = None
    """When Nova was last asked to lift force-down, or to enable the host."""
    refused_since: Instant | None = None
    """Since when Nova has refused to lift it."""
    refusal: str = ""
    released_by: str = ""
    """Who let the host serve again though it had failed again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One failure of one host, as folded from the journal."""

    id: IncidentId
    host: HostName
    state: IncidentState
    reason: str
    opened_at: Instant
    moved_at: Instant
    word: GivenWord | None = None
    """The newest word that it is dead, unless it is void."""
    handed_over: str | None = None
    """The `disabled_reason` of an operator's disable, of a host that the newest word handed over to us
    ("": none was given); with it the host is given back. None: it was in service."""
    proof: Proof | None = None
    isolation: Isolation | None = None
    progressed_at: Instant
    """When something last came of it: a step, a request that Nova took, one that ended."""
    servers_listed: bool = False
    fence_attempts: int = 0
    switched_off: bool = False
    """Whether its power device took an *off* of ours."""
    home: Homeway = field(default_factory=Homeway)

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen to it."""
        return self.state is IncidentState.CLOSED

    @property
    def is_begun(self) -> bool:
        """Return whether anything was concluded of its host, or done to it."""
        return self.proof is not None or self.isolation is not None or self.fence_attempts > 0
