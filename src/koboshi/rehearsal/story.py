"""A story: a cloud, a daemon that watches it, what happens to both, and what must be true then."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from anyio.abc import TaskGroup
from structlog.testing import capture_logs
from structlog.typing import EventDict

from koboshi.domain.facts.cloud import Power, Server
from koboshi.domain.incidents.incident import NO_MORE_EVACUATIONS, Incident, IncidentState
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.memory.events import CommandIntended, HostNoticed, WordGiven
from koboshi.domain.memory.state import State, fold
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.rules import Rules
from koboshi.rehearsal.life import Daemon
from koboshi.rehearsal.ports import Opens, simulated
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import SimFence
from koboshi.sim.invariants import Judge
from koboshi.sim.journal import Disk
from koboshi.sim.notifier import SimNotifier
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host
from koboshi.sim.samples import host
from koboshi.sim.virtual_time import BEGINNING, VirtualClock
from koboshi.sim.world import World

WARM_S = 45.0
"""After this long every heartbeat interval is known and every prober trusted."""
PROOF_AGE_S = 10.0 + 1.0
"""How old the power reading behind a request may be, and a second for the request's way."""
PROOF_READS = 3
PROOF_SPACING_S = 2.0
BUGS = frozenset(
    {
        "decisions_do_not_end",
        "illegal_events",
        "command_crashed",
        "reading_crashed",
        "safety_refusal",
    }
)
"""Words in the log that only a bug of ours can cause."""


class RuleBroken(AssertionError):
    """The story did not go as it must."""


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 it is the sentence's verb
    if not holds:
        raise RuleBroken(otherwise)


