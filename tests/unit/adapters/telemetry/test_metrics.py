"""The numbers for Prometheus."""

import math
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from koboshi import __version__
from koboshi.adapters.telemetry.metrics import Metrics, Witness
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.commands import Evacuate, FenceOff, Isolate, Outcome
from koboshi.domain.memory.events import CommandEnded, CommandIntended, HostFoundDown
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId, ServiceId
from koboshi.domain.rules import Mode

HOST, INCIDENT = HostName("host-1"), IncidentId("i-1")
FENCE = FenceOff(id=CommandId("c-1"), incident=INCIDENT, host=HOST)
ISOLATE = Isolate(
    id=CommandId("c-2"), incident=INCIDENT, host=HOST, service=ServiceId("sv"), marker="m"
)
EVACUATE = Evacuate(
    id=CommandId("c-3"),
    incident=INCIDENT,
    host=HOST,
    server=ServerId("s-1"),
    destination=HostName("host-2"),
    rebuilds=False,
    known_records=frozenset(),
    baseline=None,
)

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Return what Prometheus would read, by name and label values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name.startswith("koboshi_")
    }


def test_everything_is_there_from_the_start() -> None:
    found = samples(Metrics())
    counters = {name for name, _ in found if name.endswith("_total")}
    assert counters == {
        "koboshi_evacuations_attempted_total",
        "koboshi_evacuations_failed_total",
        "koboshi_fences_attempted_total",
        "koboshi_fences_failed_total",
        "koboshi_api_requests_total",
        "koboshi_api_requests_failed_total",
        "koboshi_notices_dropped_total",
        "koboshi_journal_events_total",
    }
    assert {found[name, ()] for name in counters} == {0}
    assert found["koboshi_acting", ()] == 0
    assert {found["koboshi_hosts", (one,)] for one in Verdict} == {0}
    assert {found["koboshi_incidents", (one,)] for one in IncidentState} == {0}
    assert {found["koboshi_mode", (one,)] for one in Mode} == {0}
    assert not [name for name, _ in found if name.endswith("_created")]
    (build,) = [labels for name, labels in found if name == "koboshi_build_info"]
    assert __version__ in build


def test_never_seen_is_infinitely_old() -> None:
    metrics = Metrics()
    assert {samples(metrics)["koboshi_evidence_age_seconds", (one,)] for one in Witness} == {
        math.inf
    }
    metrics.evidence_age(Witness.NOVA, timedelta(milliseconds=1_500))
    assert samples(metrics)["koboshi_evidence_age_seconds", ("nova",)] == 1.5


def test_gauges_follow_what_is_so_now() -> None:
    metrics = Metrics()
    metrics.acting(is_acting=True)
    metrics.mode(Mode.ACT)
    metrics.hosts({Verdict.UP: 3, Verdict.SUSPECT: 1})
    metrics.hosts({Verdict.UP: 4})
    metrics.incidents({IncidentState.RECOVERING: 1})
    found = samples(metrics)
    assert found["koboshi_acting", ()] == 1
    assert (found["koboshi_mode", ("act",)], found["koboshi_mode", ("observe",)]) == (1, 0)
    assert (found["koboshi_hosts", ("up",)], found["koboshi_hosts", ("suspect",)]) == (4, 0)
    assert found["koboshi_incidents", ("recovering",)] == 1


def test_attempts_and_failures_are_counted_from_the_journal() -> None:
    metrics = Metrics()
    metrics.journalled([HostFoundDown(host=HOST)])
    metrics.journalled([CommandIntended(command=one) for one in (FENCE, ISOLATE, EVACUATE)])
    metrics.journalled(
        [
            CommandEnded(command=FENCE.id, outcome=Outcome.FAILED),
            CommandEnded(command=ISOLATE.id, outcome=Outcome.FAILED),
            CommandEnded(command=EVACUATE.id, outcome=Outcome.DONE),
        ]
    )
    found = samples(metrics)
    assert found["koboshi_journal_events_total", ()] == 7
    assert found["koboshi_fences_attempted_total", ()] == 1
    assert found["koboshi_fences_failed_total", ()] == 1
    assert found["koboshi_evacuations_attempted_total", ()] == 1
    assert found["koboshi_evacuations_failed_total", ()] == 0


def test_the_end_of_an_earlier_lifes_command_is_counted() -> None:
    metrics = Metrics()
    metrics.resume([EVACUATE])
    metrics.journalled([CommandEnded(command=EVACUATE.id, outcome=Outcome.REFUSED)])
    found = samples(metrics)
    assert found["koboshi_evacuations_failed_total", ()] == 1
    assert found["koboshi_evacuations_attempted_total", ()] == 0
    metrics.journalled([CommandEnded(command=CommandId("unheard of"), outcome=Outcome.FAILED)])


def test_single_steps_count_one() -> None:
    metrics = Metrics()
    metrics.api_request(is_answered=True)
    metrics.api_request(is_answered=False)
    metrics.notice_dropped()
    found = samples(metrics)
    assert found["koboshi_api_requests_total", ()] == 2
    assert found["koboshi_api_requests_failed_total", ()] == 1
    assert found["koboshi_notices_dropped_total", ()] == 1


def test_two_in_one_process_do_not_meet() -> None:
    first, second = Metrics(), Metrics()
    first.api_request(is_answered=True)
    assert samples(second)["koboshi_api_requests_total", ()] == 0
