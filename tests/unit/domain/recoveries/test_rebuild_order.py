"""A person gives up a held server's disks: what follows, and everything that refuses it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from koboshi.domain.decision import Decision, Refused
from koboshi.domain.facts.cloud import Aggregate, Flavor, Power, Server, ServerGroup
from koboshi.domain.facts.stock import Image
from koboshi.domain.facts.world import GroupsRead, ImageRead, ServersRead
from koboshi.domain.forecasting.disk_forecast import DiskKind, DiskOutcome
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.events import DataLossCommitted, IncidentMoved, RecoveryMoved
from koboshi.domain.recoveries.plan import plan
from koboshi.domain.recoveries.rebuild_order import cost_of_rebuild
from koboshi.domain.recoveries.recovery import RecoveryState, Treatment
from koboshi.domain.rules import Mode
from koboshi.domain.word import RebuildServer, answer
from koboshi.sim.samples import SMALL, image_server
from tests.fakes.scene import (
    H1,
    INCIDENT,
    MARKER,
    Scene,
    ago,
    candidate,
    evacuation_record,
    probe,
    readings,
    room,
)

S = IncidentState
OURS = {"enabled": False, "forced_down": True, "disabled_reason": MARKER}
WHO = "uid 0 (root), pid 7"
A = image_server("a").id


def held(server: Server | None = None) -> Scene:
    """Return a dead host whose servers wait for it, long since settled."""
    row = server or image_server("a")
    scene = Scene().recovering(candidate(row))
    scene.tell(5, IncidentMoved(incident=INCIDENT, to=S.SETTLED, reason="test"))
    return listed(scene, row)


def listed(scene: Scene, *servers: Server) -> Scene:
    read = ServersRead(at=ago(2), servers=servers)
    scene.world = replace(scene.world, on_host={H1: read})
    return scene


def order(scene: Scene) -> Decision | Refused:
    return answer(scene.picture(), RebuildServer(server=A, note="h1 burnt down"), WHO)


def test_the_loss_is_journalled_with_the_person_and_the_disks_and_the_server_queued() -> None:
    decision = order(held())
    assert isinstance(decision, Decision), decision
    loss, moved = decision.events
    assert isinstance(loss, DataLossCommitted)
    assert (loss.by, loss.disks) == (WHO, ("root",))
    assert loss.policy == f"{WHO} ordered it to be rebuilt: h1 burnt down"
    assert isinstance(moved, RecoveryMoved)
    assert (moved.to, decision.commands) == (RecoveryState.QUEUED, ())


def test_it_is_then_sent_like_any_other_rebuild() -> None:
    scene = held()
    decision = order(scene)
    assert isinstance(decision, Decision)
    scene.tell(1, *decision.events)
    assert scene.recovery().candidate.treatment is Treatment.REBUILD
    scene.tell(1, IncidentMoved(incident=INCIDENT, to=S.RECOVERING, reason="test"))
    sent = plan(scene.rooms(room("h2")).picture())
    assert [c.type for c in sent.commands] == ["evacuate"]
    assert sent.events == (), "the loss stands in the journal already"


def test_who_was_ordered_once_is_not_held_and_cannot_be_ordered_again() -> None:
    scene = held()
    decision = order(scene)
    assert isinstance(decision, Decision)
    again = order(scene.tell(1, *decision.events))
    assert isinstance(again, Refused)
    assert "is not held: it is queued" in again.reason


Spoils = Callable[[Scene], object]


def _move(*path: S) -> Spoils:
    return lambda s: s.tell(
        1, *(IncidentMoved(incident=INCIDENT, to=to, reason="test") for to in path)
    )


def _rules(scene: Scene) -> None:
    scene.rules = replace(scene.rules, mode=Mode.OBSERVE)


def _group(scene: Scene) -> None:
    group = ServerGroup(id="g", policy="affinity", members=frozenset({A}))
    scene.world = replace(scene.world, groups=GroupsRead(at=ago(1), groups=(group,)))


def _shared(scene: Scene) -> None:
    scene.rules = replace(scene.rules, shared_aggregates=("nfs",))
    nfs = Aggregate(name="nfs", hosts=frozenset({H1}))
    scene.world = replace(scene.world, aggregates=(nfs,))


def _not_told_what_is_shared(scene: Scene) -> None:
    scene.world = replace(scene.world, aggregates=None)


def _image(*, active: bool | None) -> Spoils:
    def spoil(scene: Scene) -> None:
        images = (
            {}
            if active is None
            else {"image-1": ImageRead(at=ago(1), image=Image(id="image-1", active=active))}
        )
        scene.world = replace(scene.world, images=images)

    return spoil


REFUSED: list[tuple[Spoils, str]] = [
    (_rules, "does not act"),
    (lambda s: s.set_power("h1", readings((1.0, Power.ON))), "power reads on"),
    (lambda s: s.set_power("h1", readings((1.0, Power.UNKNOWN))), "reads unknown, not off"),
    (lambda s: s.set_probe("h1", probe("h1")), "not proven dead any more"),
    (lambda s: s.set_heartbeat("h1", 1.0), "somebody changed the compute service"),
    (lambda s: s.set_heartbeat("h1", 1.0, **OURS), "not proven dead any more"),
    (_move(S.NEEDS_HUMAN), "is needs_human"),
    (_move(S.POWERING_ON), "on its way home"),
    (_move(S.RETURNING), "on its way home"),
    (listed, "Nova does not list a on h1"),
    (
        lambda s: s.read_records(evacuation_record("a", "accepted")),
        "is accepted: somebody may be",
    ),
    (_image(active=False), "is not active in Glance"),
    (_image(active=None), "not known yet whether Glance serves"),
    (_group, "affinity group"),
    (_shared, "nothing of it would have to be given up: its root: on the storage"),
    (_not_told_what_is_shared, "was not asked yet"),
    (lambda s: listed(s, image_server("a", vm_state="paused")), "it is paused"),
    (lambda s: listed(s, image_server("a", task_state="resize_migrating")), "in a resize"),
    (lambda s: listed(s, image_server("a", task_state="migrating")), "in live migration"),
    (lambda s: listed(s, image_server("a", launched=False)), "never up"),
    (lambda s: listed(s, image_server("a", metadata={"HA_Enabled": "False"})), "HA_Enabled"),
    (
        lambda s: listed(
            s, image_server("a", flavor=replace(SMALL, extra_specs={"hw:tpm_version": "2.0"}))
        ),
        "vTPM",
    ),
]


@pytest.mark.parametrize(("spoil", "why"), REFUSED)
def test_what_refuses_it(spoil: Spoils, why: str) -> None:
    scene = held()
    spoil(scene)
    refused = order(scene)
    assert isinstance(refused, Refused), refused
    assert why in refused.reason
    assert refused.cure


def test_a_server_that_no_incident_knows() -> None:
    refused = order(Scene())
    assert isinstance(refused, Refused)
    assert "no server a waits" in refused.reason


def test_what_it_costs_is_told_disk_by_disk() -> None:
    flavor = Flavor(name="f", vcpus=1, ram_mb=512, disk_gb=1, ephemeral_gb=5, swap_mb=512)
    row = replace(image_server("a", flavor=flavor), volume_ids=("v",), config_drive=True)
    scene = held(row)
    disks = cost_of_rebuild(scene.picture(), scene.the_incident(), scene.recovery())
    assert [(d.kind, d.outcome) for d in disks] == [
        (DiskKind.ROOT, DiskOutcome.BACK_TO_IMAGE),
        (DiskKind.EPHEMERAL, DiskOutcome.LOST),
        (DiskKind.SWAP, DiskOutcome.LOST),
        (DiskKind.CONFIG_DRIVE, DiskOutcome.SURVIVES),
        (DiskKind.VOLUME, DiskOutcome.UNKNOWN),
    ]


def test_the_images_of_held_servers_are_read_before_anybody_asks() -> None:
    assert interest_of(held().picture()).images == {"image-1"}
