"""What people and tools are shown: one set of models for the API, the command line and its JSON.

Keys are snake_case and values stable; a release may add keys, and never renames one.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from koboshi.domain.alone.stops import StopCause, StopState
from koboshi.domain.facts.cloud import Power
from koboshi.domain.forecasting.disk_forecast import DiskKind, DiskOutcome
from koboshi.domain.incidents.incident import IncidentState, ProofKind
from koboshi.domain.judging.testimony import Group
from koboshi.domain.judging.verdict import Control, Network, Verdict
from koboshi.domain.recoveries.recovery import RecoveryState, Treatment


def _iso(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


Utc = Annotated[datetime, PlainSerializer(_iso, when_used="json")]
"""A moment; in JSON ISO 8601, always UTC, always with milliseconds: sorts as text."""

Seconds = Annotated[float, PlainSerializer(lambda value: round(value, 1), return_type=float)]


class View(BaseModel):
    """What all views share."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Source(StrEnum):
    """Where a view comes from."""

    DAEMON = "daemon"
    """A running daemon: what is true now."""
    JOURNAL = "journal"
    """The journal alone: what was last written; nothing is being watched."""


class EvidenceView(View):
    """One kind of evidence, and how old the newest of it is."""

    kind: str
    age_s: Seconds | None
    """None when there is none yet."""
    detail: str


class HostView(View):
    """One compute host as it is judged now."""

    host: str
    verdict: Verdict
    meaning: str
    reasons: list[str]
    is_protected: bool
    is_fenced: bool
    """Whether a power device is configured."""
    network: Network
    control: Control
    power: Power
    power_age_s: Seconds | None
    heartbeat_age_s: Seconds | None
    servers: int | None
    """How many servers Nova places there; None before the first listing."""
    is_enabled: bool
    is_forced_down: bool
    disabled_reason: str | None
    incident: str | None
    """The host's open incident."""


class TestimonyView(View):
    """One witness's word on a host."""

    witness: str
    group: Group
    """Witnesses of one group fail together, and have one vote."""
    group_meaning: str
    says: str
    age_s: Seconds | None
    """Since it last heard of the host, or its answer came; None: never."""
    sentence: str


class WordView(View):
    """A person's word that a host is dead."""

    at: Utc
    by: str
    note: str


class FenceTestView(View):
    """The newest time that a host was really switched off and on."""

    at: Utc
    ok: bool
    detail: str
    worked_at: Utc | None
    """When it last worked."""


class ArmingView(View):
    """Whether Koboshi may act, and whose word that is."""

    is_armed: bool
    reason: str
    """Why it may, or may not."""
    by: str | None
    """Who said so last; None: the configuration."""
    since: Utc | None
    until: Utc | None
    """When a disarm ends by itself."""


class DomainHostView(View):
    """One host of a domain."""

    host: str
    verdict: Verdict | None
    """None: Nova lists no such host."""
    reasons: list[str]
    is_silent: bool
    """Whether no witness hears it: a confirmed domain counts such hosts for dead."""
    servers: int | None


class DomainView(View):
    """Hosts that can fail together for one cause."""

    domain: str
    hosts: list[DomainHostView]
    is_confirmed: bool
    """Whether a person has said that it is dead."""


class AwaitsView(View):
    """What a host on its way home waits for by itself."""

    what: str
    since: Utc
    until: Utc | None
    """When a person is asked, should it not come; None: nobody will be."""
    you_may: str
    """What a person may do meanwhile."""
    commands: list[str]
    """What to type for it; empty where it is a look, or nothing."""


class IncidentView(View):
    """One failure of one host, in brief."""

    id: str
    host: str
    state: IncidentState
    meaning: str
    reason: str
    is_over: bool
    opened_at: Utc
    moved_at: Utc
    """When it came into this state."""
    servers: int
    recovered: int
    on_their_way: int
    waiting: int
    held: int
    need_a_person: int
    awaits: AwaitsView | None = None
    """What it waits for on its way home; None elsewhere, and where nobody watches."""


class RecoveryView(View):
    """One server's recovery."""

    server: str
    name: str
    state: RecoveryState
    meaning: str
    reason: str
    treatment: Treatment
    treatment_reason: str
    destination: str | None
    requests: int
    """Evacuate requests of which it is certain or possible that Nova took them."""
    local_disks: list[str]
    """Disks on the dead host's own storage."""
    is_data_loss_committed: bool
    waits_for: list[str]
    """Servers that must be up before it, and are not yet; it waits for them for a while."""
    moved_at: Utc


class TimelineEntry(View):
    """One step of an incident."""

    seq: int
    at: Utc
    offset_s: Seconds
    """Since the incident was opened."""
    kind: str
    subject: str
    what: str
    why: str


class ProofView(View):
    """Proof that a host is dead."""

    kind: ProofKind
    at: Utc


class HomeStepView(View):
    """One step of the way home: what to do and why, and what to type for it."""

    text: str
    commands: list[str]


class WayHomeView(View):
    """How one host and its held servers come back."""

    incident: str
    host: str
    steps: list[HomeStepView]
    """In order."""


class NoticeView(View):
    """Something that a person should know about a host."""

    host: str
    topic: str
    text: str
    since: Utc


class TimeBombView(View):
    """An evacuation that never ended, and what the next start of its source's nova-compute will do."""

    host: str
    server: str
    name: str
    """Empty where the server is deleted, or could not be read."""
    server_is_on: str | None
    record: str
    status: str
    since: Utc | None
    """By Nova's clock."""
    destroys_a_server_now: bool
    what: str
    """What will happen when."""
    cure: str


