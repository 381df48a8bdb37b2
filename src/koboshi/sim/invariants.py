"""The judge of Koboshi: watches what really happens, and tells each broken rule when it is broken.

It knows the truth (which guest runs, which disk is gone, what the power devices answered) and the
journal, and nothing of how Koboshi decides: a mistake there must not blind its judge. What becomes
of every server in the end is judged in `accounts`.
"""

import anyio

from koboshi.domain.facts.cloud import Migration
from koboshi.domain.memory.commands import (
    NO_INCIDENT,
    ON_SHARED_STORAGE,
    Command,
    EnableService,
    Evacuate,
    FenceOff,
    Isolate,
    LiftForceDown,
    Outcome,
    PowerOn,
    RebootServer,
    RestoreDisable,
    StartServer,
    StopServer,
    TryFence,
)
from koboshi.domain.memory.events import (
    Armed,
    CommandEnded,
    CommandIntended,
    DaemonStarted,
    DataLossCommitted,
    DeathProven,
    Disarmed,
    DisarmEnded,
    DomainConfirmed,
    IncidentMoved,
    IncidentOpened,
    NoHostFound,
    StopMoved,
    StopsSeen,
    WaitsForOthers,
    WordGiven,
    WordVoided,
)
from koboshi.domain.memory.state import apply
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.recoveries.recovery import HOLDS_A_SLOT
from koboshi.domain.rules import UNKNOWN_WAIT, Rules
from koboshi.ports.journal import Recorded
from koboshi.sim.asking import ASKER
from koboshi.sim.braking import Arming, hear_domain, judge_first_act
from koboshi.sim.breach import Rule
from koboshi.sim.brownouts import judge_in_brownout
from koboshi.sim.casebook import LOOK_S, SEEN_S, Casebook
from koboshi.sim.coming_home import judge_homeward, judge_start
from koboshi.sim.down_inside import why_not_down_inside
from koboshi.sim.in_order import judge_wait
from koboshi.sim.journal import Disk
from koboshi.sim.proofs import judge_new_proof, judge_word
from koboshi.sim.requests import judge_evacuate
from koboshi.sim.stopped_alone import judge_lone_reboot, judge_lone_start, judge_reboots
from koboshi.sim.truth import (
    By,
    CommandArrived,
    DataLost,
    EvacuationBegan,
    GuestMoved,
    GuestStarted,
    GuestStopped,
    PowerSwitched,
    ServiceEdited,
    TrueEvent,
)
from koboshi.sim.world import World

SEVERAL_DEVICES = frozenset({"fence_off", "power_on", "try_fence"})
"""Commands that may come to every power device of a host, and there and back again."""


