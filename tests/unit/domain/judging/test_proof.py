"""Proof of death perishes: each single reason that makes it void, and none besides."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Power
from koboshi.domain.incidents.incident import IncidentState, ProofKind
from koboshi.domain.judging.proof import find_proof, signs_of_life, why_host_not_proven_now
from koboshi.domain.memory.commands import FenceOff
from koboshi.domain.memory.events import IncidentMoved
from koboshi.domain.names import CommandId, ServiceId
from koboshi.sim.samples import server
from tests.fakes.scene import H1, INCIDENT, OFF_THRICE, Scene, ago, candidate, probe, readings

OFF, ON, UNKNOWN = Power.OFF, Power.ON, Power.UNKNOWN


def proven() -> Scene:
    return Scene().recovering(candidate(server("a")))


def why(scene: Scene) -> str | None:
    return why_host_not_proven_now(scene.the_incident(), scene.world, scene.now)


def change_row(scene: Scene, **changes: object) -> None:
    track = scene.world.services[H1]
    row = replace(track.service, **changes)  # type: ignore[arg-type] - fields by name
    scene.world = replace(
        scene.world, services={**scene.world.services, H1: replace(track, service=row)}
    )


def heartbeat_after(scene: Scene) -> None:
    stamp = scene.world.services[H1].service.updated_at
    assert stamp is not None
    change_row(scene, updated_at=stamp + timedelta(seconds=1))


def older_row(scene: Scene) -> None:
    stamp = scene.world.services[H1].service.updated_at
    assert stamp is not None
    change_row(scene, updated_at=stamp - timedelta(seconds=1))


def without(scene: Scene, field: str) -> None:
    incident = replace(scene.the_incident(), **{field: None})
    scene.state = replace(scene.state, incidents={INCIDENT: incident})


VOID: dict[str, tuple[Callable[[Scene], object], str]] = {
    "no proof": (lambda s: without(s, "proof"), "no proof"),
    "not isolated": (lambda s: without(s, "isolation"), "not isolated"),
    "answers": (lambda s: s.set_probe("h1", probe("h1")), "answers again"),
    "kernel answers": (lambda s: s.set_probe("h1", probe("h1", kernel_only=True)), "answers again"),
    "answered once since": (lambda s: s.set_probe("h1", probe("h1", 15)), "answers again"),
    "power on": (lambda s: s.set_power("h1", readings((9, OFF), (1, ON))), "reads on"),
    "power was on": (
        lambda s: s.set_power("h1", readings((9, ON), (7, OFF), (4, OFF), (1, OFF))),
        "reads on",
    ),
    "power unknown": (lambda s: s.set_power("h1", readings((3, OFF), (1, UNKNOWN))), "unknown"),
    "power never read": (lambda s: s.set_power("h1", None), "never read"),
    "reading is old": (lambda s: s.set_power("h1", readings((10.5, OFF))), "too old"),
    "heartbeat": (heartbeat_after, "heartbeat moves again"),
    "row is another": (lambda s: change_row(s, id=ServiceId("new")), "not the one"),
    "force-down lifted": (lambda s: change_row(s, forced_down=False), "not forced down"),
    "enabled": (lambda s: change_row(s, enabled=True), "our marker"),
    "another marker": (lambda s: change_row(s, disabled_reason="Masakari"), "our marker"),
    "row went back": (older_row, "was changed"),
    "row vanished": (
        lambda s: setattr(s, "world", replace(s.world, services={})),
        "not the one",
    ),
}


def test_a_proof_that_stands() -> None:
    assert why(proven()) is None


@pytest.mark.parametrize("case", VOID)
def test_each_thing_that_makes_a_proof_void(case: str) -> None:
    spoil, words = VOID[case]
    scene = proven()
    spoil(scene)
    assert words in (why(scene) or "it is not void")


def test_a_reading_may_be_ten_seconds_old() -> None:
    assert why(proven().set_power("h1", readings((9.9, OFF)))) is None


def test_life_from_before_the_proof_is_none() -> None:
    """The proof is 22 s old."""
    scene = proven().set_probe("h1", probe("h1", 22))
    scene.set_power("h1", readings((30, ON), (3, OFF)))
    track = scene.world.services[H1]
    life = signs_of_life(
        scene.the_incident(),
        probe=scene.world.probes[H1],
        power=scene.world.power[H1],
        service=track.service,
        elsewhere=None,
    )
    assert life is None


def test_a_change_of_the_row_by_somebody_is_no_heartbeat() -> None:
    scene = proven()
    heartbeat_after(scene)
    change_row(scene, forced_down=False)
    assert "not forced down" in (why(scene) or "")


def test_what_is_found_off_and_what_we_switched_off() -> None:
    scene = Scene().incident(age_s=30)
    found = find_proof(scene.the_incident(), OFF_THRICE, None)
    assert found is not None
    assert found.kind is ProofKind.FOUND_OFF
    scene.intend(FenceOff(id=CommandId("f"), incident=INCIDENT, host=H1), 8)
    ours = find_proof(scene.the_incident(), OFF_THRICE, scene.state.fences[H1])
    assert ours is not None
    assert ours.kind is ProofKind.FENCED_OFF


def test_what_was_read_before_our_off_is_no_proof_after_it() -> None:
    scene = Scene().incident(age_s=30)
    scene.intend(FenceOff(id=CommandId("f"), incident=INCIDENT, host=H1), 5)
    assert find_proof(scene.the_incident(), OFF_THRICE, scene.state.fences[H1]) is None


def test_a_new_fence_forgets_the_old_proof() -> None:
    scene = proven()
    for to in (IncidentState.SOURCE_BACK, IncidentState.FENCING):
        scene.tell(1, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    assert scene.the_incident().proof is None
    assert scene.the_incident().isolation is None
    assert "no proof" in (why(scene) or "")


def test_a_remembered_proof_of_an_earlier_boot_is_older_than_any_life_now() -> None:
    scene = proven()
    incident = scene.the_incident()
    assert incident.proof is not None
    earlier = replace(incident.proof.at, boot_id="before", wall=ago(-3600).wall)
    with_proof = replace(incident, proof=replace(incident.proof, at=earlier))
    life = signs_of_life(with_proof, probe=probe("h1"), power=None, service=None, elsewhere=None)
    assert life is not None
