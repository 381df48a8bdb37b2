"""What the judge has seen and read so far: facts, and the breaches that were told of them."""

from collections import Counter
from functools import cached_property

import anyio

from koboshi.domain.facts.cloud import ComputeService, Migration
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.state import State
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState, Shape
from koboshi.domain.rules import Rules
from koboshi.sim.asking import ASKER
from koboshi.sim.bmc import Read
from koboshi.sim.breach import Breach, Rule
from koboshi.sim.truth import CommandArrived, EvacuationBegan
from koboshi.sim.world import World

LOOK_S = 8.0
"""What changed so recently may be missing in the last look, however careful: answers take time."""
SEEN_S = 1.5
"""A probe's answer is known after this long."""
ASKED_S = 5.0
"""So long ago at most a host must have been asked to be silent; longer gaps discard all silence."""
AUTO = "AUTO: "
"""libvirt's own disable (nova virt/libvirt/driver.py: DISABLE_PREFIX)."""


class Casebook:
    """The facts of one play."""

    def __init__(self, world: World, rules: Rules) -> None:  # noqa: PLR0915 fact by fact
        self.rules = rules
        self.breaches: list[Breach] = []
        self.assumed: list[Breach] = []
        """What rests on the one documented assumption: a BMC that reads off for a host that runs."""
        self.declared: list[Breach] = []
        """What rests on a word or on silence: whoever said or declared it took the risk."""
        self.words: set[HostName] = set()
        """Hosts that a person called dead, and no witness has answered since."""
        self.confirmed: set[HostName] = set()
        """Hosts of a domain that a person said was dead."""
        self.near: Counter[str] = Counter()
        """Things that came close, by kind."""
        self.state = State()
        """The memory, as the journal has it."""
        self.world = world
        self.requests: dict[ServerId, list[EvacuationBegan]] = {}
        self.arrived: list[CommandArrived] = []
        self.meant_s: dict[ServerId, list[float]] = {}
        """When each server's requests were meant."""
        self.edited_by_others: dict[HostName, float] = {}
        self.disabled_by_others: dict[HostName, str] = {}
        """With what reason others have disabled a host ("": none), and not enabled it again."""
        """When somebody other than Koboshi last changed each host's row."""
        self.opened_s: dict[IncidentId, float] = {}
        self.moved_s: dict[IncidentId, float] = {}
        """When each incident made its newest step."""
        self.switched_on_s: dict[HostName, float] = {}
        """When each host was last given power."""
        self.died_alone: set[ServerId] = set()
        """Guests that ended while their host lived."""
        self.proven_s: dict[IncidentId, float] = {}
        self.fenced_s: dict[HostName, float] = {}
        self.saves: set[CommandId] = set()
        """Each *off* that was meant while a server was on its way."""
        self.fell_silent_s: dict[HostName, float] = {}
        """When each host last lost its power, or an incident of it was opened."""
        self.stops_moved_s: dict[ServerId, float] = {}
        """When each stop by Nova's own hand was last heard of."""
        self.began_s = 0.0
        self.leader: object | None = None
        """The daemon that began last: the one that leads."""
        self.acted: set[IncidentId] = set()
        self.sent: set[CommandId] = set()
        self.intents: dict[CommandId, Command] = {}
        """Those that may still have an effect: one whose answer is lost can be late."""
        self.committed: set[tuple[IncidentId, ServerId]] = set()
        self.ordered: set[tuple[IncidentId, ServerId]] = set()
        """... by a person, who gave up what the policy would hold."""
        self.maybe: dict[ServerId, dict[CommandId, HostName | None]] = {}
        """Requests of which nobody knows for certain that they had no effect, and whereto."""
        self.lied_to: set[ServerId] = set()
        """Servers that were sent on the one documented assumption."""
        self.at_risk: set[ServerId] = set()
        """Servers that were sent on a word, or on silence."""

    @cached_property
    def full_s(self) -> dict[Shape, float]:
        """Return when Koboshi last heard of each shape that Nova has no host for it."""
        return {}

    @cached_property
    def goes_without(self) -> dict[ServerId, set[str]]:
        """Return of whom the journal says that they go on without those whom they name."""
        return {}

    @cached_property
    def waits_s(self) -> dict[tuple[IncidentId, ServerId], float]:
        """Return since when servers wait for others, as far as the journal says."""
        return {}

    def tell(self, rule: Rule, facts: str) -> None:
        """Write a breach down."""
        self.breaches.append(Breach(at_s=anyio.current_time(), rule=rule, facts=facts))

    def assume(self, rule: Rule, facts: str) -> None:
        """Write down what rests on the one documented assumption."""
        self.assumed.append(Breach(at_s=anyio.current_time(), rule=rule, facts=facts))

    def declare(self, rule: Rule, facts: str) -> None:
        """Write down what a person, or a declared policy, took upon himself."""
        self.declared.append(Breach(at_s=anyio.current_time(), rule=rule, facts=facts))

    def is_others(self, row: ComputeService) -> bool:
        """Return whether somebody else took the host out of service."""
        reason = row.disabled_reason or ""
        if reason.startswith(self.marker):
            return False
        return row.forced_down or (not row.enabled and not reason.startswith(AUTO))

    def was_handed_over(self, row: ComputeService) -> bool:
        """Return whether a person's word gave us a host that is disabled like this."""
        incident = self.state.open_incident(row.host)
        return (
            incident is not None
            and not row.forced_down
            and incident.handed_over == (row.disabled_reason or "")
        )

    @property
    def marker(self) -> str:
        """Return how Koboshi's own reasons to disable begin."""
        return f"koboshi:{self.rules.install}:"

    def leads_to_a_dead_host(self, record: Migration) -> bool:
        """Return whether a record's destination is proven dead."""
        host = record.destination
        incident = self.state.open_incident(host) if host else None
        return host is not None and incident is not None and incident.proof is not None

    def told(self, host: HostName) -> list[Read]:
        """Return what the daemon whose deed is judged was told of a host's power.

        Another one may have read more; what nobody in particular does is the leader's.
        """
        asker = ASKER.get() or self.leader
        return [r for r in self.world.told[host] if r.asker in {None, asker}]

    def recovery_state(self, server: ServerId) -> RecoveryState | None:
        """Return where a server's newest recovery stands."""
        states = [of[server].state for of in self.state.recoveries.values() if server in of]
        return states[-1] if states else None
