"""Which servers that Nova stopped by itself are started: all that rules it, one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from koboshi.domain.alone.starting import (
    MAX_TRIES,
    STARTS_A_HOST,
    STARTS_IN_ALL,
    must_be_swept_soon,
    to_look_into,
    watch_stops,
)
from koboshi.domain.alone.stops import StopCause, StoppedServer, StopState
from koboshi.domain.decision import Decision
from koboshi.domain.facts.cloud import InstanceAction
from koboshi.domain.facts.sweep import amended, sweep_of
from koboshi.domain.facts.world import ActionsRead
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.commands import Outcome, StartServer
from koboshi.domain.memory.events import BrakeHeld, CommandEnded, Disarmed, StopMoved, StopsSeen
from koboshi.domain.names import THE_CELL, HostName, ServerId
from koboshi.domain.policies.policy import swept
from koboshi.domain.rules import Mode, PolicyRules, Rules
from koboshi.sim.samples import server
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, Scene, ago

ACT = Rules(mode=Mode.ACT, install="test")
NOBODY = ("stop", None)


def stopped(scene: Scene, *names: str, on: str = "h1", after_s: float = 30.0) -> Scene:
    """Let servers be seen ACTIVE, and then stopped, so long ago."""
    before = scene.world.sweep
    rows = [swept(server(n, on)) for n in names]
    known = (
        amended(before, rows, ago(after_s + 60)) if before else sweep_of(rows, ago(after_s + 60))
    )
    off = [swept(server(n, on, vm_state="stopped")) for n in names]
    scene.world = replace(scene.world, sweep=amended(known, off, ago(after_s)))
    return scene


def told(scene: Scene, *names: str, action: tuple[str, str | None] = NOBODY) -> Scene:
    """Let the servers' actions have been read after they stopped."""
    row = InstanceAction(name=action[0], user=action[1], at=BEGINNING)
    read = ActionsRead(at=ago(20), actions=(row,))
    actions = {**scene.world.actions, **{ServerId(n): read for n in names}}
    scene.world = replace(scene.world, actions=actions)
    return scene


def rebooted(scene: Scene, *hosts: str, ended_s: float = 25.0) -> Scene:
    """Let these hosts' heartbeats have had a gap that ended so long ago."""
    gaps = {HostName(h): ago(ended_s) for h in (hosts or ("h1",))}
    scene.world = replace(scene.world, gaps=gaps)
    return scene


def scene(rules: Rules = ACT, hosts: int = 6) -> Scene:
    return told(rebooted(stopped(Scene(hosts, rules), "a")), "a")


def seen(of: Scene) -> list[tuple[StopCause, StopState]]:
    events = watch_stops(of.picture()).events
    return [(e.cause, e.to) for e in events if isinstance(e, StopsSeen)]


def remembered(
    *names: str, to: StopState = StopState.DUE, age_s: float = 30.0, on: str = "h1"
) -> Scene:
    """Return a scene in which stops are in the journal, and the sweep shows them off since."""
    fresh = stopped(Scene(rules=ACT), *names, on=on, after_s=age_s + 5)
    assert fresh.world.sweep is not None
    fresh.world = replace(fresh.world, sweep=replace(fresh.world.sweep, at=ago(1)))
    return remember(fresh, *names, to=to, age_s=age_s, on=on)


def remember(of: Scene, *names: str, to: StopState, age_s: float = 30.0, on: str = "h1") -> Scene:
    servers = tuple(StoppedServer(id=ServerId(n), name=n) for n in names)
    host = HostName(on)
    event = StopsSeen(host=host, cause=StopCause.REBOOT, to=to, reason="gap", servers=servers)
    return of.tell(age_s, event)


def started(of: Scene) -> list[str]:
    return [c.server for c in watch_stops(of.picture()).commands if isinstance(c, StartServer)]


def moved(of: Scene) -> list[tuple[str, StopState]]:
    events = watch_stops(of.picture()).events
    return [(e.server, e.to) for e in events if isinstance(e, StopMoved)]


def test_after_a_reboot_those_that_ran_are_due() -> None:
    assert seen(scene()) == [(StopCause.REBOOT, StopState.DUE)]


def test_a_lone_stop_is_told_and_left() -> None:
    assert seen(alone()) == [(StopCause.LONE, StopState.LEFT)]


def alone(rules: Rules = ACT, *, read: bool = True, after_s: float = 30, **fields: Any) -> Scene:
    """Return a server that Nova stopped by itself, and what was read of it since."""
    lone = told(stopped(Scene(rules=rules), "a", after_s=after_s), "a")
    row = replace(server("a", vm_state="stopped"), **fields)
    return lone.read_server(row) if read else lone


START, LEAVE = {"koboshi:lone_stop": "start"}, {"koboshi:lone_stop": "leave"}
WHOLE_CLOUD = replace(ACT, start_lone_stops=True)
NOT_THEIRS = replace(ACT, policy=PolicyRules(tenant_may=frozenset()))
LEFT, DUE = [(StopCause.LONE, StopState.LEFT)], [(StopCause.LONE, StopState.DUE)]


