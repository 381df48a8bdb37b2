"""The executor trusts nobody: each assertion of its own, whatever the planner asked for."""

from dataclasses import replace

import anyio
import pytest

from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Command, Evacuate, FenceOff, Isolate, Outcome, StopServer
from koboshi.domain.memory.events import CommandAccepted, CommandEnded, CommandUnknown, Event
from koboshi.domain.memory.holds import BrakeHold, ConfirmedDomain
from koboshi.domain.names import CommandId, DomainName, ServerId, ServiceId
from koboshi.domain.rules import Mode
from koboshi.engine.execute import Executor
from koboshi.engine.memory import Memory
from koboshi.engine.whiteboard import Whiteboard
from koboshi.sim.bmc import Bmc, SimFence
from koboshi.sim.journal import Disk, MemoryJournal
from koboshi.sim.line import Fails
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.virtual_time import VirtualClock
from tests.fakes.scene import H1, INCIDENT, NOW_S, Scene, ago, at, candidate, readings

pytestmark = pytest.mark.anyio

MARKER = f"koboshi:test:{INCIDENT}"


class SceneClock(VirtualClock):
    """Begins at the scene's present."""

    def __init__(self) -> None:
        super().__init__()
        self._began_s = anyio.current_time()

    def now(self) -> Instant:
        return at(NOW_S + anyio.current_time() - self._began_s)


class Bench:
    """An executor between a scene's memory and a fake cloud that agrees with it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.disk = Disk()
        self.clock = SceneClock()
        self.edits: dict[str, bool | str] = {}
        """What somebody does to the row that the picture does not know yet."""
        self.cloud = SimCloud([host(n) for n in range(1, 7)])
        self.fence = SimFence(self.cloud.physics, H1)

    async def execute(self, command: Command, *, intended: bool = True) -> list[Event]:
        """Carry a command out; returns what was journalled of it."""
        scene = self.scene
        async with anyio.create_task_group() as tasks:
            self.cloud.begin(tasks)
            self.cloud.add(server("a"))
            self.cloud.physics.cut_power(H1)
            memory = Memory(MemoryJournal(self.disk), self.clock)
            if intended:
                scene.intend(command, 0)
                self.disk.open[command.subject] = command
            self._agree()
            memory.state = scene.state
            board = Whiteboard(self.clock.now(), frozenset({H1}))
            board.world = scene.world
            executor = Executor(
                memory=memory,
                board=board,
                clock=self.clock,
                cloud=self.cloud,
                fences={H1: self.fence},
                rules=scene.rules,
            )
            await executor.execute(command)
            tasks.cancel_scope.cancel()
        return [r.event for r in self.disk.recorded]

    def _agree(self) -> None:
        """Let Nova's row be the one that the scene remembers, but for the newest edits."""
        self.cloud.set_row(self.scene.world.services[H1].service)
        if self.edits:
            self.cloud.edit("nova-compute@h1", **self.edits)

    def sent(self) -> list[str]:
        return [s.call for s in self.cloud.line.sent]


def dead_host() -> Scene:
    """Return a host that is proven dead, isolated, and has one server to evacuate."""
    return Scene().recovering(candidate(server("a")))


def fence_command() -> FenceOff:
    return FenceOff(id=CommandId("f"), incident=INCIDENT, host=H1)


def isolate_command() -> Isolate:
    return Isolate(
        id=CommandId("i"),
        incident=INCIDENT,
        host=H1,
        service=ServiceId("service-h1"),
        marker=MARKER,
    )


def outcomes(events: list[Event]) -> list[Outcome]:
    return [e.outcome for e in events if isinstance(e, CommandEnded)]


async def test_an_evacuation_that_may_leave_leaves() -> None:
    bench = Bench(dead_host())
    events = await bench.execute(bench.scene.evacuate())
    assert bench.sent() == ["evacuate"]
    assert [type(e) for e in events] == [CommandAccepted]


@pytest.mark.parametrize("kind", ["evacuate", "fence", "isolate", "stop"])
async def test_observe_mode_carries_nothing_out(kind: str) -> None:
    scene = dead_host()
    scene.rules = replace(scene.rules, mode=Mode.OBSERVE)
    bench = Bench(scene)
    commands: dict[str, Command] = {
        "evacuate": scene.evacuate(),
        "fence": fence_command(),
        "isolate": isolate_command(),
        "stop": StopServer(id=CommandId("s"), incident=INCIDENT, server=ServerId("a")),
    }
    events = await bench.execute(commands[kind])
    assert bench.sent() == []
    assert bench.fence.offs == []
    assert outcomes(events) == [Outcome.REFUSED]


async def test_what_is_not_in_the_journal_is_not_carried_out() -> None:
    bench = Bench(dead_host())
    assert await bench.execute(bench.scene.evacuate(), intended=False) == []
    assert bench.sent() == []


async def test_the_proof_is_asked_for_again_right_before_the_request() -> None:
    scene = dead_host()
    scene.set_power("h1", readings((11.0, Power.OFF)))
    bench = Bench(scene)
    events = await bench.execute(scene.evacuate())
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


async def test_nova_is_read_right_before_the_request() -> None:
    """The row was lifted a moment ago: the picture does not know it yet, Nova does."""
    scene = dead_host()
    scene.world = replace(scene.world, services_read_at=ago(1.5))
    bench = Bench(scene)
    bench.edits = {"forced_down": False}
    events = await bench.execute(scene.evacuate())
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


