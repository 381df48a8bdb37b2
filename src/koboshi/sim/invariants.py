"""The judge of Koboshi: watches what really happens, and tells each broken rule when it is broken.

It knows the truth (which guest runs, which disk is gone, what the power devices answered) and the
journal, and nothing of how Koboshi decides: a mistake there must not blind its judge. What becomes
of every server in the end is judged in `accounts`.
"""

from collections import Counter
from datetime import timedelta

import anyio

from koboshi.domain.cloud import ComputeService, Migration, Server
from koboshi.domain.commands import Command, Evacuate, FenceOff, Isolate, Outcome, StopServer
from koboshi.domain.events import (
    CommandEnded,
    CommandIntended,
    DaemonStarted,
    DataLossCommitted,
    DeathProven,
    IncidentOpened,
)
from koboshi.domain.incident import IncidentState
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId
from koboshi.domain.recovery import HOLDS_A_SLOT, RecoveryState
from koboshi.domain.rules import UNKNOWN_WAIT, Mode, OnLocalDisk, Rules
from koboshi.domain.state import State, apply
from koboshi.ports.journal import Recorded
from koboshi.sim.breach import Breach, Rule
from koboshi.sim.deaths import is_proven, why_not_off_now
from koboshi.sim.journal import Disk
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

LOOK_S = 8.0
"""What changed so recently may be missing in the last look, however careful: answers take time."""
SEEN_S = 1.5
"""A probe's answer is known after this long."""
DARK_S = 10.0
"""A host that has answered nothing for so long is in doubt by any account."""
AUTO = "AUTO: "
"""libvirt's own disable (nova virt/libvirt/driver.py: DISABLE_PREFIX)."""
NEVER_SENT = frozenset(
    {"paused", "suspended", "rescued", "resized", "shelved", "shelved_offloaded", "building"}
)


