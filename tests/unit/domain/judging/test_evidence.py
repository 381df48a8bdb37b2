"""What the witnesses said, reduced: heartbeats by their change, silence by its length, off by three."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from koboshi.domain.facts.cloud import ComputeService, Power, ProbeAnswer
from koboshi.domain.facts.device import BMC, OUTLETS
from koboshi.domain.judging.evidence import (
    READINGS_REMEMBERED,
    Heartbeat,
    PowerReading,
    PowerTrack,
    ProbeTrack,
    beats_while_off,
    distrusting,
    machine_on,
    observe_power,
    observe_probe,
    observe_service,
    off_proven_at,
)
from koboshi.domain.names import HostName
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import at, heartbeat, readings

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN
ROW = ComputeService(host=HostName("h1"), binary="nova-compute", up=True)


def row_at(nova_s: float, **more: object) -> ComputeService:
    stamp: datetime = BEGINNING + timedelta(seconds=nova_s)
    return replace(ROW, updated_at=stamp, **more)  # type: ignore[arg-type] - fields by name


def watched(*rows: tuple[float, ComputeService]) -> Heartbeat:
    track: Heartbeat | None = None
    for seen_s, row in rows:
        track = observe_service(track, row, at(seen_s), asked_at=at(seen_s))
    assert track is not None
    return track


def test_a_heartbeat_is_a_change_that_was_seen() -> None:
    track = watched((0, row_at(1)), (5, row_at(1)), (10, row_at(11)), (15, row_at(11)))
    assert track.advanced_at == at(10)
    assert track.intervals == ()
    assert watched((0, row_at(1))).advanced_at is None


def test_intervals_are_learned_from_the_second_change_on() -> None:
    track = watched((0, row_at(1)), (5, row_at(95)), (10, row_at(105)), (20, row_at(115)))
    assert track.interval == timedelta(seconds=10)


@pytest.mark.parametrize(
    "edit", [{"enabled": False}, {"disabled_reason": "anna"}, {"forced_down": True}]
)
def test_a_change_that_comes_with_an_edit_is_no_heartbeat(edit: dict[str, object]) -> None:
    track = watched((0, row_at(1)), (5, row_at(11)), (60, row_at(60, **edit)))
    assert track.advanced_at == at(5)
    assert track.read_at == at(60)


def test_a_row_that_goes_back_in_time_is_no_heartbeat() -> None:
    assert watched((0, row_at(10)), (5, row_at(20)), (9, row_at(15))).advanced_at == at(5)


def test_nova_never_speaks_of_our_time() -> None:
    """The same changes, an hour apart by Nova's clock: the same ages by ours."""
    here = watched((0, row_at(1)), (5, row_at(11)))
    there = watched((0, row_at(3601)), (5, row_at(3611)))
    assert here.advanced_at == there.advanced_at


def probed(*answers: tuple[float, ProbeAnswer]) -> ProbeTrack:
    track: ProbeTrack | None = None
    for seen_s, answer in answers:
        track = observe_probe(track, answer, at(seen_s), "ssh:22@h1")
    assert track is not None
    return track


def test_silence_begins_with_the_first_unanswered_probe() -> None:
    track = probed((0, ProbeAnswer.USERLAND), (1, ProbeAnswer.SILENT), (2, ProbeAnswer.SILENT))
    assert track.silent_since == at(1)
    assert track.userland_at == track.kernel_at == at(0)


def test_a_kernel_that_answers_ends_the_silence_and_is_no_userland() -> None:
    track = probed((0, ProbeAnswer.USERLAND), (1, ProbeAnswer.SILENT), (2, ProbeAnswer.KERNEL))
    assert track.silent_since is None
    assert (track.userland_at, track.kernel_at) == (at(0), at(2))


def test_a_lost_packet_does_not_end_a_run_of_answers_but_silence_does() -> None:
    lost = probed((0, ProbeAnswer.USERLAND), (10, ProbeAnswer.SILENT), (11, ProbeAnswer.USERLAND))
    assert lost.answering_since == at(0)
    dark = probed((0, ProbeAnswer.USERLAND), (10, ProbeAnswer.SILENT), (16, ProbeAnswer.SILENT))
    assert dark.answering_since is None