class ShortfallView(View):
    """Hosts that die together, and how many of their servers would find no place."""

    domain: str | None
    """The declared domain that they are; None: one host by itself."""
    hosts: list[str]
    of: int
    """How many servers would be evacuated."""
    without_room: int
    servers: list[str]
    """The names of those without a place: the first fifty."""
    lacking: str


class OutlookView(View):
    """Every single host's death and every declared domain's, played through by the daemon."""

    at: Utc
    """When the cloud was read for it."""
    hosts: int
    domains: int
    short: list[ShortfallView]
    not_counted: str = ""
    """Of which servers it is not known, as they ask for what no count of room tells; empty: of none."""
    trouble: str
    """Why it is not known, or not wholly; empty when it is."""


class HostDetail(View):
    """Everything about one host: the verdict, who says what, and what would change it."""

    host: HostView
    rule: str
    """The rule that made the verdict."""
    would_change: str
    """What would change it."""
    testimony: list[TestimonyView]
    fence_test: FenceTestView | None
    """None: its power devices were never tried."""
    quarantined: list[str]
    """Its power devices that are not believed, each with the reason."""
    against_a_word: str | None
    """What speaks against a person's word that it is dead; None: nothing does now."""
    incident: IncidentView | None
    proof: ProofView | None
    word: WordView | None
    notices: list[NoticeView]
    time_bombs: list[TimeBombView] = Field(default_factory=list[TimeBombView])
    next: list[str]
    """What to type next."""


class IncidentDetail(View):
    """Everything about one incident."""

    incident: IncidentView
    proof: ProofView | None
    marker: str | None
    """What stands as the reason of the service's disable in Nova."""
    recoveries: list[RecoveryView]
    timeline: list[TimelineEntry]
    way_home: list[HomeStepView]
    """How to bring the host and its held servers back, in order; empty while it is too early."""


class HeldServer(View):
    """A server that waits where its data is."""

    server: str
    name: str
    host: str
    incident: str
    reason: str
    local_disks: list[str]


class DiskView(View):
    """One disk of a server, and what becomes of it."""

    kind: DiskKind
    name: str
    """A volume's id; empty where the kind says it all."""
    outcome: DiskOutcome
    why: str


class ServerDetail(View):
    """A server of an open incident, and what it would cost to rebuild it now."""

    server: str
    name: str
    host: str
    incident: str
    state: RecoveryState
    reason: str
    held_since: Utc | None
    """None where it is not held."""
    disks: list[DiskView]
    """What would become of each if it were rebuilt; empty while nobody has listed it."""
    refused: str | None
    """Why an order to rebuild it would be refused now; None: it would be taken."""
    cure: str


class StoppedServerView(View):
    """A server that Nova stopped by itself, on a host that lives."""

    server: str
    name: str
    host: str
    cause: StopCause
    state: StopState
    meaning: str
    reason: str
    since: Utc
    """When it was found."""


class UnwellServerView(View):
    """A server whose check fails, on a host that lives."""

    server: str
    name: str
    host: str
    reason: str
    """What was asked, and how it failed, when it was found."""
    since: Utc
    """When it was found."""
    reboots: int
    """How often Koboshi rebooted it for that within the last day."""
    done: str
    """What is done about it now, or why nothing is."""
    look: str
    """What to type to look at it."""


class StatusView(View):
    """The overview."""

    source: Source
    at: Utc
    version: str
    """Of the daemon, or of the command line when it reads the journal."""
    install: str
    mode: str
    is_acting: bool
    acting_reason: str
    """Why it acts or does not."""
    arming: ArmingView
    started_at: Utc | None
    cloud: str
    evidence: list[EvidenceView] = Field(default_factory=list[EvidenceView])
    hosts: list[HostView] = Field(default_factory=list[HostView])
    incidents: list[IncidentView]
    """Open ones, oldest first."""
    held: list[HeldServer]
    stopped: list[StoppedServerView] = Field(default_factory=list[StoppedServerView])
    """Servers that Nova stopped by itself, and that are off still."""
    unwell: list[UnwellServerView] = Field(default_factory=list[UnwellServerView])
    """Servers whose check fails, on hosts that live."""
    notices: list[NoticeView]
    time_bombs: list[TimeBombView] = Field(default_factory=list[TimeBombView])
    outlook: OutlookView | None = None
    """None: there was no look ahead yet, or no daemon."""
    """Of every host; none in the journal's word, which keeps only the notices of them."""
    found_down: list[str]
    ways_home: list[WayHomeView] = Field(default_factory=list[WayHomeView])
    """For each open incident whose host may be brought home."""
    next: list[str]
    """What to type next."""


class CheckView(View):
    """One thing that `/readyz` looks at."""

    name: str
    is_ok: bool
    detail: str


class HealthView(View):
    """The answer of `/readyz?verbose`."""

    is_ready: bool
    is_acting: bool
    acting_reason: str
    checks: list[CheckView]


class AnswerView(View):
    """What came of a person's word."""

    by: str
    """Who said it, as the daemon knows them."""
    said: list[str]
    """What was remembered, in sentences."""
    incident: str | None
    """The incident that it is about."""


class ErrorView(View):
    """What went wrong with a request."""

    error: str
    cure: str = ""
    """What to do instead."""
    is_refusal: bool = False
    """Whether a safety rule refused it: nothing was done, and repeating it alone helps nothing."""
