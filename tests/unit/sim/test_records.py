"""Migration records are found by server, by source, and by both, oldest first."""

from datetime import UTC, datetime

from koboshi.domain.facts.cloud import Migration
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim.records import Records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, H1, H2 = ServerId("a"), ServerId("b"), HostName("h1"), HostName("h2")


def record(number: int, server: ServerId, source: HostName, kind: str = "evacuation") -> Migration:
    return Migration(
        id=MigrationId(f"record-{number}"),
        server=server,
        source=source,
        destination=None,
        status="accepted",
        type=kind,
        created_at=NOW,
    )


def test_records_are_found_by_what_they_name() -> None:
    table = Records()
    table.extend(
        [record(1, A, H1), record(2, B, H1, "live-migration"), record(3, A, H2), record(4, A, H1)]
    )
    assert [r.id for r in table.of(A)] == ["record-1", "record-3", "record-4"]
    assert [r.id for r in table.matching(H1, A)] == ["record-1", "record-4"]
    assert [r.id for r in table.matching(H1, None)] == ["record-1", "record-2", "record-4"]
    assert [r.id for r in table.evacuations_from(H1)] == ["record-1", "record-4"]
    assert len(table.matching(None, None)) == len(table) == 4
    assert table.next_id() not in {r.id for r in table}


def test_a_change_keeps_the_destination_unless_it_names_one() -> None:
    table = Records()
    table.append(record(1, A, H1))
    table.put(MigrationId("record-1"), "pre-migrating", NOW, H2)
    table.put(MigrationId("record-1"), "done", NOW)
    row = table.get(MigrationId("record-1"))
    assert (row.status, row.destination, row.updated_at) == ("done", H2, NOW)
