"""What became of each request: record, host and task together are an end; nothing less is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from koboshi.domain.decision import Decision
from koboshi.domain.facts.cloud import Power, Running
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.commands import Evacuate, Outcome, StopServer
from koboshi.domain.memory.events import CommandAccepted, CommandEnded, RecoveryMoved
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.follow import follow
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import (
    INCIDENT,
    Scene,
    candidate,
    evacuation_record,
    probe,
    readings,
    room,
)

S = RecoveryState
OLD = evacuation_record("a", "failed", 99)
"""A record from before the request: it says nothing of it."""


def scene_of(vm_state: str = "active") -> Scene:
    return Scene().recovering(candidate(server("a", vm_state=vm_state)), age_s=400)


def sent(age_s: float = 10, vm_state: str = "active") -> Scene:
    return scene_of(vm_state).sent("a", "h2", age_s=age_s)


def moved(scene: Scene, *path: RecoveryState, age_s: float = 5) -> Scene:
    for to in path:
        scene.tell(
            age_s, RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=to, reason="test")
        )
    return scene


def ended(scene: Scene, outcome: Outcome = Outcome.DONE, age_s: float = 5) -> Scene:
    command = scene.recovery("a").command
    assert command is not None
    return scene.tell(age_s, CommandEnded(command=command, outcome=outcome))


def settling(vm_state: str = "active", age_s: float = 5) -> Scene:
    scene = moved(sent(60, vm_state), S.CONFIRMING, age_s=30)
    return moved(ended(scene, age_s=age_s), S.SETTLING, age_s=age_s)


def step(scene: Scene) -> Decision:
    return follow(scene.picture(), scene.recovery("a"))


def to(scene: Scene) -> RecoveryState | None:
    """Return where the recovery goes next; None when it stays."""
    found = [e.to for e in step(scene).events if isinstance(e, RecoveryMoved)]
    return found[0] if found else None


def outcome(scene: Scene) -> Outcome | None:
    found = [e.outcome for e in step(scene).events if isinstance(e, CommandEnded)]
    return found[0] if found else None


# building


def test_records_that_were_read_before_the_request_say_nothing() -> None:
    scene = sent(10).read_records(evacuation_record("a", "done"), age_s=11)
    assert not step(scene)


@pytest.mark.parametrize("status", ["accepted", "pre-migrating", "a status of tomorrow"])
def test_an_open_record_is_waited_for(status: str) -> None:
    assert not step(sent(100).read_records(evacuation_record("a", status)))


@pytest.mark.parametrize("status", ["done", "completed"])
def test_an_arrived_record_is_confirmed_next(status: str) -> None:
    assert to(sent().read_records(evacuation_record("a", status))) is S.CONFIRMING


def test_records_that_were_known_and_those_of_others_are_not_ours() -> None:
    scene = scene_of()
    old = evacuation_record("a", "done", 1)
    scene.intend(scene.evacuate("a", "h2", known_records=frozenset({old.id})), 10)
    command = scene.recovery("a").command
    assert command is not None
    scene.tell(10, CommandAccepted(command=command))
    others = evacuation_record("b", "done", 2)
    resize = evacuation_record("a", "done", 3, type="resize")
    assert not step(scene.read_records(old, others, resize))


def test_two_records_of_one_server_are_an_orphan() -> None:
    records = (evacuation_record("a", "done", 1), evacuation_record("a", "accepted", 2))
    scene = sent().read_records(*records)
    assert (to(scene), outcome(scene)) == (S.ORPHAN_SUSPECTED, Outcome.FAILED)


@pytest.mark.parametrize(("age_s", "goes"), [(59, None), (61, S.STUCK)])
def test_an_accepted_request_without_a_record_is_stuck(
    age_s: float, goes: RecoveryState | None
) -> None:
    assert to(sent(age_s).read_records()) is goes


@pytest.mark.parametrize(("age_s", "goes"), [(599, None), (601, S.STUCK)])
def test_a_record_that_does_not_end_is_stuck(age_s: float, goes: RecoveryState | None) -> None:
    scene = Scene().recovering(candidate(server("a")), age_s=900).sent("a", "h2", age_s)
    assert to(scene.read_records(evacuation_record("a"))) is goes


@pytest.mark.parametrize(("age_s", "goes"), [(59, None), (61, S.STUCK)])
@pytest.mark.parametrize("how", ["dark", "service_failed", "hung"])
def test_a_destination_in_trouble_half_way_is_stuck(
    age_s: float, goes: RecoveryState | None, how: str
) -> None:
    scene = sent(age_s).read_records(evacuation_record("a"))
    scene.set_heartbeat("h2", 30)
    if how != "service_failed":
        scene.set_probe("h2", probe("h2", 20 if how == "dark" else None, kernel_only=True))
    assert to(scene) is goes


# failures


def failed(fault: str | None = "No valid host", **more: Any) -> Scene:
    scene = sent(60).read_records(evacuation_record("a", "failed"))
    return scene.read_server(server("a", vm_state="error", fault=fault, **more))


@pytest.mark.parametrize("status", ["error", "failed", "cancelled"])
def test_a_failed_request_is_queued_anew_and_not_to_the_same_host(status: str) -> None:
    scene = failed().read_records(evacuation_record("a", status))
    assert (to(scene), outcome(scene)) == (S.QUEUED, Outcome.FAILED)
    scene.tell(0, *step(scene).events)
    assert scene.recovery("a").failed_destinations == {"h2"}
    assert scene.recovery("a").command is None


def test_a_failure_is_judged_by_the_server_read_after_it() -> None:
    scene = sent(60).read_records(evacuation_record("a", "failed"))
    assert not step(scene)
    assert not step(scene.read_server(server("a", vm_state="error"), age_s=70))


def test_a_failure_is_judged_only_when_nova_has_had_time_to_write_the_fault() -> None:
    scene = failed()
    newest = max(
        t.service.updated_at for t in scene.world.services.values() if t.service.updated_at
    )
    just_now = evacuation_record("a", "failed", updated_at=newest)
    assert not step(scene.read_records(just_now))


@pytest.mark.parametrize(
    "fault",
    [
        "Instance instance-0001 already exists.",
        "InstanceExists: no",
        "Conflict updating instance 1. Expected: {'task_state': ['rebuilding']}",
        "UnexpectedTaskStateError",
    ],
)
def test_some_faults_leave_a_copy_behind(fault: str) -> None:
    scene = failed(fault)
    assert (to(scene), outcome(scene)) == (S.ORPHAN_SUSPECTED, Outcome.FAILED)


def test_three_failures_are_given_up() -> None:
    scene = scene_of()
    for number, host in enumerate(("h2", "h3", "h4")):
        command = scene.evacuate("a", host, number=number)
        scene.intend(command, 60)
        scene.tell(60, CommandAccepted(command=command.id))
        if number < 2:
            scene.tell(60, CommandEnded(command=command.id, outcome=Outcome.FAILED))
            moved(scene, S.QUEUED, age_s=60)
    scene.read_records(evacuation_record("a", "failed"))
    scene.read_server(server("a", vm_state="error", fault="No valid host"))
    assert to(scene) is S.GIVEN_UP


@pytest.mark.parametrize("left", [{"fault": None}, {"task_state": "rebuild_spawning"}])
def test_a_failure_without_a_word_or_with_a_task_left_may_leave_a_copy(left: Any) -> None:
    assert to(failed(**left)) is S.ORPHAN_SUSPECTED


def test_a_failed_claim_leaves_the_server_as_it_was_and_is_tried_again() -> None:
    scene = sent(60).read_records(evacuation_record("a", "failed")).read_server(server("a"))
    assert to(scene) is S.QUEUED


def test_a_server_that_was_deleted_meanwhile_is_gone() -> None:
    scene = sent(60).read_records(evacuation_record("a", "failed")).read_server(None)
    assert to(scene) is S.GONE


# confirming


def confirming(age_s: float = 5) -> Scene:
    scene = moved(sent(90), S.CONFIRMING, age_s=age_s)
    return scene.read_records(evacuation_record("a", "done"))


def test_record_and_host_and_task_together_are_an_end() -> None:
    scene = confirming().read_server(server("a", "h2"))
    assert (to(scene), outcome(scene)) == (S.SETTLING, Outcome.DONE)


@pytest.mark.parametrize("found", [server("a", "h1"), server("a", "h2", task_state="powering-off")])
def test_active_is_not_there_yet(found: Any) -> None:
    """Nova writes ACTIVE first, the host afterwards."""
    assert not step(confirming().read_server(found))


def test_what_was_read_before_it_was_done_confirms_nothing() -> None:
    assert not step(confirming().read_server(server("a", "h2"), age_s=6))


def test_what_never_confirms_is_stuck() -> None:
    assert to(confirming(61).read_server(server("a", "h1"))) is S.STUCK


def test_somebody_moved_it_on() -> None:
    assert to(confirming().read_server(server("a", "h5"))) is S.GONE


# settling


def test_its_hypervisor_has_the_last_word() -> None:
    scene = settling().read_server(server("a", "h2"))
    assert not step(scene)
    assert not step(scene.read_running(Running.NO))
    assert not step(scene.read_running(Running.UNKNOWN))
    assert not step(scene.read_running(Running.YES, age_s=6))
    assert to(scene.read_running(Running.YES)) is S.DONE


def test_who_runs_is_not_read_once_more() -> None:
    scene = settling()
    assert ServerId("a") not in interest_of(scene.picture()).servers
    assert to(scene.read_running(Running.YES)) is S.DONE


@pytest.mark.parametrize("running", [Running.NO, Running.UNKNOWN])
def test_who_does_not_run_is_read_by_id(running: Running) -> None:
    scene = settling().read_running(running)
    assert ServerId("a") in interest_of(scene.picture()).servers
    assert to(scene.read_server(None)) is S.GONE


def test_who_was_stopped_is_read_at_once() -> None:
    assert ServerId("a") in interest_of(settling("stopped").picture()).servers


@pytest.mark.parametrize(
    ("running", "goes"), [(Running.NO, S.STUCK), (Running.UNKNOWN, S.DONE), (Running.YES, S.DONE)]
)
def test_a_hypervisor_that_does_not_run_it_is_told(running: Running, goes: RecoveryState) -> None:
    scene = settling(age_s=121).read_server(server("a", "h2")).read_running(running)
    assert to(scene) is goes


def test_what_was_stopped_is_stopped_again_once_and_then_done() -> None:
    scene = settling("stopped").read_server(server("a", "h2")).read_running(Running.YES)
    decision = step(scene)
    assert [type(c) for c in decision.commands] == [StopServer]
    scene.intend(decision.commands[0], 0)
    assert not step(scene)
    scene.tell(0, CommandEnded(command=decision.commands[0].id, outcome=Outcome.DONE))
    assert not step(scene)
    scene.read_server(server("a", "h2", vm_state="stopped")).read_running(Running.NO)
    assert to(scene) is S.DONE


# unknown


def unknown(age_s: float = 100, *, count: int = 5) -> Scene:
    known = frozenset({OLD.id})
    scene = scene_of().lost("a", "h5", age_s=age_s, known_records=known)
    scene.read_records(OLD, since_s=age_s + 50, count=count)
    return scene.read_server(server("a")).rooms(room("h2"))


def test_a_lost_answer_is_found_in_the_records() -> None:
    scene = unknown(5).read_records(evacuation_record("a", "accepted"))
    assert [type(e) for e in step(scene).events] == [CommandAccepted]


def test_a_lost_request_is_asked_again_to_the_same_host_with_the_same_snapshot() -> None:
    scene = unknown()
    decision = step(scene)
    (again,) = decision.commands
    assert isinstance(again, Evacuate)
    assert again.destination == "h5"
    before = scene.recovery("a").command
    assert before is not None
    first = scene.state.commands[before].command
    assert isinstance(first, Evacuate)
    assert again.known_records == first.known_records == {OLD.id}
    assert again.rebuilds is first.rebuilds
    assert [e.outcome for e in decision.events if isinstance(e, CommandEnded)] == [
        Outcome.UNRESOLVED
    ]


NOT_ASKED_AGAIN: dict[str, Callable[[], Scene]] = {
    "too early": lambda: unknown(90.4),
    "records not read": lambda: _without_records(unknown()),
    "only two reads": lambda: unknown(count=2),
    "reads were broken": lambda: unknown().read_records(OLD, since_s=60, count=50),
    "server not read": lambda: unknown().read_server(server("a"), age_s=150),
    "proof is old": lambda: unknown().set_power("h1", readings((11.0, Power.OFF))),
    "the host answers": lambda: unknown().set_probe("h1", probe("h1")),
}


def _without_records(scene: Scene) -> Scene:
    scene.world = replace(scene.world, from_host={})
    return scene


@pytest.mark.parametrize("case", NOT_ASKED_AGAIN)
def test_a_lost_request_is_not_asked_again(case: str) -> None:
    assert not step(NOT_ASKED_AGAIN[case]())


def test_two_new_records_of_a_lost_request_are_an_orphan() -> None:
    records = (evacuation_record("a", "done", 1), evacuation_record("a", "done", 2))
    assert to(unknown(5).read_records(*records)) is S.ORPHAN_SUSPECTED


def test_a_lost_request_for_a_server_that_moved_or_is_gone() -> None:
    assert to(unknown().read_server(server("a", "h3"))) is S.GONE
    assert to(unknown().read_server(None)) is S.GONE


def test_three_lost_requests_are_stuck() -> None:
    scene = unknown()
    scene.state = replace(
        scene.state,
        recoveries={INCIDENT: {ServerId("a"): replace(scene.recovery("a"), posts=3)}},
    )
    assert to(scene) is S.STUCK


def home(scene: Scene) -> Scene:
    """Let the host be up and in service again."""
    return scene.set_probe("h1", probe("h1")).set_heartbeat("h1", 2)


def test_a_lost_request_of_a_host_that_is_home_again_can_arrive_no_more() -> None:
    """Nova takes no evacuation from a host whose service is up."""
    scene = home(unknown())
    assert (to(scene), outcome(scene)) == (S.HELD, Outcome.UNRESOLVED)
    assert not step(home(unknown(80)))
    assert not step(home(unknown()).set_heartbeat("h1", 2, forced_down=True))
    assert not step(home(unknown()).set_heartbeat("h1", 30))


# stuck


def stuck(age_s: float = 5) -> Scene:
    scene = moved(sent(300), S.STUCK, age_s=age_s)
    return scene.read_records(evacuation_record("a"))


def test_stuck_stays_stuck() -> None:
    assert not step(stuck().read_server(server("a")))


def test_stuck_without_a_record_ends_when_its_host_is_home_again() -> None:
    scene = stuck().read_records().read_server(server("a"))
    assert not step(scene)
    assert to(home(scene)) is S.HELD
    assert not step(home(stuck().read_server(server("a"))))
    assert not step(home(scene).read_records(age_s=6))


def test_a_record_that_ends_after_all() -> None:
    scene = stuck().read_records(evacuation_record("a", "done"))
    assert to(scene.read_server(server("a", "h2"))) is S.SETTLING
    assert not step(scene.read_server(server("a", "h1")))
    failed_after_all = stuck().read_records(evacuation_record("a", "failed"))
    faulty = server("a", vm_state="error", fault="No valid host was found")
    assert to(failed_after_all.read_server(faulty)) is S.QUEUED
    ended_by_hand = stuck().read_records(evacuation_record("a", "error"))
    assert to(ended_by_hand.read_server(server("a"))) is S.ORPHAN_SUSPECTED


def test_a_stuck_server_that_is_deleted_is_gone() -> None:
    assert to(stuck().read_server(None)) is S.GONE


def test_its_destination_proven_dead_frees_it() -> None:
    scene = stuck()
    scene.recovering(candidate(image_server("x", "h2")), host="h2", age_s=2)
    scene.read_records(evacuation_record("a"))
    assert (to(scene), outcome(scene)) == (S.QUEUED, Outcome.FAILED)


def test_one_that_its_destination_had_begun_need_not_be_stuck_first() -> None:
    scene = sent(5)
    scene.recovering(candidate(image_server("x", "h2")), host="h2", age_s=2)
    assert not step(scene.read_records(evacuation_record("a", "accepted")))  # may still be sent on
    scene.read_records(evacuation_record("a"))
    assert (to(scene), outcome(scene)) == (S.QUEUED, Outcome.FAILED)


def test_its_destination_merely_silent_does_not() -> None:
    scene = stuck().dark("h2", for_s=100)
    assert not step(scene)
    scene.incident(host="h2")
    assert not step(scene)


def test_a_stuck_server_that_its_hypervisor_runs_is_done() -> None:
    scene = moved(settling(age_s=200), S.STUCK, age_s=5)
    assert not step(scene.read_running(Running.NO))
    assert to(scene.read_running(Running.YES)) is S.DONE


# held


def test_a_held_server_is_gone_only_when_read_by_id() -> None:
    scene = Scene().recovering(candidate(image_server("a")), age_s=400)
    assert not step(scene)
    assert not step(scene.read_server(image_server("a")))
    assert not step(scene.read_server(image_server("a", "h3", task_state="rebuilding")))
    assert to(scene.read_server(image_server("a", "h3"))) is S.GONE
    assert to(scene.read_server(None)) is S.GONE


@pytest.mark.parametrize(
    "state", [S.QUEUED, S.IGNORED, S.DONE, S.GONE, S.GIVEN_UP, S.FOREIGN, S.REFUSED]
)
def test_in_other_states_nothing_is_followed(state: RecoveryState) -> None:
    scene = sent().read_records(evacuation_record("a", "done")).read_server(None)
    assert not follow(scene.picture(), replace(scene.recovery("a"), state=state))
    assert CommandId("evacuate-a-1") in scene.state.commands