@pytest.mark.parametrize(
    ("scene", "then"),
    [
        (lambda: alone(WHOLE_CLOUD), DUE),
        (lambda: alone(WHOLE_CLOUD, metadata=LEAVE), LEFT),
        (lambda: alone(metadata=START), DUE),
        (lambda: alone(tags=frozenset({"koboshi:lone-stop=start"})), DUE),
        (lambda: alone(metadata={"koboshi:lone_stop": "strat"}), LEFT),
        (lambda: alone(metadata=START, tags=frozenset({"koboshi:lone_stop=leave"})), LEFT),
        (lambda: alone(NOT_THEIRS, metadata=START), LEFT),
        (lambda: alone(metadata=START, tags=frozenset({"koboshi:protect=false"})), LEFT),
        (lambda: alone(metadata=START, read=False), []),
        (lambda: alone(metadata=START, read=False, after_s=601), LEFT),
        (lambda: alone(metadata=START, image_id="image-1"), DUE),
        (lambda: alone(metadata=START, image_id="image-2"), []),
    ],
)
def test_a_lone_stop_is_started_by_opt_in(
    scene: Callable[[], Scene], then: list[tuple[StopCause, StopState]]
) -> None:
    assert seen(scene()) == then


def test_what_may_say_something_of_it_is_read_and_no_more() -> None:
    lone = interest_of(alone(metadata=START, image_id="image-2").picture())
    assert (lone.partners, lone.images, lone.groups) == ({"a"}, {"image-2"}, True)
    of_its_host = interest_of(rebooted(alone()).picture())
    assert (of_its_host.partners, of_its_host.groups) == (frozenset(), False)


def test_a_project_that_may_not_is_told_where_it_is_left() -> None:
    (event,) = watch_stops(alone(NOT_THEIRS, metadata=START).picture()).events
    assert isinstance(event, StopsSeen)
    assert "a project may not say 'start' here: it does not count" in event.reason


def test_nothing_is_known_before_its_actions_were_read_after_the_stop() -> None:
    unread = rebooted(stopped(Scene(rules=ACT), "a"))
    assert to_look_into(unread.picture()) == {"a"}
    assert seen(unread) == []
    old = ActionsRead(at=ago(31), actions=(InstanceAction(name="stop", user=None, at=BEGINNING),))
    unread.world = replace(unread.world, actions={ServerId("a"): old})
    assert seen(unread) == []


def test_a_users_stop_is_nobodys_business() -> None:
    assert seen(told(scene(), "a", action=("stop", "somebody"))) == []


def test_what_is_not_protected_or_was_not_active_before_is_none_of_ours() -> None:
    out = server("a", metadata={"HA_Enabled": "False"})
    before = sweep_of([swept(out), swept(server("b", vm_state="paused"))], ago(90))
    rows = [swept(replace(out, vm_state="stopped")), swept(server("b", vm_state="stopped"))]
    assert amended(before, rows, ago(30)).stopped == {}
    assert amended(sweep_of([], ago(90)), rows, ago(30)).stopped == {}
    moved_away = [swept(server("c", "h2", vm_state="stopped"))]
    assert amended(sweep_of([swept(server("c"))], ago(90)), moved_away, ago(30)).stopped == {}


def test_an_excluded_host_is_none_of_ours() -> None:
    excluded = scene()
    excluded.world = replace(excluded.world, protected=excluded.world.protected - {H1})
    assert to_look_into(excluded.picture()) == frozenset()


@pytest.mark.parametrize("age_s", [19.0, 15.0])
def test_the_host_must_have_settled_for_twenty_seconds(age_s: float) -> None:
    assert seen(rebooted(scene(), ended_s=age_s)) == []
    assert seen(told(rebooted(stopped(Scene(rules=ACT), "a", after_s=age_s)), "a")) == []


@pytest.mark.parametrize("row", [{"up": False}, {"age_s": 31.0}])
def test_its_nova_compute_must_be_at_work(row: dict[str, object]) -> None:
    late = scene()
    fields = {"age_s": 3.0, **row}
    late.set_heartbeat("h1", **fields)  # type: ignore[arg-type] a test's own fields
    assert seen(late) == []


def test_a_server_of_an_incident_is_left_to_its_way_home() -> None:
    of_incident = scene().incident()
    assert to_look_into(of_incident.picture()) == frozenset()


@pytest.mark.parametrize("mode", [Mode.OBSERVE])
def test_in_observe_mode_it_is_only_said(mode: Mode) -> None:
    assert seen(scene(replace(ACT, mode=mode))) == [(StopCause.REBOOT, StopState.HELD)]


def test_disarmed_or_braked_it_is_held_and_goes_on_afterwards() -> None:
    disarmed = scene().tell(100, Disarmed(until=None, by="me", reason="test"))
    assert seen(disarmed) == [(StopCause.REBOOT, StopState.HELD)]
    braked = scene().tell(100, BrakeHeld(cell=THE_CELL, reason="test"))
    assert seen(braked) == [(StopCause.REBOOT, StopState.HELD)]
    due = remembered("a").tell(20, BrakeHeld(cell=THE_CELL, reason="test"))
    assert moved(due) == [("a", StopState.HELD)]
    assert moved(remembered("a", to=StopState.HELD)) == [("a", StopState.DUE)]


