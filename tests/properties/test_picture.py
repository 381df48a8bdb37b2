"""Leaving calm hosts alone changes nothing: no verdict, no decision, no reading that is ordered.

The same facts are looked at twice after each step, anew and upon what was seen before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from koboshi.domain.decide import decide
from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import (
    ComputeService,
    Hypervisor,
    NetworkAgent,
    Power,
    ProbeAnswer,
    Sample,
)
from koboshi.domain.facts.world import MigrationsRead
from koboshi.domain.instant import Instant
from koboshi.domain.interest import interest_of
from koboshi.domain.judging.evidence import PowerReading
from koboshi.domain.judging.verdict import Judgement
from koboshi.domain.memory.state import State, apply
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName, ServiceId
from koboshi.domain.picture import take_picture
from koboshi.domain.rules import Mode, Rules
from koboshi.engine.whiteboard import Whiteboard
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import at, evacuation_record

T = TypeVar("T")

STORAGE = NetworkName("storage")
HOSTS = tuple(HostName(f"h{n}") for n in range(1, 4))
RULES = Rules(
    mode=Mode.ACT,
    install="test",
    probe_warm_up=timedelta(seconds=4),
    new_evidence=timedelta(seconds=12),
    incident_memory=timedelta(seconds=60),
    latch=timedelta(seconds=20),
)
ROWS = ("beats", "late", "gone", "cell_down", "disabled")


@dataclass(frozen=True, kw_only=True)
class Services:
    """Nova's services are read."""

    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The hosts are probed; None is one that is not."""

    answers: tuple[ProbeAnswer | None, ...]
    network: NetworkName = MANAGEMENT


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Neutron's agents are read."""

    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Prometheus is asked; which hosts have a new sample."""

    new: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Kdump:
    """A host's kernel says that it crashed."""

    host: HostName
    authenticated: bool


@dataclass(frozen=True, kw_only=True)
class PowerRead:
    """A host's power is read."""

    host: HostName
    power: Power


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something else: hosts are excluded, records listed, our own loop stands still."""

    what: str


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Time passes; while all is well, all hosts answer and report meanwhile."""

    for_s: float
    all_is_well: bool


Happening = Services | Probes | Agents | Samples | Kdump | PowerRead | Change | Wait


def of_each(what: Sequence[T]) -> st.SearchStrategy[tuple[T, ...]]:
    """Return something of each host; most of them are well."""
    return st.tuples(*[st.sampled_from((what[0],) * len(what) + tuple(what))] * len(HOSTS))


WELL_REPORTED = Services(rows=("beats",) * len(HOSTS))
WELL_PROBED = Probes(answers=(ProbeAnswer.USERLAND,) * len(HOSTS))
happening: st.SearchStrategy[Happening] = st.one_of(
    st.builds(Wait, for_s=st.sampled_from((2, 6, 12)), all_is_well=st.just(True)),
    st.builds(
        Wait,
        for_s=st.sampled_from((0.2, 1.0, 2.8, 3.0, 3.2, 5.8, 6.0, 10.0, 61.0, 13 * 3600.0)),
        all_is_well=st.booleans(),
    ),
    st.builds(Services, rows=of_each(ROWS)),
    st.builds(Probes, answers=of_each((*ProbeAnswer, None))),
    st.builds(Probes, answers=of_each((*ProbeAnswer, None)), network=st.just(STORAGE)),
    st.builds(Agents, rows=of_each(("beats", "late", "gone"))),
    st.builds(Samples, new=of_each((True, False))),
    st.builds(Kdump, host=st.sampled_from(HOSTS), authenticated=st.booleans()),
    st.builds(PowerRead, host=st.sampled_from(HOSTS), power=st.sampled_from(Power)),
    st.builds(
        Change, what=st.sampled_from(("excluded", "protected", "record", "no_record", "gap"))
    ),
)