class Judge:
    """Watches one world and one journal; never raises, never touches what it watches."""

    def __init__(self, world: World, disk: Disk, rules: Rules) -> None:
        self.rules = rules
        self.breaches: list[Breach] = []
        self.assumed: list[Breach] = []
        """What rests on the one documented assumption: a BMC that reads off for a host that runs."""
        self.near: Counter[str] = Counter()
        """Things that came close, by kind."""
        self.state = State()
        """The memory, as the journal has it."""
        self.world = world
        self.requests: dict[ServerId, list[EvacuationBegan]] = {}
        self.arrived: list[CommandArrived] = []
        self._meant_s: dict[ServerId, list[float]] = {}
        """When each server's requests were meant."""
        self.edited_by_others: dict[HostName, float] = {}
        """When somebody other than Koboshi last changed each host's row."""
        self.opened_s: dict[IncidentId, float] = {}
        self.switched_on_s: dict[HostName, float] = {}
        """When each host was last given power."""
        self.died_alone: set[ServerId] = set()
        """Guests that ended while their host lived."""
        self._proven_s: dict[IncidentId, float] = {}
        self._fenced_s: dict[HostName, float] = {}
        self._began_s = 0.0
        self._acted: set[IncidentId] = set()
        self.sent: set[CommandId] = set()
        self._intents: dict[CommandId, Command] = {}
        """Those that may still have an effect: one whose answer is lost can be late."""
        self._committed: set[tuple[IncidentId, ServerId]] = set()
        self._maybe: dict[ServerId, dict[CommandId, HostName]] = {}
        """Requests of which nobody knows for certain that they had no effect, and whereto."""
        self._lied_to: set[ServerId] = set()
        world.physics.witnesses.watch(self._see)
        disk.watchers.append(self._read)

    # What is told

    def _see(self, event: TrueEvent) -> None:
        match event:
            case GuestStarted():
                self.died_alone.discard(event.server)
                if event.elsewhere:
                    self._twice(event)
            case GuestMoved():
                pass  # it was never off, and never twice
            case DataLost():
                self._data_lost(event)
            case CommandArrived():
                self._arrived(event)
            case EvacuationBegan():
                self._began(event)
            case ServiceEdited():
                self._edited(event)
            case PowerSwitched():
                if event.on:
                    self.switched_on_s[event.host] = event.at_s
            case GuestStopped():
                if self.world.physics.hosts[event.host].power:
                    self.died_alone.add(event.server)

    def _read(self, recorded: Recorded) -> None:
        event, now_s = recorded.event, anyio.current_time()
        self.state = apply(self.state, recorded.at, event)
        match event:
            case DaemonStarted():
                self._began_s = now_s
            case IncidentOpened():
                self.opened_s[event.incident] = now_s
            case DeathProven():
                self._proven(event, now_s)
            case DataLossCommitted():
                self._committed.add((event.incident, event.server))
            case CommandIntended():
                self._intended(event.command, now_s)
            case CommandEnded():
                self._ended(event)
            case _:
                pass

    def tell(self, rule: Rule, facts: str) -> None:
        """Write a breach down."""
        self.breaches.append(Breach(at_s=anyio.current_time(), rule=rule, facts=facts))

    def _assume(self, rule: Rule, facts: str) -> None:
        self.assumed.append(Breach(at_s=anyio.current_time(), rule=rule, facts=facts))

    # The journal

    def _proven(self, event: DeathProven, now_s: float) -> None:
        host = self.state.incidents[event.incident].host
        self._proven_s[event.incident] = now_s
        self._begin_to_act(host, event.incident, now_s)  # whoever is proven goes on, come what may
        since_s = self._fenced_s.get(host, -1.0)
        if not is_proven(self.world.fences[host].reads, since_s):
            self.tell(Rule.UNPROVEN, f"{host} is called dead, but was not read off three times")
        if (host, "bmc_contradicts") in self.state.notices:
            self.tell(Rule.UNPROVEN, f"{host} is called dead by a BMC that was known to lie")

    def _intended(self, command: Command, now_s: float) -> None:
        self._intents[command.id] = command
        if self.rules.mode is not Mode.ACT:
            self.tell(Rule.DISARMED, f"{command.id} is meant in observe mode")
        if isinstance(command, FenceOff):
            self._fenced_s[command.host] = now_s
        if isinstance(command, Evacuate):
            self._maybe.setdefault(command.server, {})[command.id] = command.destination
            self._meant_s.setdefault(command.server, []).append(now_s)
        if isinstance(command, FenceOff | Isolate):
            self._begin_to_act(command.host, command.incident, now_s)

    def _ended(self, event: CommandEnded) -> None:
        if event.outcome is not Outcome.UNRESOLVED:
            self._intents.pop(event.command, None)
        for maybe in self._maybe.values():
            if event.command in maybe and event.outcome is Outcome.REFUSED:
                del maybe[event.command]
            elif event.command in maybe and event.outcome is not Outcome.UNRESOLVED:
                maybe.clear()  # its own record told the end of it

    def _begin_to_act(self, host: HostName, incident: IncidentId, now_s: float) -> None:
        if incident not in self._acted:
            self._acted.add(incident)
            self._first_act(host, incident, now_s)

    def _first_act(self, host: HostName, incident: IncidentId, now_s: float) -> None:
        """Judge the moment that Koboshi begins to act upon a host."""
        if self.world.cloud.types.get(host, "QEMU").upper() not in {"QEMU", "KVM"}:
            self.tell(Rule.NOT_OURS, f"the death of {host}'s nova-compute kills no server")
        if host in self.state.found_down:
            self.tell(Rule.NOT_OURS, f"{host} was found down at the very first start")
        row = self.world.cloud.row(host)
        if self._is_others(row) and now_s - self.edited_by_others.get(host, 0.0) > LOOK_S:
            self.tell(Rule.NOT_OURS, f"{host} was disabled or forced down by somebody else")
        memory_s = self.rules.incident_memory.total_seconds()
        for other in self.state.incidents.values():
            age_s = now_s - self.opened_s[other.id]
            if other.host != host and age_s < memory_s:
                self.tell(
                    Rule.BRAKED,
                    f"{incident} of {host} begins, and that of {other.host} is {age_s:.0f} s old",
                )
        dark = [h for h in self._dark_hosts(now_s) if h != host and self._counts(h, now_s)]
        if dark:
            self.tell(Rule.BRAKED, f"{incident} of {host} begins while {', '.join(dark)} is dark")

    def _dark_hosts(self, now_s: float) -> list[HostName]:
        return [h for h, since_s in self.world.probe.dark_since.items() if now_s - since_s > DARK_S]

    def _counts(self, host: HostName, now_s: float) -> bool:
        """Return whether a dark host holds others back: nothing explains its darkness yet."""
        row, incident = self.world.cloud.row(host), self.state.open_incident(host)
        ours_is_old = (
            incident is not None
            and incident.state is not IncidentState.HELD
            and now_s - self.opened_s[incident.id] > self.rules.incident_memory.total_seconds()
        )
        return row.enabled and host not in self.state.found_down and not ours_is_old

    def _is_others(self, row: ComputeService) -> bool:
        """Return whether somebody else took the host out of service."""
        reason = row.disabled_reason or ""
        if reason.startswith(self._marker):
            return False
        return row.forced_down or (not row.enabled and not reason.startswith(AUTO))

    @property
    def _marker(self) -> str:
        return f"koboshi:{self.rules.install}:"

    def _began(self, event: EvacuationBegan) -> None:
        """Note that Nova took a request, however late it came to Nova."""
        known = self.requests.setdefault(event.server, [])
        if event.by is By.KOBOSHI:
            for record in (self.world.cloud.record(r.record) for r in known if r.by is event.by):
                if (
                    record.is_open
                    and not self._leads_to_a_dead_host(record)
                    and not self._is_asked_again(self.world.cloud.record(event.record), record)
                ):
                    facts = f"Nova works on {event.record} of {event.server} beside {record.id}"
                    self.tell(Rule.SENT_TWICE, facts)
        known.append(event)

    def _is_asked_again(self, one: Migration, other: Migration) -> bool:
        """Return whether both are one lost request and its question, which may go there alone.

        The lost one may come to Nova when the question is there already: docs/safety.md allows it.
        """
        meant_s = self._meant_s.get(one.server, [])
        waited = len(meant_s) > 1 and meant_s[-1] - meant_s[-2] >= UNKNOWN_WAIT.total_seconds()
        return waited and one.destination == other.destination

    # Commands that arrive

    def _arrived(self, event: CommandArrived) -> None:
        self.arrived.append(event)
        if self.rules.mode is not Mode.ACT:
            self.tell(Rule.DISARMED, f"{event.call} of {event.subject} in observe mode")
        command = self._explains(event)
        if command is None:
            facts = f"{event.call} of {event.subject} has no intent in the journal"
            self.tell(Rule.UNEXPLAINED, facts)
            return
        self.sent.add(command.id)
        match command:
            case Evacuate():
                self._evacuate(command, event.at_s)
            case FenceOff():
                self._fence(command, event.at_s)
            case Isolate():
                if command.incident not in self._proven_s:
                    self.tell(Rule.UNPROVEN, f"{command.host} is forced down and was never proven")
            case StopServer():
                recovery = self.state.recoveries[command.incident][command.server]
                if recovery.candidate.vm_state != "stopped":
                    self.tell(Rule.HELD, f"{command.server} is stopped, and was running before")

    def _explains(self, event: CommandArrived) -> Command | None:
        for command in (c for c in self._intents.values() if c.id not in self.sent):
            match event.call, command:
                case "evacuate", Evacuate() as c if (c.server, c.destination) == (
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
                case "stop", StopServer() as c if c.server == event.subject:
                    return c
                case _:
                    pass
        return None

    def _fence(self, command: FenceOff, now_s: float) -> None:
        """Judge an *off*: a host that answers is switched off only to save what is on its way."""
        probe, host = self.world.probe, command.host
        heard_s, since_s = probe.heard.get(host, -1.0), probe.answering_since.get(host, now_s)
        answers = now_s - heard_s < SEEN_S and now_s - since_s > LOOK_S
        on_its_way = any(
            r.state in HOLDS_A_SLOT or r.command is not None
            for r in self.state.recoveries.get(command.incident, {}).values()
        )
        if answers and not on_its_way:
            facts = f"{host} is switched off though it has answered for {now_s - since_s:.0f} s"
            self.tell(Rule.UNPROVEN, facts)

    def _evacuate(self, command: Evacuate, now_s: float) -> None:
        server = self.world.cloud.servers_by_id.get(command.server)
        self._judge_proof(command, now_s)
        self._judge_row(command)
        self._judge_records(command, now_s)
        self._judge_pace(command)
        others = set(self._maybe.get(command.server, {}).values()) - {command.destination}
        if others:
            facts = f"{command.server} is sent to {command.destination}, and may be on {others}"
            self.tell(Rule.ELSEWHERE, facts)
        if server is not None:
            self._judge_server(command, server)

    def _judge_proof(self, command: Evacuate, now_s: float) -> None:
        """Hold a request to the readings before it, and to every sign of life since the proof."""
        host, proven_s = command.host, self._proven_s.get(command.incident)
        what = f"{command.server} of {host} is sent"
        if proven_s is None:
            self.tell(Rule.UNPROVEN, f"{what}, and the host's death was never proven")
            return
        if why := why_not_off_now(self.world.fences[host].reads, now_s):
            self.tell(Rule.UNPROVEN, f"{what}, but {why}")
        probe = self.world.probe
        sign_s = max(probe.answering_since.get(host, -1.0), proven_s, self._began_s)
        if probe.heard.get(host, -1.0) > sign_s and now_s - sign_s > SEEN_S:
            self.tell(Rule.UNPROVEN, f"{what}, and it answers for {now_s - sign_s:.1f} s")
        if self._is_the_assumption(host):  # it may run there later, too: whoever boots is not dead
            self._lied_to.add(command.server)
        if command.server in self.world.physics.hosts[host].domains:
            facts = f"{what} while it runs there"
            if self._is_the_assumption(host):
                self._assume(Rule.UNPROVEN, facts)
            else:
                self.tell(Rule.UNPROVEN, facts)

    def _is_the_assumption(self, host: HostName) -> bool:
        """Return whether the host's BMC lies, and nothing else could have told."""
        reads, row = self.world.fences[host].reads, self.world.cloud.row(host)
        isolation = (i := self.state.open_incident(host)) and i.isolation
        # One that has just come back was not heard yet: neither probed, nor with a heartbeat.
        unheard = isolation is not None and row.updated_at == isolation.baseline
        silent = unheard or not self.world.physics.hosts[host].reports
        return bool(reads and reads[-1].lied) and host in self.world.probe.dark_since and silent

    def _judge_row(self, command: Evacuate) -> None:
        row, incident = self.world.cloud.row(command.host), self.state.incidents[command.incident]
        isolation = incident.isolation
        if isolation is None:
            self.tell(Rule.UNPROVEN, f"{command.server} is sent before {command.host} is isolated")
            return
        changed_s = 0.0
        if row.updated_at is not None:
            changed_s = (self.world.cloud.nova_now() - row.updated_at).total_seconds()
        ours = row.forced_down and row.disabled_reason == isolation.marker
        if changed_s > LOOK_S and not (ours and row.updated_at == isolation.baseline):
            facts = f"{command.server} is sent, but the row of {command.host} changed {changed_s:.0f} s ago"
            self.tell(Rule.UNPROVEN, facts)

    def _judge_records(self, command: Evacuate, now_s: float) -> None:
        """Hold a request to what Nova may still be working on."""
        for record in self.world.cloud.records_of(command.server):
            if not record.is_open or self._leads_to_a_dead_host(record):
                continue
            made = next(
                (r for r in self.requests.get(command.server, ()) if r.record == record.id), None
            )
            age_s = 0.0
            if record.created_at is not None:
                age_s = (self.world.cloud.nova_now() - record.created_at).total_seconds()
            if age_s < LOOK_S and (made is None or made.by is By.OTHERS):
                self.near["raced_by_an_operator"] += 1
                continue
            facts = f"{command.server} is sent at {now_s:.2f} while {record.id} is {record.status}"
            self.tell(Rule.SENT_TWICE, facts)

    def _leads_to_a_dead_host(self, record: Migration) -> bool:
        host = record.destination
        incident = self.state.open_incident(host) if host else None
        return host is not None and incident is not None and incident.proof is not None

    def _judge_pace(self, command: Evacuate) -> None:
        flying = self._flying() - {command.server}
        moving = {s for s in flying if self._recovery_state(s) is not RecoveryState.STUCK}
        rules, onto = self.rules, self._onto(flying, command.destination)
        if len(moving) >= rules.window:
            self.tell(Rule.STORM, f"{command.server} is sent beside {len(moving)} others")
        if len(onto) >= rules.per_destination:
            facts = f"{command.server} is sent to {command.destination} beside {len(onto)} others"
            self.tell(Rule.STORM, facts)
        if command.rebuilds:
            rebuilds = [s for s in onto if self._is_local(s)]
            if len(rebuilds) >= rules.per_destination_rebuilds:
                facts = f"{command.server} is rebuilt on {command.destination} beside {rebuilds}"
                self.tell(Rule.STORM, facts)
        for group in self.world.cloud.groups:
            if group.policy == "anti-affinity" and command.server in group.members:
                beside = sorted(moving & group.members)
                if beside:
                    self.tell(Rule.STORM, f"{command.server} is sent beside {beside} of its group")

    def _flying(self) -> set[ServerId]:
        """Return the servers of which Nova works on a request of Koboshi's."""
        cloud = self.world.cloud
        return {
            server
            for server, requests in self.requests.items()
            if server in cloud.servers_by_id
            and self._recovery_state(server) in HOLDS_A_SLOT
            and any(r.by is By.KOBOSHI and cloud.record(r.record).is_open for r in requests)
        }

    def _onto(self, servers: set[ServerId], host: HostName) -> list[ServerId]:
        records = self.world.cloud.records_of
        return sorted(
            s for s in servers if any(r.is_open and r.destination == host for r in records(s))
        )

    def _recovery_state(self, server: ServerId) -> RecoveryState | None:
        states = [of[server].state for of in self.state.recoveries.values() if server in of]
        return states[-1] if states else None

    def _is_local(self, server: ServerId) -> bool:
        row = self.world.cloud.servers_by_id.get(server)
        return row is not None and has_local_disk(row)

    def _judge_server(self, command: Evacuate, server: Server) -> None:
        protected = server.metadata.get("HA_Enabled", "").lower() != "false"
        bound = any(
            g.policy == "affinity" and server.id in g.members for g in self.world.cloud.groups
        )
        tpm = any(key.startswith("hw:tpm_") for key in server.flavor.extra_specs)
        moving = (server.task_state or "").startswith(("migrating", "resize_"))
        odd = server.vm_state in NEVER_SENT or moving or not server.launched
        if odd or not protected or bound or tpm:
            self.tell(Rule.HELD, f"{server.id} is sent though it must be left alone")
        if server.host != command.host and not self._moved_lately(server.id):
            facts = f"{server.id} is sent from {command.host}, and is on {server.host}"
            self.tell(Rule.SENT_TWICE, facts)
        if not has_local_disk(server):
            return
        if self.rules.on_local_disk is not OnLocalDisk.REBUILD:
            self.tell(Rule.DATA, f"{server.id} is sent, its disk on {command.host} would be lost")
        elif (command.incident, server.id) not in self._committed:
            self.tell(Rule.DATA, f"{server.id} is sent, and its loss was not journalled")

    def _moved_lately(self, server: ServerId) -> bool:
        """Return whether the last look may not have seen where it is."""
        since = self.world.cloud.nova_now() - timedelta(seconds=LOOK_S)
        records = self.world.cloud.records_of(server)
        return any(r.updated_at is None or r.updated_at > since for r in records)

    # What came of it

    def _twice(self, event: GuestStarted) -> None:
        requests = self.requests.get(event.server, [])
        facts = f"{event.server} is started on {event.host} and runs on {event.elsewhere}"
        if not requests or requests[-1].by is By.OTHERS:
            self.near["twice_by_an_operator"] += 1
        elif event.server in self._lied_to:
            self._assume(Rule.TWICE, facts)
        else:
            self.tell(Rule.TWICE, facts)

    def _data_lost(self, event: DataLost) -> None:
        requests = self.requests.get(event.server, [])
        ours = any(r.by is By.KOBOSHI for r in requests)
        if ours and not any(server == event.server for _, server in self._committed):
            self.tell(Rule.DATA, f"the disk of {event.server} on {event.host} is lost: {event.how}")

    def _edited(self, event: ServiceEdited) -> None:
        before, after, host = event.before, event.after, event.after.host
        if event.by is By.OTHERS:
            self.edited_by_others[host] = event.at_s
            return
        gives_back = (after.enabled and not before.enabled) or (
            before.forced_down and not after.forced_down
        )
        if gives_back and not (before.disabled_reason or "").startswith(self._marker):
            self.tell(Rule.NOT_OURS, f"{host} is given back, and Koboshi had not taken it")
        recently = event.at_s - self.edited_by_others.get(host, 0.0) <= LOOK_S
        if self._is_others(before) and not recently:
            self.tell(Rule.NOT_OURS, f"{host} is taken over from whoever had disabled it")


def has_local_disk(server: Server) -> bool:
    """Return whether a disk of the server lies on its host (nova compute/utils.py)."""
    flavor = server.flavor
    return server.image_id is not None or flavor.ephemeral_gb > 0 or flavor.swap_mb > 0
