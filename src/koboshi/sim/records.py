"""Nova's migration records, found without looking at all of them."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from koboshi.domain.facts.cloud import Migration
from koboshi.domain.names import HostName, MigrationId, ServerId

NAMES = uuid.UUID("0b9a1f6c-5c0e-4a53-8d36-3f1f6f0a7c21")


class Records:
    """The table, oldest first, with its indices."""

    def __init__(self) -> None:
        self._rows: dict[MigrationId, Migration] = {}
        self._of_server: dict[ServerId, list[MigrationId]] = {}
        self._from_host: dict[HostName, list[MigrationId]] = {}

    def __iter__(self) -> Iterator[Migration]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, row: Migration) -> None:
        """Add a record."""
        self._rows[row.id] = row
        self._of_server.setdefault(row.server, []).append(row.id)
        if row.source is not None:
            self._from_host.setdefault(row.source, []).append(row.id)

    def extend(self, rows: Iterable[Migration]) -> None:
        """Add several."""
        for row in rows:
            self.append(row)

    def next_id(self) -> MigrationId:
        """Return an identifier that no record has."""
        return MigrationId(str(uuid.uuid5(NAMES, str(len(self._rows) + 1))))

    def get(self, record: MigrationId) -> Migration:
        """Return one record; raises KeyError without it."""
        return self._rows[record]

    def put(
        self, record: MigrationId, status: str, at: datetime, to: HostName | None = None
    ) -> None:
        """Change a record's status, and its destination if given."""
        row = self._rows[record]
        self._rows[record] = replace(
            row, status=status, destination=to or row.destination, updated_at=at
        )

    def of(self, server: ServerId) -> list[Migration]:
        """Return a server's records, oldest first."""
        return [self._rows[i] for i in self._of_server.get(server, ())]

    def evacuations_from(self, host: HostName) -> list[Migration]:
        """Return the evacuation records with this source, oldest first."""
        found = (self._rows[i] for i in self._from_host.get(host, ()))
        return [r for r in found if r.is_evacuation]

    def matching(self, source: HostName | None, server: ServerId | None) -> list[Migration]:
        """Return the records of a source, a server, both, or all, oldest first."""
        if server is not None:
            return [r for r in self.of(server) if source is None or r.source == source]
        if source is not None:
            return [self._rows[i] for i in self._from_host.get(source, ())]
        return list(self._rows.values())