class Course:
    """Facts and memory, step by step."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.board = Whiteboard(at(0), fenced=frozenset(HOSTS[:2]))
        self.state = State(starts=2)
        self.beats = dict.fromkeys(HOSTS, 0.0)
        self.reports = dict.fromkeys(HOSTS, 0.0)
        self.seen: Picture | None = None
        self.journal_works = True
        self.protect(HOSTS)

    def protect(self, hosts: tuple[HostName, ...]) -> None:
        rows = [
            Hypervisor(id=h, host=h, hypervisor_hostname=h, type="QEMU", address=h) for h in HOSTS
        ]
        self.board.see_hypervisors(rows, frozenset(hosts))

    def row(self, host: HostName, how: str) -> ComputeService:
        if how == "cell_down":
            return ComputeService(host=host, binary="nova-compute")
        if how == "beats":
            self.beats[host] = self.elapsed_s
        return ComputeService(
            host=host,
            binary="nova-compute",
            id=ServiceId(host),
            up=True,
            enabled=how != "disabled",
            updated_at=BEGINNING + timedelta(seconds=self.beats[host]),
        )

    def happen(self, what: Happening) -> None:
        now = at(self.elapsed_s)
        match what:
            case Services():
                rows = [self.row(h, w) for h, w in zip(HOSTS, what.rows, strict=True)]
                listed = [r for r, w in zip(rows, what.rows, strict=True) if w != "gone"]
                self.board.see_services(listed, now, now)
            case Probes():
                for host, answer in zip(HOSTS, what.answers, strict=True):
                    if answer is not None:
                        target = f"ssh:22@{host}"
                        self.board.see_probe(host, answer, now, target, what.network)
            case Agents():
                self.read_agents(what, now)
            case Samples():
                new = [h for h, is_new in zip(HOSTS, what.new, strict=True) if is_new]
                stamp = BEGINNING + timedelta(seconds=self.elapsed_s)
                self.board.see_samples(
                    [Sample(host=h, stamp=stamp, age=timedelta(seconds=2)) for h in new], now
                )
            case Kdump():
                self.board.see_kdump(what.host, now, authenticated=what.authenticated)
            case PowerRead():
                self.board.see_power(what.host, PowerReading(at=now, power=what.power))
            case Wait():
                self.pass_time(what)
            case Change():
                self.change(what.what, now)

    def change(self, what: str, now: Instant) -> None:
        if what == "gap":
            self.board.begin_anew(now)
        elif what in {"excluded", "protected"}:
            self.protect(HOSTS[1:] if what == "excluded" else HOSTS)
        else:
            records = (evacuation_record(),) if what == "record" else ()
            read = MigrationsRead(at=now, records=records, unbroken_since=now)
            self.board.world = replace(self.board.world, evacuations=read)

    def read_agents(self, what: Agents, now: Instant) -> None:
        for host, how in zip(HOSTS, what.rows, strict=True):
            if how == "beats":
                self.reports[host] = self.elapsed_s
        rows = [
            NetworkAgent(
                id=f"ovs-{h}",
                host=h,
                binary="neutron-openvswitch-agent",
                heartbeat_at=BEGINNING + timedelta(seconds=self.reports[h]),
            )
            for h, how in zip(HOSTS, what.rows, strict=True)
            if how != "gone"
        ]
        self.board.see_agents(rows, now, now)

    def pass_time(self, wait: Wait) -> None:
        if not wait.all_is_well or wait.for_s > 60:
            self.elapsed_s += wait.for_s
            return
        for second in range(int(wait.for_s)):
            if second % 5 == 0:
                self.happen(WELL_REPORTED)
            self.happen(WELL_PROBED)
            if self.elapsed_s > 30:
                self.happen(replace(WELL_PROBED, network=STORAGE))
                self.happen(Samples(new=(True,) * len(HOSTS)))
            self.elapsed_s += 1
            self.look_twice()

    def look(self, before: Picture | None) -> Picture:
        return take_picture(self.board.world, self.state, RULES, at(self.elapsed_s), before)

    def look_twice(self) -> None:
        """Hold what is seen upon the last look to what is seen anew, until nothing more follows."""
        for _ in range(6):
            fresh, seen = self.look(None), self.look(self.seen)
            self.seen = seen
            assert verdicts(fresh) == verdicts(seen)
            assert list(fresh.judgements) == list(seen.judgements)
            assert fresh.restless == seen.restless
            everyone = replace(fresh, restless=tuple(fresh.judgements))
            decision = decide(everyone)
            assert decision == decide(fresh) == decide(seen)
            assert interest_of(everyone) == interest_of(fresh) == interest_of(seen)
            if not decision.events or not self.journal_works:
                break
            for event in decision.events:
                self.state = apply(self.state, fresh.now, event)


def verdicts(picture: Picture) -> list[Judgement]:
    """Return every judgement but for its words: those of a calm host tell older ages."""
    return [replace(j, reasons=(), testimony=()) for j in picture.judgements.values()]


READ_OFF_AND_ON_AGAIN: list[tuple[Happening, bool]] = [
    (PowerRead(host=HostName("h2"), power=Power.OFF), False),
    (Wait(for_s=2, all_is_well=True), False),
    (Wait(for_s=2, all_is_well=True), False),
    (PowerRead(host=HostName("h2"), power=Power.ON), False),
]
"""A device is quarantined for an *off* that the host's answers surround, on by now or not."""


@settings(max_examples=100)
@given(st.lists(st.tuples(happening, st.booleans()), max_size=30))
@example(READ_OFF_AND_ON_AGAIN)
def test_what_is_left_alone_would_not_have_mattered(
    happenings: list[tuple[Happening, bool]],
) -> None:
    course = Course()
    course.pass_time(Wait(for_s=25, all_is_well=True))
    for what, journal_works in happenings:
        course.journal_works = journal_works
        course.happen(what)
        course.look_twice()
