"""Signs of a reboot that nobody missed: a gap that was seen, a new boot time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.alone.boots import BootTrack, observe_boot
from koboshi.domain.alone.reboots import is_gap, recent, why_rebooted
from koboshi.domain.facts.world import World
from koboshi.domain.judging.evidence import Heartbeat
from koboshi.domain.names import HostName
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, Scene, ago, heartbeat


def beat(silent_s: float, paused_s: float) -> tuple[Heartbeat, Heartbeat]:
    """Return a host's track before and after a heartbeat that came so long after the one before.

    The last read before it was `silent_s` after the newest heartbeat then known.
    """
    before = replace(heartbeat("h1", 60.0), asked_at=ago(60.0 - silent_s))
    stamp = before.service.updated_at
    assert stamp is not None
    row = replace(before.service, updated_at=stamp + timedelta(seconds=paused_s))
    return before, replace(before, service=row, advanced_at=ago(60.0 - paused_s))


@pytest.mark.parametrize(
    ("silent_s", "paused_s", "gap"),
    [
        (9.0, 10.0, False),
        (17.0, 19.9, False),
        (17.0, 20.0, True),
        (55.0, 58.0, True),
        (9.0, 40.0, False),  # we did not look meanwhile: the host need not have been silent
    ],
)
def test_a_gap_is_two_intervals_in_which_the_host_was_seen_to_be_silent(
    silent_s: float, paused_s: float, *, gap: bool
) -> None:
    assert is_gap(*beat(silent_s, paused_s)) is gap


def test_what_was_never_seen_to_beat_has_no_gap() -> None:
    before, after = beat(55.0, 58.0)
    assert not is_gap(None, after)
    assert not is_gap(replace(before, intervals=()), after)
    assert not is_gap(replace(before, advanced_at=None), after)


def test_a_boot_time_that_drifts_is_no_reboot() -> None:
    track = observe_boot(None, BEGINNING, ago(60))
    assert track.changed_at is None
    drifted = observe_boot(track, BEGINNING + timedelta(seconds=20), ago(50))
    assert drifted.changed_at is None
    assert observe_boot(track, BEGINNING - timedelta(hours=1), ago(50)).changed_at is None
    rebooted = observe_boot(track, BEGINNING + timedelta(minutes=5), ago(40))
    assert rebooted.changed_at == ago(40)
    assert observe_boot(rebooted, BEGINNING + timedelta(minutes=5), ago(30)).changed_at == ago(40)


def why(stopped_s: float, hosts: int = 6, **world: object) -> str | None:
    scene = Scene(hosts)
    seen: World = replace(scene.world, **world)  # type: ignore[arg-type] a test's own fields
    return why_rebooted(H1, ago(stopped_s), seen, scene.rules)


def boot(changed_s: float | None, read_s: float = 1.0) -> dict[HostName, BootTrack]:
    changed_at = None if changed_s is None else ago(changed_s)
    return {H1: BootTrack(booted=BEGINNING, read_at=ago(read_s), changed_at=changed_at)}


def test_a_stop_within_a_quarter_of_an_hour_of_a_sign_belongs_to_it() -> None:
    for sign_s in (60 + 899, 60, 60 - 59):
        assert "gap" in (why(60, gaps={H1: ago(sign_s)}) or "")
        assert "booted" in (why(60, boots=boot(sign_s)) or "")
    assert why(60, gaps={H1: ago(60 + 901)}) is None
    assert why(60, boots=boot(60 + 901)) is None
    assert why(60) is None
    assert why(60, gaps={HostName("h2"): ago(60)}) is None


def test_a_gap_of_many_hosts_is_their_control_planes() -> None:
    both = {H1: ago(60), HostName("h2"): ago(65)}
    assert why(50, gaps=both) is None
    assert why(50, hosts=30, gaps=both) is not None
    assert why(50, gaps={H1: ago(60), HostName("h2"): ago(600)}) is not None
    assert why(50, gaps=both, boots=boot(55)) is not None


def test_a_boot_time_that_stayed_speaks_against_a_gap() -> None:
    assert why(50, gaps={H1: ago(60)}, boots=boot(None)) is None
    assert why(50, gaps={H1: ago(60)}, boots=boot(None, read_s=70)) is not None


def test_signs_that_no_stop_can_belong_to_are_forgotten() -> None:
    signs = {H1: ago(1900), HostName("h2"): ago(100)}
    assert recent(signs, {}, ago(0)) == {HostName("h2"): ago(100)}
    kept = {H1: ago(100)}
    assert recent(kept, {}, ago(0)) is kept
