"""The newest facts: what a gap of our own discards, and which answers come too late."""

from datetime import timedelta

from koboshi.domain.cloud import ComputeService, Power, ProbeAnswer
from koboshi.domain.evidence import PowerReading
from koboshi.domain.names import HostName, ServiceId
from koboshi.engine.whiteboard import Whiteboard
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import at, evacuation_record

H1 = HostName("h1")


def row(nova_s: float, host: str = "h1", binary: str = "nova-compute") -> ComputeService:
    return ComputeService(
        host=HostName(host),
        binary=binary,
        id=ServiceId(host),
        updated_at=BEGINNING + timedelta(seconds=nova_s),
    )


def board() -> Whiteboard:
    return Whiteboard(at(0), fenced=frozenset({H1}))


def test_a_gap_of_our_own_discards_all_silence_and_every_count() -> None:
    facts = board()
    for second in range(0, 60, 10):
        facts.see_services([row(second)], at(second + 1), at(second))
        facts.see_probe(H1, ProbeAnswer.SILENT, at(second), "ssh:22@h1")
        facts.see_records(H1, (evacuation_record(),), at(second))
    facts.see_power(H1, PowerReading(at=at(50), power=Power.OFF))
    facts.begin_anew(at(70))
    world = facts.world
    assert world.began_at == at(70)
    assert not world.probes
    assert not world.from_host
    assert world.services[H1].advanced_at is None
    assert world.services[H1].interval is None
    assert world.power[H1].newest.power is Power.OFF


def test_an_answer_that_was_overtaken_is_dropped() -> None:
    facts = board()
    facts.see_services([row(20)], at(3), at(2))
    facts.see_services([row(10)], at(4), at(1))
    assert facts.world.services[H1].service.updated_at == row(20).updated_at
    assert facts.world.services_read_at == at(3)


def test_a_row_that_vanished_keeps_its_old_reading() -> None:
    facts = board()
    facts.see_services([row(1), row(1, "h2")], at(1), at(0))
    facts.see_services([row(9, "h2")], at(9), at(8))
    assert facts.world.services[H1].read_at == at(1)
    assert facts.world.services_read_at == at(9)


def test_conductors_and_schedulers_are_told_from_computes() -> None:
    facts = board()
    rows = [row(1), row(1, "ctl", "nova-conductor"), row(1, "ctl", "nova-consoleauth")]
    facts.see_services(rows, at(1), at(0))
    assert set(facts.world.services) == {"h1"}
    assert set(facts.world.control) == {"nova-conductor@ctl"}


def test_reads_that_fail_are_counted_from_the_first() -> None:
    facts = board()
    facts.miss_services("500", at(5))
    facts.miss_services("500", at(9))
    assert facts.world.api.failing_since == at(5)
    facts.see_services([row(1)], at(12), at(11))
    assert facts.world.api.failing_since is None


def test_an_unbroken_run_of_record_reads_ends_with_the_first_that_fails() -> None:
    facts = board()
    for second in (1, 2, 3):
        facts.see_records(H1, (), at(second))
    read = facts.world.from_host[H1]
    assert (read.count, read.unbroken_since, read.at) == (3, at(1), at(3))
    facts.miss_records(H1)
    facts.see_records(H1, (), at(5))
    assert facts.world.from_host[H1].count == 1
    assert facts.world.from_host[H1].unbroken_since == at(5)