def test_what_another_address_answered_is_forgotten() -> None:
    track = observe_probe(None, ProbeAnswer.USERLAND, at(0), "ssh:22@old")
    track = observe_probe(track, ProbeAnswer.SILENT, at(1), "ssh:22@new")
    assert (track.kernel_at, track.answering_since) == (None, None)


@pytest.mark.parametrize(
    ("reads", "since", "proven_at"),
    [
        ([(0, OFF), (2, OFF), (4, OFF)], None, 4),
        ([(0, OFF), (2, OFF)], None, None),
        ([(0, OFF), (1, OFF), (2, OFF)], None, None),
        ([(0, OFF), (1, OFF), (2, OFF), (3, OFF), (4, OFF)], None, 4),
        ([(0, OFF), (1.9, OFF), (3.8, OFF)], None, None),
        ([(0, OFF), (2, ON), (4, OFF), (6, OFF)], None, None),
        ([(0, OFF), (2, UNKNOWN), (4, OFF), (6, OFF)], None, None),
        ([(0, OFF), (2, UNKNOWN), (4, OFF), (6, OFF), (8, OFF)], None, 8),
        ([(0, OFF), (2, OFF), (4, OFF), (6, ON)], None, None),
        ([(0, OFF), (2, OFF), (4, OFF), (6, UNKNOWN)], None, None),
        ([(0, OFF), (2, OFF), (4, OFF), (6, OFF)], None, 4),
        ([(0, OFF), (2, OFF), (4, OFF)], 1, None),
        ([(0, OFF), (2, OFF), (4, OFF), (6, OFF)], 1, 6),
        ([(0, OFF), (2, OFF), (4, OFF)], 0, None),
        ([(0, OFF), (2, OFF), (4, OFF)], 5, None),
        ([], None, None),
    ],
)
def test_proof_is_three_readings_two_seconds_apart_after_our_command(
    reads: list[tuple[float, Power]], since: float | None, proven_at: float | None
) -> None:
    track: PowerTrack | None = None
    for seen_s, power in reads:
        track = observe_power(track, PowerReading(at=at(seen_s), power=power))
    found = off_proven_at(track, since=None if since is None else at(since))
    assert found == (None if proven_at is None else at(proven_at))


def test_readings_are_remembered_up_to_a_bound() -> None:
    track: PowerTrack | None = None
    for seen_s in range(100):
        track = observe_power(track, PowerReading(at=at(seen_s), power=OFF))
    assert track is not None
    assert len(track.readings) == READINGS_REMEMBERED
    assert track.newest.at == at(99)


def test_off_for_long_while_heartbeats_go_on_is_a_contradiction() -> None:
    off = readings((20, OFF), (10, OFF), (1, OFF))
    assert beats_while_off(heartbeat("h1", 2), off)
    assert not beats_while_off(heartbeat("h1", 15), off)
    assert not beats_while_off(heartbeat("h1", None), off)
    assert not beats_while_off(heartbeat("h1", 2), readings((20, OFF), (1, ON)))


def told(*of: tuple[Power, str]) -> PowerTrack:
    track = None
    for number, (power, device) in enumerate(of):
        track = observe_power(track, PowerReading(at=at(2.0 * number), power=power, device=device))
    assert track is not None
    return track


def test_fed_outlets_say_nothing_of_a_machine_whose_bmc_read_off() -> None:
    gap = [(Power.ON, OUTLETS)] * 20  # longer than readings are remembered
    assert list(machine_on(told((OFF, BMC), *gap))) == []


@pytest.mark.parametrize(
    "of",
    [
        [(Power.ON, OUTLETS)],
        [(Power.ON, BMC), (Power.ON, OUTLETS)],
        [(OFF, BMC), (Power.ON, BMC)],
        [(OFF, BMC), (OFF, OUTLETS), (Power.ON, OUTLETS)],
    ],
    ids=["outlets alone", "after the bmc's on", "the bmc itself", "outlets that were off"],
)
def test_whatever_else_reads_on_says_so(of: list[tuple[Power, str]]) -> None:
    assert list(machine_on(told(*of)))[-1].power is Power.ON


def test_what_a_quarantined_bmc_read_hides_nothing() -> None:
    track = told((OFF, BMC), *[(Power.ON, OUTLETS)] * 20)
    assert list(machine_on(distrusting(track, {BMC})))
