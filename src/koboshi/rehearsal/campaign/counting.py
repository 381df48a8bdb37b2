"""What occurred in a play, by kind: faults, ends, and what came close.

A campaign in which a kind never occurs has not tried it: it proves nothing about it.
"""

from collections import Counter
from dataclasses import dataclass, field

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.events import CommandEnded, CommandUnknown, IncidentMoved, RecoveryMoved
from koboshi.domain.memory.state import State, apply
from koboshi.domain.names import IncidentId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.campaign.scripts import KINDS
from koboshi.rehearsal.chronicle import Voice
from koboshi.rehearsal.play import Played
from koboshi.rehearsal.words import WordKind

ENDS_INCIDENT = (
    IncidentState.HELD,
    IncidentState.WOULD_ACT,
    IncidentState.UNPROVEN,
    IncidentState.SETTLED,
    IncidentState.PARKED,
    IncidentState.RETURNING,
    IncidentState.RESTORING,
    IncidentState.ENABLING,
    IncidentState.QUARANTINED,
    IncidentState.NEEDS_HUMAN,
    IncidentState.FOREIGN,
    IncidentState.CLOSED,
)
ENDS_SERVER = (
    RecoveryState.HELD,
    RecoveryState.IGNORED,
    RecoveryState.STUCK,
    RecoveryState.DONE,
    RecoveryState.GONE,
    RecoveryState.GIVEN_UP,
    RecoveryState.ORPHAN_SUSPECTED,
    RecoveryState.FOREIGN,
    RecoveryState.REFUSED,
)
NOTICES = (
    "service_failed",
    "hung",
    "silent_unconfirmed",
    "bmc_contradicts",
    "bmc_mistaken",
    "bmc_unreadable",
    "disabled_and_dark",
    "no_fencing",
    "stale_record",
    "waiting_for_a_person",
    "servers_held",
)
WORDS = frozenset(map(str, WordKind))
NEAR = {
    "held_by_the_brake": "an incident waited for the brake",
    "refused_by_the_guard": "the last look stopped a request that the plan had wanted",
    "not_sent_no_look": "a request was not sent because the last look failed",
    "source_back": "the source gave a sign of life during its recovery",
    "fenced_again": "a host that came back was switched off again",
    "answer_lost": "the answer to an evacuate was lost",
    "lost_had_arrived": "a lost request turned out to have arrived",
    "lost_asked_again": "a lost request left no trace and was asked again",
    "died_with_its_daemon": "the daemon ended before it knew the answer",
    "failed_and_tried_elsewhere": "an evacuation failed and was tried again",
    "destination_proven_dead": "a destination died and its server went elsewhere",
    "data_loss_committed": "a disk was given up by policy",
    "raced_by_an_operator": "an operator's request came between the last look and ours",
    "twice_by_an_operator": "an operator's request made a server run twice",
    "word_taken": "a person's word that a host is dead was taken",
    "word_voided": "... and was void, because the host answered again",
    "proof_by_word": "a host was acted upon by a word",
    "proof_by_silence": "a host was acted upon by declared silence",
    "declared": "a server was sent, or ran twice, by a word or by silence, while its host lived",
    "domain_confirmed": "a person confirmed that a whole domain is dead",
    "fence_tried": "an empty host was switched off and on, to try its power device",
    "refused_word": "a word was refused",
    "waited_for_others": "a server waited for others that must be up before it",
    "waited_until_up": "... and was sent when they were",
    "waited_until_its_cap": "... and went on without them, as they did not come in time",
    "waiting_was_vain": "a server went on at once without those whom it names, as nothing brings them up",
    "assumed": "a server was sent on the one documented assumption: a BMC that lied off",
}
"""What came close, and what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each kind occurred."""

    faults: Counter[str] = field(default_factory=Counter[str])
    incidents: Counter[str] = field(default_factory=Counter[str])
    servers: Counter[str] = field(default_factory=Counter[str])
    notices: Counter[str] = field(default_factory=Counter[str])
    near: Counter[str] = field(default_factory=Counter[str])
    incident_steps: Counter[str] = field(default_factory=Counter[str])
    """Incidents that came to each state, on their way or at the end."""
    server_steps: Counter[str] = field(default_factory=Counter[str])
    """... and recoveries."""

    def add(self, other: "Counts") -> None:
        """Add what occurred in another play."""
        for name in GROUPS:
            self.of(name).update(other.of(name))

    def of(self, group: str) -> Counter[str]:
        """Return the counts of one of GROUPS."""
        counts: Counter[str] = getattr(self, group)
        return counts

    def missing(self) -> tuple[str, ...]:
        """Return each kind that never occurred, as `group: kind`."""
        return tuple(
            f"{name}: {kind}"
            for name, kinds in GROUPS.items()
            for kind in kinds
            if not self.of(name)[kind]
        )