class Story:
    """Everything that a test touches and asks."""

    def __init__(
        self,
        tasks: TaskGroup,
        world: World,
        rules: Rules,
        logs: list[EventDict],
        ports: Opens | None = None,
    ) -> None:
        self.tasks = tasks
        self.logs = logs
        self.cloud = world.cloud
        self.rules = rules
        self.disk = Disk()
        self.probe = world.probe
        self.fences = world.fences
        self.judged = Judge(world, self.disk, rules)
        self._ports = ports or simulated(world)
        self.notifier = SimNotifier()
        self._state = State()
        self._folded = 0
        self.daemon = self._new_daemon(VirtualClock())

    def _new_daemon(self, clock: VirtualClock) -> Daemon:
        return Daemon(
            ports=self._ports,
            disk=self.disk,
            rules=self.rules,
            notifier=self.notifier,
            clock=clock,
        )

    # What happens

    def start_daemon(self, clock: VirtualClock | None = None) -> Daemon:
        """Start another daemon on the same journal."""
        self.daemon = self._new_daemon(clock or VirtualClock())
        self.daemon.begin(self.tasks)
        return self.daemon

    async def restart_daemon(self, after_s: float = 3.0) -> None:
        """Kill the daemon and start a new one."""
        self.daemon.kill()
        await anyio.sleep(after_s)
        self.start_daemon()

    async def reboot_ourselves(
        self, after_s: float = 40.0, wall_is_off: timedelta = timedelta()
    ) -> None:
        """Reboot the machine that the daemon runs on: its boot clock begins anew."""
        self.daemon.kill()
        await anyio.sleep(after_s)
        booted_s = anyio.current_time() - 20.0
        self.start_daemon(VirtualClock("second", booted_s=booted_s, wall_is_off=wall_is_off))

    def power_loss(self, name: str = "h1") -> None:
        """Take a host's power."""
        self.cloud.physics.cut_power(HostName(name))

    def machine(self, name: str) -> Host:
        """Return a host's switches."""
        return self.cloud.physics.hosts[HostName(name)]

    # What is so

    @property
    def state(self) -> State:
        """Return the memory as the journal has it, daemon or not."""
        new = self.disk.recorded[self._folded :]
        self._state = fold(((r.at, r.event) for r in new), self._state)
        self._folded += len(new)
        return self._state

    def incident(self, name: str = "h1") -> Incident:
        """Return the newest incident of a host."""
        found = [i for i in self.state.incidents.values() if i.host == name]
        _require(bool(found), f"there is no incident of {name}")
        return found[-1]

    def incident_state(self, name: str = "h1") -> IncidentState | None:
        """Return where the newest incident of a host stands; None without one."""
        found = [i for i in self.state.incidents.values() if i.host == name]
        return found[-1].state if found else None

    def recovery(self, server: str) -> Recovery:
        """Return the newest recovery of a server."""
        found = [r for of in self.state.recoveries.values() for r in of.values()]
        return [r for r in found if r.server == server][-1]

    def recovery_states(self) -> dict[str, RecoveryState]:
        """Return where each server's recovery stands."""
        found = [r for of in self.state.recoveries.values() for r in of.values()]
        return {r.server: r.state for r in found}

    def kinds(self) -> list[str]:
        """Return the kinds of all events, in order."""
        return [r.event.kind for r in self.disk.recorded]

    def path(self, name: str = "h1") -> list[str]:
        """Return the states that the incidents of a host went through, in order."""
        ids = {i.id for i in self.state.incidents.values() if i.host == name}
        events = (r.event for r in self.disk.recorded)
        return [e.to.value for e in events if e.kind == "incident_moved" and e.incident in ids]

    def noticed(self) -> list[tuple[str, str]]:
        """Return every (host, topic) that was noticed."""
        events = (r.event for r in self.disk.recorded)
        return [(e.host, e.topic) for e in events if isinstance(e, HostNoticed)]

    def intents(self, kind: str) -> int:
        """Return how often a kind of command was meant."""
        events = (r.event for r in self.disk.recorded)
        return sum(isinstance(e, CommandIntended) and e.command.type == kind for e in events)

    def posts(self) -> Counter[str]:
        """Return how many evacuate requests reached the cloud, by server."""
        return Counter(s.subject for s in self.cloud.line.sent if s.call == "evacuate")

    def records(self, server: str) -> list[str]:
        """Return the statuses of a server's evacuation records, oldest first."""
        return [r.status for r in self.cloud.records_of(ServerId(server))]

    def where(self, server: str) -> tuple[HostName, ...]:
        """Return where a server really runs."""
        return self.cloud.physics.where(ServerId(server))

    def timeline(self) -> str:
        """Return everything that was journalled, for the reader of a failure."""
        lines: list[str] = []
        for r in self.disk.recorded:
            at_s = (r.at.wall - BEGINNING).total_seconds()
            lines.append(f"{r.seq:4} {at_s:9.2f} {r.event}"[:400])
        return "\n".join(lines[-80:])

    # Waiting and judging

    async def until(
        self, what: Callable[[], bool], within_s: float = 120.0, every_s: float = 0.5
    ) -> None:
        """Wait until something is so."""
        end_s = anyio.current_time() + within_s
        while not what():
            if anyio.current_time() > end_s:
                raise RuleBroken(f"not so within {within_s} s:\n{self.timeline()}")
            await anyio.sleep(every_s)

    async def until_incident(
        self, *states: IncidentState, name: str = "h1", within_s: float = 120.0
    ) -> None:
        """Wait until a host's incident is in one of these states."""
        await self.until(lambda: self.incident_state(name) in states, within_s)

    async def until_settled(self, name: str = "h1", within_s: float = 120.0) -> None:
        """Wait until nothing of a host is on its way any more."""
        rest = {IncidentState.SETTLED, IncidentState.PARKED} | NO_MORE_EVACUATIONS
        await self.until_incident(*rest, name=name, within_s=within_s)

    def judge(self) -> None:
        """Hold what happened to the rules that no story may break."""
        _require(not self.cloud.physics.violations, f"ran twice: {self.cloud.physics.violations}")
        _require(not self.judged.breaches, f"rules broken: {self.judged.breaches}")
        bugs = [e for e in self.logs if e["event"] in BUGS]
        _require(not bugs, f"the log tells of bugs: {bugs}")
        for sent in self.cloud.line.sent:
            if sent.call == "evacuate":
                self._judge_post(sent.at_s, sent.subject)

    def _judge_post(self, at_s: float, server: str) -> None:
        """Assert that the power of the server's host was read off, three times, then and there.

        Where a person gave their word instead, `judged` holds the request to the truth.
        """
        events = [r.event for r in self.disk.recorded]
        sources = {
            e.command.host
            for e in events
            if isinstance(e, CommandIntended)
            and isinstance(e.command, Evacuate)
            and e.command.server == server
        }
        sworn = {e.host for e in events if isinstance(e, WordGiven) and not e.to_fence}
        _require(bool(sources), f"{server} was sent an evacuate without an intent in the journal")
        _require(
            any(s in sworn or self._proven(self.fences[s], at_s) for s in sources),
            f"{server} was sent an evacuate at {at_s} without proof: "
            f"{[self.fences[s].reads[-5:] for s in sources]}",
        )

    def _proven(self, fence: SimFence, at_s: float) -> bool:
        reads = [r for r in fence.reads if r.at_s <= at_s]
        if not reads or reads[-1].power is not Power.OFF or at_s - reads[-1].at_s > PROOF_AGE_S:
            return False
        run: list[float] = []
        for read in reversed(reads):
            if read.power is not Power.OFF:
                break
            if not run or run[-1] - read.at_s >= PROOF_SPACING_S - 1e-6:
                run.append(read.at_s)
        return len(run) >= PROOF_READS or self._proven_before(fence, at_s)

    def _proven_before(self, fence: SimFence, at_s: float) -> bool:
        """Return whether off was read three times since it was last read on (by an earlier life)."""
        since = [r for r in fence.reads if r.at_s <= at_s]
        last_on = max((i for i, r in enumerate(since) if r.power is not Power.OFF), default=-1)
        return len(since) - 1 - last_on >= PROOF_READS

    def assert_back(self, *servers: str) -> None:
        """Assert that servers run, once, on another host, by one evacuation each."""
        for name in servers:
            where, records = self.where(name), self.records(name)
            _require(self.recovery_states().get(name) is RecoveryState.DONE, self.timeline())
            _require(len(where) == 1 and where != ("h1",), f"{name} runs on {where}")
            _require(records == ["done"], f"{name} has records {records}")
            _require(self.posts()[name] == 1, f"{name} was sent {self.posts()[name]} requests")


@asynccontextmanager
async def story(
    servers: Sequence[Server] = (),
    *,
    hosts: int = 4,
    rules: Rules | None = None,
    heartbeat_s: float = 10.0,
    warm_s: float = WARM_S,
    ports: Callable[[World], Opens] = simulated,
) -> AsyncGenerator[Story]:
    """Tell one story: a cloud that runs for a while under a daemon, then whatever the test does.

    Without `warm_s` the cloud runs, and the test starts the daemon. `ports` chooses through which
    face of the cloud the daemon lives.
    """
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            cloud = SimCloud(
                [host(n) for n in range(1, hosts + 1)],
                heartbeat_s=heartbeat_s,
                down_after_s=6 * heartbeat_s,
            )
            cloud.begin(tasks)
            for server in servers:
                cloud.add(server)
            world = World.around(cloud)
            told = Story(tasks, world, rules or shortened(), logs, ports(world))
            if warm_s:
                told.daemon.begin(tasks)
                await anyio.sleep(warm_s)
            yield told
            told.judge()
            tasks.cancel_scope.cancel()
