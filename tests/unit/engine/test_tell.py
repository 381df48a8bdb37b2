"""From events to notices: what is told, how urgently, under which key; and what is not."""

import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import (
    CommandEnded,
    DataLossCommitted,
    Event,
    HostFoundDown,
    HostNoticeCleared,
    HostNoticed,
    IncidentMoved,
    IncidentOpened,
    RecoveryMoved,
    WaitsForOthers,
    WitnessTrusted,
)
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.engine.tell import Teller
from koboshi.ports.journal import Recorded
from koboshi.ports.notify import Notice, Severity
from koboshi.sim.notifier import SimNotifier
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, INCIDENT, Scene, ago, candidate

A = ServerId("a")
I2 = IncidentId("h2-incident")


def scene() -> Scene:
    return Scene().recovering(candidate(server("a")), candidate(image_server("held")))


def told(event: Event, after: Scene | None = None) -> Notice | None:
    """Return the notice of an event; at most one."""
    notifier = SimNotifier()
    state = (after or scene()).state
    teller = Teller(notifier, "test")
    teller(Recorded(seq=7, at=ago(1), event=event), state)
    teller.flush()
    assert len(notifier.notices) <= 1
    return notifier.notices[0] if notifier.notices else None


def moved(to: RecoveryState) -> RecoveryMoved:
    return RecoveryMoved(incident=INCIDENT, server=A, to=to, reason="because")


@pytest.mark.parametrize(
    ("event", "severity", "words"),
    [
        (HostNoticed(host=H1, topic="hung", text="it hangs"), Severity.CRITICAL, "it hangs"),
        (HostNoticed(host=H1, topic="service_failed", text="x"), Severity.WARNING, "x"),
        (HostNoticeCleared(host=H1, topic="hung"), Severity.INFO, "over"),
        (HostFoundDown(host=H1), Severity.CRITICAL, "not recovered by itself"),
        (IncidentOpened(incident=INCIDENT, host=H1, evidence=("silent",)), Severity.CRITICAL, "h1"),
        (
            WaitsForOthers(
                incident=INCIDENT, server=A, awaits=(), without=("db",), reason="without db"
            ),
            Severity.WARNING,
            "server a: without db",
        ),
        (
            DataLossCommitted(incident=INCIDENT, server=A, disks=("root", "swap"), policy="rule"),
            Severity.CRITICAL,
            "server a is given up to its image",
        ),
    ],
)
def test_what_is_told_and_how_urgently(event: Event, severity: Severity, words: str) -> None:
    notice = told(event)
    assert notice is not None
    assert notice.severity is severity
    assert words in notice.summary
    assert notice.kind == event.kind
    assert notice.id == "test-7"


@pytest.mark.parametrize(
    "to",
    [
        RecoveryState.STUCK,
        RecoveryState.GIVEN_UP,
        RecoveryState.ORPHAN_SUSPECTED,
        RecoveryState.REFUSED,
        RecoveryState.FOREIGN,
    ],
)
def test_a_server_that_needs_a_person_is_told_by_name(to: RecoveryState) -> None:
    notice = told(moved(to))
    assert notice is not None
    assert notice.severity is Severity.CRITICAL
    assert "server a is" in notice.summary
    assert "because" in notice.summary
    assert (notice.host, notice.incident) == (H1, INCIDENT)


@pytest.mark.parametrize("to", [RecoveryState.QUEUED, RecoveryState.BUILDING, RecoveryState.DONE])
def test_what_goes_well_is_not_told_server_by_server(to: RecoveryState) -> None:
    assert told(moved(to)) is None


@pytest.mark.parametrize(
    "event",
    [
        WitnessTrusted(host=H1, target="ssh:22@h1"),
        CommandEnded(command=CommandId("c"), outcome=Outcome.DONE),
        WaitsForOthers(incident=INCIDENT, server=A, awaits=("db",), reason="it waits"),
        WaitsForOthers(incident=INCIDENT, server=A, awaits=(), reason="db is up"),
    ],
)
def test_what_only_the_timeline_needs_is_not_told(event: Event) -> None:
    assert told(event) is None


def test_a_settled_incident_counts_what_is_held_and_says_where_to_look() -> None:
    event = IncidentMoved(incident=INCIDENT, to=IncidentState.SETTLED, reason="all done")
    notice = told(event)
    assert notice is not None
    assert "1 " in notice.summary
    assert f"koboshi incident show {INCIDENT}" in notice.summary


def test_notices_of_one_matter_share_a_key() -> None:
    opened = told(IncidentOpened(incident=INCIDENT, host=H1, evidence=()))
    stuck = told(moved(RecoveryState.STUCK))
    begun = told(HostNoticed(host=H1, topic="hung", text="x"))
    over = told(HostNoticeCleared(host=H1, topic="hung"))
    other = told(HostNoticed(host=HostName("h2"), topic="hung", text="x"))
    assert opened is not None
    assert stuck is not None
    assert begun is not None
    assert over is not None
    assert other is not None
    assert opened.key == stuck.key
    assert begun.key == over.key
    assert len({opened.key, begun.key, other.key}) == 3
    assert I2 not in opened.key