@pytest.mark.parametrize("call", ["server", "migrations", "services"])
async def test_a_last_look_that_fails_sends_nothing(call: str) -> None:
    scene = dead_host()
    scene.world = replace(scene.world, services_read_at=ago(1.5))
    bench = Bench(scene)
    bench.cloud.line.fail(call)
    events = await bench.execute(scene.evacuate())
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


@pytest.mark.parametrize("call", ["server", "migrations", "services"])
async def test_a_last_look_that_takes_long_sends_nothing(call: str) -> None:
    """What was read for the guard must be fresh when the request leaves."""
    scene = dead_host()
    scene.world = replace(scene.world, services_read_at=ago(1.5))
    bench = Bench(scene)
    bench.cloud.line.slow_answers(call, 6.0, lambda: True)
    events = await bench.execute(bench.scene.evacuate())
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (Fails.ANSWER_LOST, CommandUnknown),
        (Fails.NO_ANSWER, CommandUnknown),
        (Fails.LATE, CommandUnknown),
        (Fails.NEVER_SENT, CommandEnded),
        (Fails.REFUSED, CommandEnded),
    ],
)
async def test_unknown_is_neither_done_nor_failed(how: Fails, kind: type[Event]) -> None:
    bench = Bench(dead_host())
    bench.cloud.line.fail("evacuate", how)
    events = await bench.execute(bench.scene.evacuate())
    assert type(events[0]) is kind


async def test_a_host_is_switched_off_only_while_its_incident_is_fencing() -> None:
    bench = Bench(dead_host())
    events = await bench.execute(fence_command())
    assert bench.fence.offs == []
    assert outcomes(events) == [Outcome.REFUSED]


def fencing() -> Scene:
    return Scene().incident(IncidentState.FENCING)


async def test_an_off_command_proves_nothing_by_itself() -> None:
    bench = Bench(fencing())
    events = await bench.execute(fence_command())
    assert outcomes(events) == [Outcome.DONE]
    assert [e.kind for e in events] == ["command_ended"]


@pytest.mark.parametrize("mode", [Bmc.REFUSE, Bmc.HANG, Bmc.GONE])
async def test_a_fence_call_ends_within_ten_seconds(mode: Bmc) -> None:
    bench = Bench(fencing())
    bench.fence.mode = mode
    began_s = anyio.current_time()
    events = await bench.execute(fence_command())
    assert outcomes(events) == [Outcome.FAILED]
    assert anyio.current_time() - began_s <= 10.1


@pytest.mark.parametrize("path", [(), (IncidentState.FENCING,)])
async def test_a_host_is_forced_down_only_after_its_death_is_proven(
    path: tuple[IncidentState, ...],
) -> None:
    bench = Bench(Scene().incident(*path))
    events = await bench.execute(isolate_command())
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


async def test_only_a_server_that_had_been_stopped_is_stopped_again() -> None:
    bench = Bench(dead_host())
    command = StopServer(id=CommandId("s"), incident=INCIDENT, server=ServerId("a"))
    events = await bench.execute(command)
    assert bench.sent() == []
    assert outcomes(events) == [Outcome.REFUSED]


async def test_the_command_that_is_carried_out_is_the_one_that_was_meant() -> None:
    """Another destination than the journal's is another command."""
    scene = dead_host()
    bench = Bench(scene)
    meant = scene.evacuate("a", "h2")
    scene.intend(meant, 0)
    bench.disk.open[meant.subject] = meant
    other: Evacuate = replace(meant, destination=host(3).name)
    await bench.execute(other, intended=False)
    assert bench.sent() == []


HELD = BrakeHold(since=ago(20), reason="9 of 12 hosts are in trouble", held_at=ago(20))


def braked(hold: BrakeHold, **more: object) -> Scene:
    scene = fencing()
    holds = replace(scene.state.holds, brakes={cell_of(H1, scene.world): hold}, **more)  # pyright: ignore[reportArgumentType] fields of Holds
    scene.state = replace(scene.state, holds=holds)
    return scene


async def test_a_brake_that_was_held_since_stops_the_first_off() -> None:
    bench = Bench(braked(HELD))
    (ended,) = await bench.execute(fence_command())
    assert bench.fence.offs == []
    assert isinstance(ended, CommandEnded)
    assert ended.outcome is Outcome.REFUSED
    assert "the brake is held (9 of 12 hosts" in ended.detail


async def test_a_brake_that_was_released_stops_nothing() -> None:
    bench = Bench(braked(replace(HELD, eased_at=ago(10), is_released=True)))
    assert outcomes(await bench.execute(fence_command())) == [Outcome.DONE]


async def test_a_persons_word_on_the_domain_lets_a_held_brake_go() -> None:
    word = ConfirmedDomain(at=ago(5), hosts=frozenset({H1}), by="uid 0 (root)")
    bench = Bench(braked(HELD, confirmed={DomainName("r1"): word}))
    assert outcomes(await bench.execute(fence_command())) == [Outcome.DONE]


async def test_a_host_whose_recovery_has_begun_is_switched_off_again_under_a_held_brake() -> None:
    scene = braked(HELD)
    scene.state = replace(scene.state, recoveries={INCIDENT: {}})
    assert outcomes(await Bench(scene).execute(fence_command())) == [Outcome.DONE]


async def test_our_own_machine_is_never_switched_off() -> None:
    scene = fencing()
    scene.world = replace(scene.world, ours=frozenset({H1}))
    bench = Bench(scene)
    (ended,) = await bench.execute(fence_command())
    assert bench.fence.offs == []
    assert isinstance(ended, CommandEnded)
    assert ended.outcome is Outcome.REFUSED
    assert "carries Koboshi itself or its database" in ended.detail
