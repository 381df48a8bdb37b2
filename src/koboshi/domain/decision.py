"""What one look at the world leads to: facts to remember, commands to carry out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.instant import Instant
from koboshi.domain.judging.calm import Calm
from koboshi.domain.judging.verdict import Judgement
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.events import Event
from koboshi.domain.memory.state import State
from koboshi.domain.names import CellName, CommandId, HostName, IncidentId
from koboshi.domain.recoveries.window import Window
from koboshi.domain.restraint.arming import why_not_acting
from koboshi.domain.restraint.brake import Brake
from koboshi.domain.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that a decision may look at, at one moment."""

    world: World
    state: State
    rules: Rules
    now: Instant
    judgements: Mapping[HostName, Judgement]
    """Of every host that Nova lists. A calm host's reasons tell its ages as of when it was judged."""
    quiet: Mapping[HostName, Calm]
    """The hosts that can be left alone, until something of them changes."""
    quiet_until: timedelta
    """Until when by our boot clock none of them must be looked at for the time's sake."""
    restless: tuple[HostName, ...]
    """All others, in order: those that must be looked at now."""

    windows: Mapping[CellName, Window] = field(default_factory=dict[CellName, Window])
    """How many evacuations may be on their way in each cell with an incident."""
    brake: Brake = field(compare=False, repr=False)
    """Whether it is plausible enough to act upon one more host."""

    @property
    def why_not_acting(self) -> str | None:
        """Return why nothing may be sent now; None when Koboshi is armed."""
        return why_not_acting(self.rules, self.state, self.now)

    def new_command_id(self, incident: Incident, what: str) -> CommandId:
        """Return the next command's name: derived from the journal, so never used twice."""
        return CommandId(f"{incident.id}/{what}-{self.state.command_count + 1}")

    def new_incident_id(self, host: HostName) -> IncidentId:
        """Return the name of an incident of `host` that opens now."""
        return IncidentId(f"{host}-{self.now.wall:%Y%m%dT%H%M%SZ}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Events are journalled first, together with the intents of the commands; then these run."""

    events: tuple[Event, ...] = ()
    commands: tuple[Command, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.events or self.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A safety rule's answer to what a person wants: why not, and what to do instead."""

    reason: str
    cure: str


def together(decisions: Iterable[Decision]) -> Decision:
    """Return all decisions as one, in order."""
    items = tuple(decisions)
    return Decision(
        events=tuple(e for d in items for e in d.events),
        commands=tuple(c for d in items for c in d.commands),
    )


NOTHING = Decision()
