"""Servers on shared storage: sent to nobody by name, read back, tried again or held."""

from dataclasses import replace

from koboshi.domain.facts.cloud import Aggregate
from koboshi.domain.incidents.listing import list_new_servers
from koboshi.domain.incidents.noticing import notices
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.memory.events import (
    CommandAccepted,
    DestinationChosen,
    RecoveryMoved,
    StorageNotSeen,
)
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.follow import follow
from koboshi.domain.recoveries.plan import plan
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState
from koboshi.domain.rules import OnLocalDisk
from koboshi.sim.samples import image_server
from tests.fakes.scene import Scene, candidate, evacuation_record, room

H2 = HostName("h2")
NOT_SEEN = "Invalid state of instance files on shared storage"


def on_nfs(name: str) -> Candidate:
    return candidate(image_server(name), OnLocalDisk.HOLD, storage="nfs")


def scene_of(*names: str, sharing: tuple[str, ...] = ("h1", "h2", "h3")) -> Scene:
    scene = Scene()
    scene.rules = replace(scene.rules, shared_aggregates=("nfs",))
    nfs = Aggregate(name="nfs", hosts=frozenset(map(HostName, sharing)))
    scene.world = replace(scene.world, aggregates=(nfs,))
    return scene.recovering(*(on_nfs(n) for n in names), age_s=400)


def sent(scene: Scene) -> Scene:
    command = replace(scene.evacuate(), destination=None)
    return scene.intend(command, 30).tell(30, CommandAccepted(command=command.id))


def sent_next(scene: Scene) -> list[Evacuate]:
    scene.rooms(room("h2"), room("h3"), room("h4"))
    return [c for c in plan(scene.picture()).commands if isinstance(c, Evacuate)]


def test_the_first_goes_alone_for_the_declaration_may_be_false() -> None:
    scene = scene_of("a", "b", "c")
    (first,) = sent_next(scene)
    assert (first.server, first.destination) == ("a", None)
    scene = sent(scene)
    assert sent_next(scene) == []


def test_nobody_is_named_and_once_one_arrived_as_many_go_as_one_destination_takes() -> None:
    scene = sent(scene_of("a", "b", "c", "d"))
    scene.read_records(evacuation_record(status="done"))
    for _ in range(2):
        scene.tell(1, *follow(scene.picture(), scene.recovery()).events)
    assert scene.recovery().state is RecoveryState.CONFIRMING
    assert [c.destination for c in sent_next(scene)] == [None, None]


def test_no_room_on_a_host_that_shares_it_is_no_room() -> None:
    assert not plan(scene_of("a").rooms(room("h4")).picture())


def test_before_the_aggregates_are_read_nothing_is_listed() -> None:
    scene = scene_of()
    scene.world = replace(scene.world, aggregates=None)
    assert not list_new_servers(scene.picture(), scene.the_incident())


def test_the_destination_is_read_from_the_record() -> None:
    scene = sent(scene_of("a")).read_records(evacuation_record())
    (chosen,) = follow(scene.picture(), scene.recovery()).events
    assert isinstance(chosen, DestinationChosen)
    scene.tell(1, chosen)
    assert scene.recovery().destination == H2


def refused_by(host: str) -> Scene:
    scene = sent(scene_of("a", "b")).read_records(
        evacuation_record(status="failed", destination=HostName(host))
    )
    (chosen,) = follow(scene.picture(), scene.recovery()).events
    row = replace(image_server("a"), vm_state="error", fault=NOT_SEEN)
    return scene.tell(20, chosen).read_server(row)


def test_a_refusal_outside_is_tried_again() -> None:
    scene = refused_by("h4")
    scene.tell(1, *follow(scene.picture(), scene.recovery()).events)
    assert scene.recovery().state is RecoveryState.QUEUED
    assert scene.recovery("b").state is RecoveryState.QUEUED


def test_a_refusal_inside_holds_all_of_them_and_is_told() -> None:
    scene = refused_by("h2")
    events = follow(scene.picture(), scene.recovery()).events
    assert isinstance(events[0], StorageNotSeen)
    assert {e.server for e in events if isinstance(e, RecoveryMoved)} == {"a", "b"}
    scene.tell(1, *events)
    assert {scene.recovery(n).state for n in "ab"} == {RecoveryState.HELD}
    told = [e for e in notices(scene.picture(), scene.judgement()) if "not see" in str(e)]
    assert [getattr(e, "topic", "") for e in told] == ["storage_not_seen"]


def test_a_lost_request_without_a_name_is_never_sent_again() -> None:
    scene = scene_of("a").lost("a", age_s=120)
    command = scene.state.commands[next(iter(scene.state.commands))]
    unnamed = replace(command, command=replace(scene.evacuate(), destination=None))
    scene.state = replace(scene.state, commands={command.command.id: unnamed})
    scene.read_records(since_s=110, count=100).read_server(image_server("a"))
    decision = follow(scene.picture(), scene.recovery())
    assert not decision.commands
    assert [e.to for e in decision.events if isinstance(e, RecoveryMoved)] == [RecoveryState.STUCK]
