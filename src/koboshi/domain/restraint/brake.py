"""The brake: whether the picture of a cell is plausible enough to act upon one more host.

Counted before any filter: N are the hosts that no operator had disabled before they fell silent, X
those of them that are suspect or worse and those of each incident of the last 15 minutes. While X is
larger than a small part of N, our own view, a switch or the control plane is the likelier cause, and
every host is held. What all hosts of a picture have in common is found once a picture.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.ownership import disabled_before_silence
from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.networks import Network, Reach, neighbours_of
from koboshi.domain.judging.verdict import WORSE_THAN_UP, Judgement, Verdict
from koboshi.domain.memory.state import State
from koboshi.domain.names import CellName, DomainName, HostName
from koboshi.domain.restraint.bound import bound
from koboshi.domain.restraint.brownout import Brownouts
from koboshi.domain.restraint.domains import domain_that_failed
from koboshi.domain.rules import Rules

SMALL_CLOUD = 5
"""Up to so many hosts, all the others must have fresh heartbeats."""
IN_DOUBT = WORSE_THAN_UP - {Verdict.SERVICE_FAILED, Verdict.DOWN_INSIDE}
"""Suspect or worse. One whose nova-compute alone is down answers the prober: it is not in doubt.
Nor is one that is down inside, unless such ones are fenced: then each counts as a silent one does."""
_INSIDE = frozenset({Verdict.DOWN_INSIDE})
NAMED_AT_MOST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the brake counts in one cell."""

    hosts: frozenset[HostName]
    """Everyone that counts (N), hosts that older incidents explain included."""
    suspects: frozenset[HostName]
    """Who is in trouble now or was of late (X)."""
    silent: frozenset[HostName]
    """... of those, all but who may only have lost a packet."""
    limit: int
    """How many may be (B)."""
    domain: DomainName | None
    """The one domain whose death explains them, where there is one."""

    @property
    def is_too_much(self) -> bool:
        """Return whether more hosts are in trouble than are plausible."""
        return len(self.suspects) > self.limit and self.domain is None

    def would_be_too_much(self, more: AbstractSet[HostName]) -> bool:
        """Return the same if `more` hosts were in trouble, too."""
        return len(self.suspects | more) > self.limit and self.domain is None

    @property
    def is_surely_too_much(self) -> bool:
        """Return the same of silence that is no lost packet: this the brake remembers."""
        return len(self.silent) > self.limit and self.domain is None

    @property
    def words(self) -> str:
        """Return the count in a sentence."""
        names = sorted(self.suspects)
        named = ", ".join(names[:NAMED_AT_MOST]) + (", …" if len(names) > NAMED_AT_MOST else "")
        return (
            f"{len(names)} of {len(self.hosts)} hosts are in trouble or were of late ({named}): more "
            f"than {self.limit} at a time is implausible"
        )