GROUPS: dict[str, tuple[str, ...]] = {
    "faults": tuple(map(str, KINDS)),
    "incidents": tuple(map(str, ENDS_INCIDENT)),
    "servers": tuple(map(str, ENDS_SERVER)),
    "notices": NOTICES,
    "near": tuple(NEAR),
    "incident_steps": tuple(map(str, IncidentState)),
    "server_steps": tuple(map(str, RecoveryState)),
}


def count(played: Played) -> Counts:
    """Return what occurred in one play."""
    counts = Counts()
    for line in played.lines:
        words = line.text.split()
        if line.voice is Voice.WORLD and words[0] in {"fault", "trouble", "word"}:
            counts.faults[words[1]] += 1
    state = played.state
    counts.incidents.update(i.state.value for i in state.incidents.values())
    for of in state.recoveries.values():
        counts.servers.update(r.state.value for r in of.values())
    for recorded in played.recorded:
        if recorded.event.kind == "host_noticed":
            counts.notices[recorded.event.topic.partition("/")[0]] += 1
        if recorded.event.kind == "fence_tested" and recorded.event.ok:
            counts.near["fence_tried"] += 1
    _count_steps(played, counts)
    counts.near.update(_near(played))
    counts.near.update(played.judge.near)
    counts.near["assumed"] += len(played.judge.assumed)
    counts.near["declared"] += len(played.judge.declared)
    counts.near["refused_word"] += sum(
        line.text.startswith("refused operator_") and line.text.split()[1] in WORDS
        for line in played.lines
    )
    return counts


def _count_steps(played: Played, counts: Counts) -> None:
    """Count for each state how many came to it, each once: by the journal, told again from its beginning."""
    incidents: set[tuple[IncidentId, IncidentState]] = set()
    servers: set[tuple[IncidentId, ServerId, RecoveryState]] = set()
    state = State()
    for recorded in played.recorded:
        before, state = state, apply(state, recorded.at, recorded.event)
        if state.incidents is not before.incidents:
            incidents |= {(i.id, i.state) for i in state.incidents.values()}
        if state.recoveries is not before.recoveries:
            of = state.recoveries.items()
            servers |= {(i, r.server, r.state) for i, all_of in of for r in all_of.values()}
    counts.incident_steps.update(state.value for _, state in incidents)
    counts.server_steps.update(state.value for _, _, state in servers)


def _near(played: Played) -> Counter[str]:
    near: Counter[str] = Counter()
    for event in (r.event for r in played.recorded):
        match event:
            case IncidentMoved(to=IncidentState.HELD):
                near["held_by_the_brake"] += 1
            case IncidentMoved(to=IncidentState.SOURCE_BACK):
                near["source_back"] += 1
            case IncidentMoved(to=IncidentState.FENCING) if "again" in event.reason:
                near["fenced_again"] += 1
            case CommandUnknown() if "daemon ended" in event.detail:
                near["died_with_its_daemon"] += 1
            case CommandUnknown():
                near["answer_lost"] += 1
            case CommandEnded() if "no trace of it" in event.detail:
                near["lost_asked_again"] += 1
            case RecoveryMoved() if "is proven dead" in event.reason:
                near["destination_proven_dead"] += 1
            case RecoveryMoved(to=RecoveryState.QUEUED) if "ended" in event.reason:
                near["failed_and_tried_elsewhere"] += 1
            case _ if event.kind == "data_loss_committed":
                near["data_loss_committed"] += 1
            case _ if event.kind == "command_accepted" and "had arrived" in event.detail:
                near["lost_had_arrived"] += 1
            case CommandEnded() if "the last look" in event.detail:
                near["not_sent_no_look"] += 1
            case CommandEnded() if event.outcome == "refused" and event.command in _evacuations(
                played
            ):
                near["refused_by_the_guard"] += 1
            case _:
                pass
    return near


def _evacuations(played: Played) -> frozenset[str]:
    """Return the ids of the requests that were meant and never arrived anywhere."""
    return frozenset(
        r.event.command.id
        for r in played.recorded
        if r.event.kind == "command_intended"
        and r.event.command.type == "evacuate"
        and r.event.command.id not in played.judge.sent
    )
