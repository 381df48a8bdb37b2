"""The last question before a request leaves: each single reason to keep it back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from koboshi.domain.facts.cloud import OPEN_STATUSES, Power
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.names import HostName, MigrationId
from koboshi.domain.recoveries.guard import LastLook, why_not_evacuate
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState, Treatment
from koboshi.domain.rules import OnLocalDisk
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, Scene, candidate, evacuation_record, probe, readings

S = RecoveryState


def looked(**changes: Any) -> tuple[Evacuate, LastLook]:
    """Return a request that may leave, and what was read for it, but for `changes`."""
    scene = Scene().recovering(candidate(server("a")))
    command = scene.evacuate("a", "h2", known_records=frozenset({MigrationId("record-0")}))
    scene.intend(command, 1)
    look = LastLook(
        incident=scene.the_incident(),
        recovery=scene.recovery("a"),
        server=server("a"),
        records=(evacuation_record("a", "error", 0),),
        service=scene.world.services[H1].service,
        probe=scene.world.probes[H1],
        power=scene.world.power[H1],
        elsewhere=None,
        noise="only what no power device proves asks for this",
        proven_dead=frozenset(),
        now=scene.now,
    )
    return command, replace(look, **changes)


def refused(**changes: Any) -> tuple[RecoveryState, str] | None:
    refusal = why_not_evacuate(*looked(**changes))
    return (refusal.to, refusal.reason) if refusal else None


def test_what_may_leave() -> None:
    assert refused() is None


def test_a_server_that_became_an_error_meanwhile_may_leave() -> None:
    assert refused(server=server("a", vm_state="error", fault="No valid host")) is None


@pytest.mark.parametrize(
    ("found", "to", "word"),
    [
        (None, S.GONE, "deleted"),
        (server("b"), S.QUEUED, "another server"),
        (server("a", "h3"), S.GONE, "on h3 already"),
        (server("a", None), S.GONE, "no host"),
        (server("a", vm_state="paused"), S.HELD, "paused"),
        (server("a", vm_state="resized"), S.HELD, "resized"),
        (server("a", task_state="rebuilding"), S.QUEUED, "works on it"),
        (server("a", task_state="rebuild_spawning"), S.QUEUED, "works on it"),
        (server("a", task_state="migrating"), S.QUEUED, "works on it"),
        (server("a", task_state="resize_prep"), S.QUEUED, "works on it"),
        (server("a", task_state="deleting"), S.QUEUED, "works on it"),
        (
            server("a", vm_state="error", fault="Instance a already exists."),
            S.ORPHAN_SUSPECTED,
            "copy",
        ),
    ],
)
def test_what_the_server_says(found: object, to: RecoveryState, word: str) -> None:
    refusal = refused(server=found)
    assert refusal is not None
    assert refusal[0] is to
    assert word in refusal[1]


@pytest.mark.parametrize("status", [*sorted(OPEN_STATUSES), "a status of tomorrow"])
@pytest.mark.parametrize("kind", ["evacuation", "live-migration", "migration", "resize"])
def test_an_open_record_of_any_kind_keeps_it_back(status: str, kind: str) -> None:
    record = evacuation_record("a", status, 0, type=kind)
    refusal = refused(records=(record,))
    assert refusal is not None
    assert refusal[0] is S.FOREIGN


@pytest.mark.parametrize("status", ["done", "completed", "error", "failed", "cancelled"])
def test_ended_records_that_were_known_do_not(status: str) -> None:
    assert refused(records=(evacuation_record("a", status, 0),)) is None


@pytest.mark.parametrize("status", ["done", "error", "failed"])
def test_an_evacuation_record_that_nobody_knew_does(status: str) -> None:
    refusal = refused(records=(evacuation_record("a", status, 7),))
    assert refusal is not None
    assert refusal[0] is S.QUEUED


def test_a_resize_of_long_ago_does_not() -> None:
    resized = evacuation_record("a", "confirmed", 7, type="resize", source=HostName("h5"))
    assert refused(records=(resized,)) is None


def test_an_open_record_to_a_host_that_is_proven_dead_does_not() -> None:
    record = evacuation_record("a", "pre-migrating", 0)
    busy = server("a", task_state="rebuild_spawning")
    assert refused(records=(record,), server=busy) is not None
    dead = frozenset({HostName("h2")})
    assert refused(records=(record,), server=busy, proven_dead=dead) is None
    other = evacuation_record("a", "pre-migrating", 0, destination=HostName("h3"))
    assert refused(records=(record, other), server=busy, proven_dead=dead) is not None


@pytest.mark.parametrize("treatment", [Treatment.HOLD, Treatment.IGNORE])
def test_what_is_held_never_leaves(treatment: Treatment) -> None:
    command, look = looked()
    held = replace(look.recovery, candidate=replace(look.recovery.candidate, treatment=treatment))
    refusal = why_not_evacuate(command, replace(look, recovery=held))
    assert refusal is not None
    assert refusal.to is S.HELD


def test_a_rebuild_leaves_only_after_its_loss_was_journalled() -> None:
    command, look = looked()
    loses = candidate(image_server("a"), OnLocalDisk.REBUILD)
    recovery = replace(look.recovery, candidate=loses)
    refusal = why_not_evacuate(command, replace(look, recovery=recovery))
    assert refusal is not None
    assert "not journalled" in refusal.reason
    committed = replace(recovery, data_loss_committed=True)
    assert why_not_evacuate(command, replace(look, recovery=committed)) is None


def test_a_server_that_was_in_error_before_never_leaves() -> None:
    command, look = looked(server=server("a", vm_state="error"))
    before = replace(look.recovery.candidate, vm_state="error")
    recovery = replace(look.recovery, candidate=before)
    refusal = why_not_evacuate(command, replace(look, recovery=recovery))
    assert refusal is not None
    assert refusal.to is S.HELD


@pytest.mark.parametrize("state", [s for s in IncidentState if s is not IncidentState.RECOVERING])
def test_only_while_its_host_is_recovered(state: IncidentState) -> None:
    _, look = looked()
    assert refused(incident=replace(look.incident, state=state)) is not None


SPOILED: dict[str, Callable[[LastLook], dict[str, Any]]] = {
    "no proof": lambda look: {"incident": replace(look.incident, proof=None)},
    "isolated anew": lambda look: {"incident": replace(look.incident, isolation=None)},
    "answers": lambda _: {"probe": probe("h1")},
    "power on": lambda _: {"power": readings((1.0, Power.ON))},
    "power unknown": lambda _: {"power": readings((1.0, Power.UNKNOWN))},
    "power long ago": lambda _: {"power": readings((10.5, Power.OFF))},
    "never read": lambda _: {"power": None},
    "no row": lambda _: {"service": None},
    "lifted": lambda look: {"service": replace(look.service, forced_down=False)},  # type: ignore[type-var] - it is there
    "enabled": lambda look: {"service": replace(look.service, enabled=True)},  # type: ignore[type-var] - it is there
}


@pytest.mark.parametrize("case", SPOILED)
def test_each_thing_that_voids_the_proof(case: str) -> None:
    refusal = refused(**SPOILED[case](looked()[1]))
    assert refusal is not None
    assert refusal[0] is S.QUEUED


def test_a_baseline_of_another_isolation() -> None:
    command, look = looked()
    old = replace(command, baseline=None)
    refusal = why_not_evacuate(old, look)
    assert refusal is not None
    assert "isolated anew" in refusal.reason


SHARED = candidate(image_server("a"), OnLocalDisk.REBUILD, storage="nfs")


@pytest.mark.parametrize(
    ("what", "destination", "storage", "may_leave"),
    [
        (SHARED, None, "nfs", True),
        (SHARED, "h2", "nfs", False),
        (SHARED, None, None, False),
        (candidate(image_server("a"), OnLocalDisk.REBUILD), "h2", "nfs", False),
        (candidate(image_server("a"), OnLocalDisk.REBUILD), None, None, False),
        (candidate(server("a")), "h2", "nfs", True),
        (candidate(server("a")), None, "nfs", False),
    ],
)
def test_a_disk_on_shared_storage_is_only_sent_to_who_sees_it(
    what: Candidate, destination: HostName | None, storage: str | None, *, may_leave: bool
) -> None:
    command, look = looked()
    command = replace(command, destination=destination)
    recovery = replace(look.recovery, candidate=what, data_loss_committed=True)
    row = server("a") if not what.storage and not what.local_disks else image_server("a")
    look = replace(look, recovery=recovery, server=row, storage=storage)
    refusal = why_not_evacuate(command, look)
    assert (refusal is None) is may_leave
    assert refusal is None or refusal.to is S.HELD