class Brake:
    """The brake of one picture."""

    def __init__(
        self,
        judgements: Mapping[HostName, Judgement],
        world: World,
        state: State,
        rules: Rules,
        now: Instant,
        restless: Iterable[HostName] | None = None,
        brownouts: Brownouts | None = None,
    ) -> None:
        """Take a picture's parts; `restless` are the hosts among which trouble is to be looked for."""
        self._judgements = judgements
        self._world = world
        self._state = state
        self._rules = rules
        self._now = now
        self._restless = tuple(judgements if restless is None else restless)
        self.brownouts = brownouts or Brownouts(world, state, rules, now, self._restless)
        self._tallies: dict[CellName, Tally] = {}

    def why(self, host: HostName) -> str | None:
        """Return why `host` must not be acted upon now; None when the picture is plausible."""
        world, cell = self._world, cell_of(host, self._world)
        if host in world.ours:
            return f"{host} carries Koboshi itself or its database: it is never fenced"
        if why := self.why_too_early():
            return why
        tally = self.tally(cell)
        if len(tally.hosts | {host}) <= 1:
            return "there is no other host to compare it with"
        if why := self.brownouts.of(cell):
            return f"the control plane is unwell: {why}"
        if tally.would_be_too_much({host} - self._confirmed):
            return self._too_much(tally)
        if host not in self._confirmed:
            if why := self._why_not_released(cell):
                return why
            if why := self._why_small(host, tally):
                return why
        apart = neighbours_of(host, world, self._state) | self._confirmed
        reached, word = self._reach.without(host, apart)
        return None if reached else word

    def why_too_early(self) -> str | None:
        """Return that too little evidence was gathered since we began; None when it is enough."""
        gathered, needed = self._now.since(self._world.began_at), self._rules.new_evidence
        if gathered >= needed:
            return None
        return f"evidence is gathered for {seconds(gathered)} only, of {seconds(needed)}"

    def why_implausible(self, cell: CellName) -> str | None:
        """Return why the brake of a cell must be held from now on, until it is released."""
        if why := self.brownouts.of(cell):
            return f"the control plane is unwell: {why}"
        tally = self.tally(cell)
        return self._too_much(tally) if tally.is_surely_too_much else None

    def is_plausible(self, cell: CellName) -> bool:
        """Return whether nothing speaks for holding the cell's brake any longer."""
        return self.brownouts.of(cell) is None and not self.tally(cell).is_too_much

    def tally(self, cell: CellName) -> Tally:
        """Return what is counted in a cell."""
        if cell not in self._tallies:
            self._tallies[cell] = self._count(cell)
        return self._tallies[cell]

    def _too_much(self, tally: Tally) -> str:
        world = self._world
        whole = [d for d, hosts in sorted(world.domains.items()) if len(tally.suspects & hosts) > 1]
        if not whole:
            return tally.words
        return f"{tally.words}; should domain {whole[0]} be dead indeed: koboshi domain confirm {whole[0]}"

    def _why_not_released(self, cell: CellName) -> str | None:
        hold = self._state.holds.brakes.get(cell)
        if hold is None or hold.is_released:
            return None
        return (
            f"the brake is held ({hold.reason}); it is released when the picture has been plausible for "
            f"{seconds(self._rules.release_after)}"
        )

    def _why_small(self, host: HostName, tally: Tally) -> str | None:
        """Few hosts tell little: then all the others must report."""
        others = sorted(tally.hosts - {host} - self._accounted_for - self._confirmed)
        if not others:
            return "there is no other host to compare it with"
        if len(others) >= SMALL_CLOUD:
            return None
        stale = next((h for h in others if self._control(h) is not Control.FRESH), None)
        if stale is not None:
            return (
                f"host {stale} has no fresh heartbeat: in a cloud this small all others must. "
                f"Bring it back, or disable it in Nova if it is gone for long"
            )
        if len(others) == 1 and self._judgements[host].power is not Power.OFF:
            return "of two hosts, only one whose power is found off may be acted upon"
        return None

    def _control(self, host: HostName) -> Control:
        judgement = self._judgements.get(host)
        return judgement.control if judgement else Control.DONT_KNOW

    def _count(self, cell: CellName) -> Tally:
        world, rules = self._world, self._rules
        in_trouble = self.in_trouble
        mine = frozenset(h for h in in_trouble if cell_of(h, world) == cell)
        suspects = mine - self._confirmed
        silent = frozenset(h for h in suspects if not self._has_only_lost_a_packet(h))
        hosts = frozenset(
            h
            for h in world.services
            if (not world.cells or cell_of(h, world) == cell)
            and not disabled_before_silence(h, world, rules, self._now)
        )
        # Hosts that were down before us say nothing of how many may die: 100 forgotten rows are no cloud.
        limit = bound(len(hosts - self._state.found_down), rules)
        domain = None
        if len(suspects) > limit:
            domain = domain_that_failed(suspects, hosts, self._judgements, world, self._state)
        return Tally(hosts=hosts, suspects=suspects, silent=silent, limit=limit, domain=domain)

    @cached_property
    def in_trouble(self) -> frozenset[HostName]:
        """Hosts suspect or worse, and those of each incident of late; whoever is protected."""
        world, state, rules, now = self._world, self._state, self._rules, self._now
        in_doubt = IN_DOUBT | (_INSIDE if rules.fence_down_inside else frozenset[Verdict]())
        judged = (self._judgements[h] for h in self._restless if h in self._judgements)
        doubtful = {
            j.host
            for j in judged
            if j.verdict in in_doubt
            and j.host not in self._accounted_for
            and not disabled_before_silence(j.host, world, rules, now)
        }
        recent = {
            i.host
            for i in state.incidents.values()
            if now.surely_since(i.opened_at) < rules.incident_memory
        }
        return frozenset(doubtful | recent)

    @cached_property
    def _accounted_for(self) -> frozenset[HostName]:
        """Hosts that an older incident explains: they hold no other one back."""
        return frozenset(
            i.host
            for i in self._state.open_incidents()
            if self._now.surely_since(i.opened_at) > self._rules.incident_memory
            and i.state is not IncidentState.HELD
        )

    @cached_property
    def _confirmed(self) -> frozenset[HostName]:
        """Hosts of which a person said that they died with their domain, and that are silent still."""
        return frozenset(
            h
            for confirmed in self._state.holds.confirmed.values()
            for h in confirmed.hosts
            if (
                self._now.surely_since(confirmed.at) < self._rules.incident_memory
                or self._state.open_incident(h) is not None
            )
            and h in self._judgements
            and self._judgements[h].network not in {Network.USERLAND, Network.KERNEL}
        )

    @cached_property
    def _reach(self) -> Reach:
        return Reach(
            self._world,
            self._now,
            lambda h: (
                h not in self._accounted_for
                and not disabled_before_silence(h, self._world, self._rules, self._now)
            ),
        )

    def _has_only_lost_a_packet(self, host: HostName) -> bool:
        judgement = self._judgements.get(host)
        return (
            judgement is not None
            and judgement.network is Network.QUIET
            and judgement.control is not Control.LATE
            and self._state.open_incident(host) is None
        )


def why_braked(
    host: HostName,
    judgements: Mapping[HostName, Judgement],
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
) -> str | None:
    """Return why `host` must not be acted upon now; None when the picture is plausible."""
    return Brake(judgements, world, state, rules, now).why(host)


def why_first_fence_held(host: HostName, world: World, state: State) -> str | None:
    """Return why the host must not be switched off now, by what is remembered alone.

    The executor's own look: the brake may have been held since the command was meant.
    """
    hold = state.holds.brakes.get(cell_of(host, world))
    confirmed = any(host in c.hosts for c in state.holds.confirmed.values())
    if hold is None or hold.is_released or confirmed:
        return None
    return f"the brake is held ({hold.reason})"


def is_confirmed(judgement: Judgement) -> bool:
    """Return whether the host's silence is confirmed."""
    return judgement.verdict is Verdict.UNREACHABLE