def test_forced_down_by_anybody_nothing_is_started() -> None:
    forced = remembered("a")
    forced.set_heartbeat("h1", 3.0, forced_down=True)
    assert moved(forced) == [("a", StopState.HELD)]


def test_mass_stops_are_held() -> None:
    many = rebooted(stopped(stopped(Scene(rules=ACT), "a"), "b", on="h2"), "h1", "h2")
    # Each at a time of its own: together they were a gap of the control plane's.
    many.world = replace(many.world, gaps={H1: ago(25), HostName("h2"): ago(200)})
    assert seen(told(many, "a", "b")) == [(StopCause.REBOOT, StopState.HELD)] * 2
    later = replace(ACT, incident_memory=timedelta(seconds=10))
    old = remember(remembered("a", to=StopState.HELD), "b", to=StopState.HELD, on="h2")
    old.rules = later
    assert ("a", StopState.DUE) in moved(old)


def test_four_a_host_and_sixteen_in_all() -> None:
    one = remembered(*(f"s{n}" for n in range(10)))
    assert len(started(one)) == STARTS_A_HOST
    many = remembered("s0")
    for number in range(1, 7):
        names = [f"s{number}-{n}" for n in range(6)]
        stopped(many, *names, on=f"h{number}", after_s=35)
        remember(many, *names, to=StopState.DUE, on=f"h{number}", age_s=800.0)
    assert many.world.sweep is not None
    many.world = replace(many.world, sweep=replace(many.world.sweep, at=ago(1)))
    many.rules = replace(ACT, incident_memory=timedelta(seconds=10))
    assert len(started(many)) == STARTS_IN_ALL


def intended(of: Scene, age_s: float) -> StartServer:
    (command,) = watch_stops(of.picture()).commands
    assert isinstance(command, StartServer)
    of.intend(command, age_s)
    return command


def swept_again(of: Scene, age_s: float, **row: object) -> Scene:
    assert of.world.sweep is not None
    fields: dict[str, object] = {"vm_state": "stopped", "on": "h1", **row}
    rows = [swept(server("a", **fields))]  # type: ignore[arg-type] a test's own fields
    of.world = replace(of.world, sweep=amended(of.world.sweep, rows, ago(age_s)))
    return of


def test_it_runs_when_nova_shows_it_active() -> None:
    begun = remembered("a")
    command = intended(begun, 10)
    begun.tell(9, CommandEnded(command=command.id, outcome=Outcome.DONE))
    assert must_be_swept_soon(begun.picture())
    assert watch_stops(begun.picture()) == Decision()
    assert moved(swept_again(begun, 5, vm_state="active")) == [("a", StopState.RUNS)]


def test_a_start_that_does_nothing_is_asked_again_and_then_given_up() -> None:
    begun = remembered("a", age_s=600)
    for number in range(1, MAX_TRIES + 1):
        command = intended(begun, 500 - 100 * number)
        begun.tell(499 - 100 * number, CommandEnded(command=command.id, outcome=Outcome.UNRESOLVED))
        (step,) = watch_stops(begun.picture()).events
        assert isinstance(step, StopMoved)
        assert step.to is (StopState.DUE if number < MAX_TRIES else StopState.GIVEN_UP)
        begun.tell(430 - 100 * number, step)


def test_what_was_refused_is_tried_again_after_a_while_and_then_given_up() -> None:
    begun = remembered("a", age_s=600)
    for number in range(1, MAX_TRIES + 1):
        command = intended(begun, 500 - 100 * number)
        refused = CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail="a record")
        begun.tell(499 - 100 * number, refused)
    (step,) = watch_stops(begun.picture()).events
    assert isinstance(step, StopMoved)
    assert step.to is StopState.GIVEN_UP
    assert "a record" in step.reason
    soon = remembered("a", age_s=600)
    command = intended(soon, 12)
    soon.tell(10, CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail="a record"))
    assert watch_stops(soon.picture()) == Decision()


@pytest.mark.parametrize(
    "row", [{"vm_state": "active"}, {"vm_state": "paused"}, {"on": "h2"}], ids=str
)
def test_whoever_acts_meanwhile_is_respected(row: dict[str, object]) -> None:
    assert moved(swept_again(remembered("a"), 1, **row)) == [("a", StopState.OVER)]


def test_one_that_is_deleted_is_no_matter_any_more() -> None:
    gone = remembered("a", to=StopState.LEFT)
    gone.world = replace(gone.world, sweep=sweep_of([], ago(1)))
    assert moved(gone) == [("a", StopState.OVER)]


def test_sweeps_are_quick_only_while_something_goes_on() -> None:
    assert not must_be_swept_soon(Scene(rules=ACT).picture())
    assert must_be_swept_soon(rebooted(Scene(rules=ACT)).picture())
    assert not must_be_swept_soon(rebooted(Scene(rules=ACT), ended_s=121).picture())
    assert not must_be_swept_soon(remembered("a", to=StopState.HELD).picture())