class Judge(Casebook):
    """Watches one world and one journal; never raises, never touches what it watches."""

    def __init__(self, world: World, disk: Disk, rules: Rules) -> None:
        super().__init__(world, rules)
        self._arming = Arming()
        self.never_fenced: frozenset[HostName] = frozenset()
        """Hosts that the settings forbid to switch off: they carry Koboshi, or its database."""
        world.physics.witnesses.watch(self._see)
        disk.watchers.append(self._read)

    def may_not_act(self) -> str | None:
        """Return why Koboshi may mean nothing now."""
        return self._arming.why_not(self.rules.mode, anyio.current_time())

    # What is told

    def _see(self, event: TrueEvent) -> None:
        match event:
            case GuestStarted():
                self.died_alone.discard(event.server)
                if event.elsewhere:
                    self._twice(event)
                else:
                    self._left_behind(event)
            case GuestMoved():
                pass  # it was never off, and never twice
            case DataLost():
                self._data_lost(event)
            case CommandArrived():
                self._arrived(event)
                if event.misses:
                    facts = f"an off for {event.subject} hits {event.misses}: its device says so"
                    self.tell(Rule.UNPROVEN, facts)
            case EvacuationBegan():
                self._began(event)
            case ServiceEdited():
                self._edited(event)
            case PowerSwitched():
                switched = self.switched_on_s if event.on else self.fell_silent_s
                switched[event.host] = event.at_s
            case GuestStopped():
                if self.world.physics.hosts[event.host].power:
                    self.died_alone.add(event.server)

    def _read(self, recorded: Recorded) -> None:
        event, now_s = recorded.event, anyio.current_time()
        self.state = apply(self.state, recorded.at, event)
        match event:
            case DaemonStarted():
                self.began_s, self.leader = now_s, ASKER.get()
                self._arming.hear(event, recorded.at, now_s)
            case Armed() | Disarmed() | DisarmEnded():
                self._arming.hear(event, recorded.at, now_s)
            case DomainConfirmed():
                hear_domain(self, event)
            case IncidentOpened() | IncidentMoved():
                self._stepped(event, now_s)
            case DeathProven():
                self._proven(event, now_s)
            case WordGiven(to_fence=True):
                self.near["word_to_fence"] += 1
            case WordGiven():
                self.words.add(event.host)
                judge_word(self, event, now_s)
            case WordVoided():
                self.words.discard(self.state.incidents[event.incident].host)
                self.near["word_voided"] += 1
            case NoHostFound() | DataLossCommitted() | WaitsForOthers():
                self._of_server(event, now_s)
            case StopsSeen():
                self.stops_moved_s |= {server.id: now_s for server in event.servers}
            case StopMoved():
                self.stops_moved_s[event.server] = now_s
            case CommandIntended():
                self._intended(event.command, now_s)
            case CommandEnded():
                self._ended(event)
            case _:
                pass

    # The journal

    def _of_server(
        self, event: NoHostFound | DataLossCommitted | WaitsForOthers, now_s: float
    ) -> None:
        if isinstance(event, WaitsForOthers):
            judge_wait(self, event, now_s)
            return
        if isinstance(event, DataLossCommitted):
            self.committed.add((event.incident, event.server))
            if event.by:
                self.ordered.add((event.incident, event.server))
            return
        recovery = self.state.recoveries[event.incident][event.server]
        self.full_s[recovery.candidate.shape] = now_s

    def _stepped(self, event: IncidentOpened | IncidentMoved, now_s: float) -> None:
        self.moved_s[event.incident] = now_s
        if isinstance(event, IncidentOpened):
            self.opened_s[event.incident] = now_s
            self.fell_silent_s[event.host] = now_s

    def _proven(self, event: DeathProven, now_s: float) -> None:
        host = self.state.incidents[event.incident].host
        self.proven_s[event.incident] = now_s
        self._begin_to_act(host, event.incident, now_s)  # whoever is proven goes on, come what may
        judge_new_proof(self, self.state.incidents[event.incident], event.proof.kind, now_s)

    def _intended(self, command: Command, now_s: float) -> None:
        self.intents[command.id] = command
        if why := self.may_not_act():
            self.tell(Rule.DISARMED, f"{command.id} is meant {why}")
        if isinstance(command, FenceOff):
            self.fenced_s[command.host] = now_s
            if self._is_on_its_way(command.incident):
                self.saves.add(command.id)
        if isinstance(command, Evacuate) and self.state.incidents[command.incident].home.power_ons:
            facts = f"{command.server} is evacuated, and {command.host} was switched on before"
            self.tell(Rule.UNPROVEN, facts)
        if isinstance(command, Evacuate):
            self.maybe.setdefault(command.server, {})[command.id] = command.destination
            self.meant_s.setdefault(command.server, []).append(now_s)
        if isinstance(command, FenceOff | Isolate):
            self._begin_to_act(command.host, command.incident, now_s)

    def _is_on_its_way(self, incident: IncidentId) -> bool:
        return any(
            r.state in HOLDS_A_SLOT or r.command is not None
            for r in self.state.recoveries.get(incident, {}).values()
        )

    def _ended(self, event: CommandEnded) -> None:
        if event.outcome is not Outcome.UNRESOLVED:
            self.intents.pop(event.command, None)
        for maybe in self.maybe.values():
            if event.command in maybe and event.outcome is Outcome.REFUSED:
                del maybe[event.command]
            elif event.command in maybe and event.outcome is not Outcome.UNRESOLVED:
                maybe.clear()  # its own record told the end of it

    def _begin_to_act(self, host: HostName, incident: IncidentId, now_s: float) -> None:
        if incident not in self.acted:
            self.acted.add(incident)
            judge_first_act(self, host, incident, now_s)

    def _began(self, event: EvacuationBegan) -> None:
        """Note that Nova took a request, however late it came to Nova."""
        known = self.requests.setdefault(event.server, [])
        if event.by is By.KOBOSHI:
            for record in (self.world.cloud.record(r.record) for r in known if r.by is event.by):
                if (
                    record.is_open
                    and not self.leads_to_a_dead_host(record)
                    and not self._is_asked_again(self.world.cloud.record(event.record), record)
                ):
                    facts = f"Nova works on {event.record} of {event.server} beside {record.id}"
                    self.tell(Rule.SENT_TWICE, facts)
        known.append(event)

    def _is_asked_again(self, one: Migration, other: Migration) -> bool:
        """Return whether both are one lost request and its question, which may go there alone.

        The lost one may come to Nova when the question is there already: docs/safety.md allows it.
        """
        meant_s = self.meant_s.get(one.server, [])
        waited = len(meant_s) > 1 and meant_s[-1] - meant_s[-2] >= UNKNOWN_WAIT.total_seconds()
        return waited and one.destination == other.destination

    # Commands that arrive

    def _arrived(self, event: CommandArrived) -> None:
        self.arrived.append(event)
        command = self._explains(event)
        if command is None and self._is_to_another_device(event):
            return
        if command is None:
            facts = f"{event.call} of {event.subject} has no intent in the journal"
            self.tell(Rule.UNEXPLAINED, facts)
            return
        self.sent.add(command.id)
        match command:
            case Evacuate():
                judge_evacuate(self, command, event.at_s)
            case FenceOff():
                self._fence(command, event.at_s)
            case TryFence():
                if self.world.physics.hosts[command.host].domains:
                    self.tell(Rule.HELD, f"{command.host} is tried, and servers run there")
            case Isolate():
                if command.incident not in self.proven_s:
                    self.tell(Rule.UNPROVEN, f"{command.host} is forced down and was never proven")
            case StopServer():
                recovery = self.state.recoveries[command.incident][command.server]
                if recovery.candidate.vm_state != "stopped":
                    self.tell(Rule.HELD, f"{command.server} is stopped, and was running before")
            case StartServer() if command.incident == NO_INCIDENT:
                judge_start(self, command)
                judge_lone_start(self, command)
                judge_reboots(self, command, event.at_s)
            case RebootServer() if command.incident == NO_INCIDENT:
                judge_start(self, command)
                judge_lone_reboot(self, command)
            case _:
                judge_homeward(self, command, event.at_s)

    def _is_to_another_device(self, event: CommandArrived) -> bool:
        """Return whether an *off* went to one more of the host's devices: it is one command still."""
        host = HostName(event.subject)
        several = event.call == "power_off" and (
            self.world.told[host] is not self.world.fences[host].reads
        )
        offs = (c for c in self.intents.values() if isinstance(c, FenceOff))
        return several and any(c.host == host for c in offs)

    def _explains(self, event: CommandArrived) -> Command | None:
        # One off goes to every outlet that feeds the host.
        unsent = (
            c for c in self.intents.values() if c.id not in self.sent or c.type in SEVERAL_DEVICES
        )
        for command in unsent:
            match event.call, command:
                case "evacuate", Evacuate() as c if (
                    c.server,
                    c.destination or ON_SHARED_STORAGE,
                ) == (
                    event.subject,
                    event.detail,
                ):
                    return c
                case "isolate", Isolate() as c if (f"nova-compute@{c.host}", c.marker) == (
                    event.subject,
                    event.detail,
                ):
                    return c
                case "power_off", FenceOff() as c if c.host == event.subject:
                    return c
                case "power_on", PowerOn() | TryFence() as c if c.host == event.subject:
                    return c
                case "lift", LiftForceDown() as c if f"nova-compute@{c.host}" == event.subject:
                    return c
                case "enable", EnableService() as c if f"nova-compute@{c.host}" == event.subject:
                    return c
                case "disable", RestoreDisable() as c if f"nova-compute@{c.host}" == event.subject:
                    return c
                case "power_off", TryFence() as c if c.host == event.subject:
                    return c
                case "stop", StopServer() as c if c.server == event.subject:
                    return c
                case "start", StartServer() as c if c.server == event.subject:
                    return c
                case "reboot_hard", RebootServer() as c if c.server == event.subject:
                    return c
                case _:
                    pass
        return None

    def _fence(self, command: FenceOff, now_s: float) -> None:
        """Judge an *off*: a host that answers is switched off only to save what is on its way."""
        judge_in_brownout(self, command, now_s)
        if command.host in self.never_fenced:
            self.tell(Rule.NOT_OURS, f"{command.host} is switched off, and never may be")
        probe, host = self.world.probe, command.host
        heard_s, since_s = probe.heard.get(host, -1.0), probe.answering_since.get(host, now_s)
        answers = now_s - heard_s < SEEN_S and now_s - since_s > LOOK_S
        # A kernel alone that answers after its last words is taken for the one that writes the dump.
        dumps = host in self.world.kdump.heard and not self.world.physics.hosts[host].userland
        if answers and not dumps and command.id not in self.saves:
            why = why_not_down_inside(self, command, now_s)
            facts = (
                f"{host} is switched off though it has answered for {now_s - since_s:.0f} s: {why}"
            )
            if why is not None:
                self.tell(Rule.UNPROVEN, facts)

    # What came of it

    def _twice(self, event: GuestStarted) -> None:
        requests = self.requests.get(event.server, [])
        facts = f"{event.server} is started on {event.host} and runs on {event.elsewhere}"
        if not requests or requests[-1].by is By.OTHERS:
            self.near["twice_by_an_operator"] += 1
        elif event.server in self.world.cloud.astray:
            self.near["twice_by_an_owner"] += 1
        elif event.server in self.lied_to:
            self.assume(Rule.TWICE, facts)
        elif event.server in self.at_risk:
            self.declare(Rule.TWICE, facts)
        else:
            self.tell(Rule.TWICE, facts)

    def _left_behind(self, event: GuestStarted) -> None:
        """Judge a guest that its old host makes again, after Koboshi has brought it away."""
        row, cloud = self.world.cloud.servers_by_id.get(event.server), self.world.cloud
        if row is None or row.host == event.host or event.server in cloud.astray:
            return
        ours = [
            cloud.record(r.record)
            for r in self.requests.get(event.server, ())
            if r.by is By.KOBOSHI
        ]
        left = any(r.source == event.host and r.status in {"done", "completed"} for r in ours)
        comes = any(
            r.is_open and r.destination == event.host for r in cloud.records_of(event.server)
        )
        if left and not comes:
            facts = f"{event.server} is started on {event.host}, and was brought to {row.host}"
            self.tell(Rule.TWICE, facts)

    def _data_lost(self, event: DataLost) -> None:
        requests = self.requests.get(event.server, [])
        ours = any(r.by is By.KOBOSHI for r in requests)
        if ours and not any(server == event.server for _, server in self.committed):
            self.tell(Rule.DATA, f"the disk of {event.server} on {event.host} is lost: {event.how}")

    def _edited(self, event: ServiceEdited) -> None:
        before, after, host = event.before, event.after, event.after.host
        if event.by is By.OTHERS:
            self.edited_by_others[host] = event.at_s
            if after.enabled:
                self.disabled_by_others.pop(host, None)
            elif self.is_others(after):
                self.disabled_by_others[host] = after.disabled_reason or ""
            return
        gives_back = (after.enabled and not before.enabled) or (
            before.forced_down and not after.forced_down
        )
        if gives_back and not (before.disabled_reason or "").startswith(self.marker):
            self.tell(Rule.NOT_OURS, f"{host} is given back, and Koboshi had not taken it")
        recently = event.at_s - self.edited_by_others.get(host, 0.0) <= LOOK_S
        if self.is_others(before) and not recently and not self.was_handed_over(before):
            self.tell(Rule.NOT_OURS, f"{host} is taken over from whoever had disabled it")
