"""The newest facts: what a gap of our own discards, and which answers come too late."""

from datetime import timedelta

from koboshi.domain.facts.cloud import ComputeService, Hypervisor, Power, ProbeAnswer
from koboshi.domain.judging.evidence import PowerReading
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


def test_a_round_of_probes_is_taken_in_at_once() -> None:
    """One copy of the picture for a round, not one for each answer."""
    facts = board()
    before = facts.world.probes
    for host in ("h1", "h2", "h3"):
        facts.see_probe(HostName(host), ProbeAnswer.USERLAND, at(1), f"ssh:22@{host}")
    first = facts.world
    assert facts.world is first
    assert set(first.probes) == {"h1", "h2", "h3"}
    assert not before


def test_two_answers_of_one_host_before_the_next_look_both_count() -> None:
    facts = board()
    facts.see_probe(H1, ProbeAnswer.USERLAND, at(1), "ssh:22@h1")
    facts.see_probe(H1, ProbeAnswer.SILENT, at(2), "ssh:22@h1")
    track = facts.world.probes[H1]
    assert (track.userland_at, track.silent_since) == (at(1), at(2))


def test_a_gap_discards_answers_that_nobody_looked_at_yet() -> None:
    facts = board()
    facts.see_probe(H1, ProbeAnswer.SILENT, at(1), "ssh:22@h1")
    facts.begin_anew(at(9))
    assert not facts.world.probes


def test_a_host_without_a_hypervisor_is_noticed() -> None:
    facts = board()
    assert facts.knows_all_hypervisors()
    facts.see_services([row(1), row(1, "h2")], at(1), at(0))
    assert not facts.knows_all_hypervisors()
    hypervisors = [
        Hypervisor(id=h, host=HostName(h), hypervisor_hostname=h, type="QEMU") for h in ("h1", "h2")
    ]
    facts.see_hypervisors(hypervisors, frozenset())
    assert facts.knows_all_hypervisors()
