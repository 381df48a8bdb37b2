"""Brownout: when what Nova says of hosts is not theirs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.world import ApiHealth, ApiView
from koboshi.domain.judging.verdict import Control, Verdict
from koboshi.domain.memory.events import WitnessTrusted
from koboshi.domain.names import MANAGEMENT, THE_CELL, CellName, HostName
from koboshi.domain.restraint.brownout import Brownouts, why_api_unwell
from koboshi.domain.rules import Mode, Rules
from tests.fakes.scene import Scene, ago, heartbeat

RULES = Rules(mode=Mode.ACT)


def brownout(scene: Scene, cell: CellName = THE_CELL) -> str | None:
    return Brownouts(scene.world, scene.state, scene.rules, scene.now).of(cell)


def test_all_is_well() -> None:
    assert brownout(Scene()) is None
    assert brownout(Scene().dark()) is None


@pytest.mark.parametrize("binary", ["nova-conductor", "nova-scheduler"])
def test_a_conductor_or_scheduler_that_does_not_advance(binary: str) -> None:
    scene = Scene()
    name = f"{binary}@ctl"
    scene.world = replace(scene.world, control={**scene.world.control, name: heartbeat("ctl", 20)})
    assert f"{name} does not report either" in (brownout(scene) or "")


@pytest.mark.parametrize(("began_s", "unwell"), [(5, False), (61, True)])
def test_before_a_heartbeat_is_overdue_nobody_is_missed(began_s: float, *, unwell: bool) -> None:
    """Seen on the lab: each start held the brake for a minute, as no heartbeat was seen for 5 s."""
    scene = Scene(4)
    for number in range(1, 5):
        scene.set_heartbeat(f"h{number}", None)
    scene.world = replace(scene.world, began_at=ago(began_s), control={})
    assert (brownout(scene) == "no host's heartbeat advances") is unwell


def test_one_that_is_down_for_long_is_no_stall() -> None:
    scene = Scene()
    down = heartbeat("ctl", 200, up=False)
    scene.world = replace(scene.world, control={"nova-conductor@ctl": down})
    assert brownout(scene) is None


@pytest.mark.parametrize(
    ("hosts", "late", "unwell"),
    [(6, 1, False), (6, 2, True), (20, 1, False), (20, 2, True), (100, 5, False), (100, 6, True)],
)
def test_more_than_a_twentieth_of_those_that_answer_is_late(
    hosts: int, late: int, *, unwell: bool
) -> None:
    scene = Scene(hosts)
    for number in range(1, late + 1):
        scene.set_heartbeat(f"h{number}", 20)
    assert (brownout(scene) is not None) is unwell


@pytest.mark.parametrize(
    ("hosts", "late", "late_s", "unwell"),
    [
        (6, 2, 899, True),
        (6, 2, 901, False),
        (6, 3, 901, True),
        (50, 4, 901, False),
        (50, 5, 901, True),
    ],
)
def test_few_that_are_late_for_long_are_down_alone(
    hosts: int, late: int, late_s: float, *, unwell: bool
) -> None:
    """Seed 102478: two dead nova-computes of five held everything back for ever."""
    scene = Scene(hosts)
    scene.world = replace(scene.world, began_at=ago(5_000))
    for number in range(1, late + 1):
        scene.set_heartbeat(f"h{number}", late_s)
    assert (brownout(scene) is not None) is unwell


def test_what_was_late_before_we_looked_is_not_late_for_long() -> None:
    scene = Scene(6)
    scene.world = replace(scene.world, began_at=ago(60))
    for name in ("h1", "h2"):
        scene.set_heartbeat(name, 5_000)
    assert brownout(scene) == "2 of 6 hosts that answer report late (h1, h2)"


def test_another_that_is_late_just_now_does_not_make_it_a_brownout_again() -> None:
    scene = Scene(6)
    scene.world = replace(scene.world, began_at=ago(5_000))
    for name, late_s in (("h1", 2_000), ("h2", 2_000), ("h3", 20)):
        scene.set_heartbeat(name, late_s)
    assert brownout(scene) is None
    assert scene.judgement("h3").verdict is Verdict.SERVICE_FAILED
    scene.set_heartbeat("h4", 20)
    assert brownout(scene) == "2 of 4 hosts that answer report late (h3, h4)"


def test_then_no_late_heartbeat_speaks_against_its_host() -> None:
    scene = Scene(6).set_heartbeat("h1", 20)
    assert scene.judgement().verdict is Verdict.SERVICE_FAILED
    scene.set_heartbeat("h2", 20)
    assert scene.judgement().control is Control.DONT_KNOW
    assert scene.judgement().verdict is Verdict.UP


def test_those_that_do_not_answer_probes_are_no_brownout() -> None:
    scene = Scene(20).dark("h1").dark("h2").dark("h3")
    assert brownout(scene) is None


def test_late_hosts_that_are_known_do_not_count() -> None:
    scene = Scene(6).set_heartbeat("h1", 20)
    scene.set_heartbeat("h2", 20, enabled=False, disabled_reason="repair, anna")
    assert brownout(scene) is None


def test_a_row_that_vanished_freezes_the_cell() -> None:
    scene = Scene()
    old = replace(heartbeat("h2"), read_at=ago(20), asked_at=ago(20.1))
    scene.world = replace(scene.world, services={**scene.world.services, HostName("h2"): old})
    assert "h2 vanished" in (brownout(scene) or "")
    assert "vanished" in (scene.dark().picture().brake.why(HostName("h1")) or "")


@pytest.mark.parametrize(
    ("trusted_s", "began_s", "frozen"),
    [(100, 60, True), (100, 599, True), (100, 601, False), (86_500, 60, False)],
)
def test_a_row_that_was_gone_before_we_began_freezes_it_too(
    trusted_s: float, began_s: float, *, frozen: bool
) -> None:
    """For as long as one that vanishes under our eyes; whoever was deleted long ago does not."""
    scene = Scene()
    host = HostName("h9")
    scene.tell(trusted_s, WitnessTrusted(host=host, target="ssh:22@10.0.0.9", network=MANAGEMENT))
    scene.world = replace(scene.world, began_at=ago(began_s))
    assert ("h9" in (brownout(scene) or "")) is frozen


def test_a_row_that_reads_unknown_freezes_the_cell() -> None:
    assert "UNKNOWN of h2" in (brownout(Scene().set_heartbeat("h2", 14, up=None)) or "")


def test_another_cell_is_not_frozen() -> None:
    scene = Scene().set_heartbeat("h2", 14, up=None)
    cell = CellName("far")
    scene.world = replace(scene.world, cells={cell: frozenset({HostName("h2")})})
    assert brownout(scene) is None
    assert brownout(scene, cell) is not None


@pytest.mark.parametrize(("age_s", "unwell"), [(19.0, False), (21.0, True)])
def test_services_that_cannot_be_read(age_s: float, *, unwell: bool) -> None:
    scene = Scene()
    rows = {h: replace(t, read_at=ago(age_s)) for h, t in scene.world.services.items()}
    scene.world = replace(scene.world, services=rows, services_read_at=ago(age_s))
    assert (brownout(scene) is not None) is unwell


@pytest.mark.parametrize(
    ("health", "unwell"),
    [
        (ApiHealth(), False),
        (ApiHealth(asked=2, failed=2), False),
        (ApiHealth(asked=15, failed=3), False),
        (ApiHealth(asked=14, failed=3), True),
        (ApiHealth(asked=20, failed=0, p95_s=5.0), False),
        (ApiHealth(asked=20, failed=0, p95_s=5.1), True),
        (ApiHealth(asked=4, failed=0, p95_s=9.0), False),
    ],
)
def test_the_api_fails_or_is_slow(health: ApiHealth, *, unwell: bool) -> None:
    assert (why_api_unwell(health, RULES) is not None) is unwell
    scene = Scene()
    scene.world = replace(scene.world, api=ApiView(health=health))
    assert (brownout(scene) is not None) is unwell


def test_the_numbers_are_settings() -> None:
    rules = replace(RULES, api_error_percent=50, api_latency=timedelta(seconds=9))
    assert why_api_unwell(ApiHealth(asked=10, failed=4, p95_s=8.0), rules) is None
