"""A simulated cloud that tells its course, where the real one can only be sampled."""

import time
from collections.abc import Iterable
from typing import Any

from koboshi.domain.facts.cloud import Migration, Server
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host


class TellingCloud(SimCloud):
    """Writes down each state that a server and its records go through.

    The lab can only be sampled. Here a state may be shorter than a sample takes on a busy machine;
    so the course is told, and what is sampled over HTTP is held to it.
    """

    def __init__(self, hosts: Iterable[Host], **more: Any) -> None:
        super().__init__(hosts, **more)
        self.told: dict[tuple[str, str], list[tuple[float, Any]]] = {}

    def _tell(self, what: str, server: ServerId, state: list[Any]) -> None:
        self.told.setdefault((what, server), []).append((time.monotonic(), state))

    def change(self, server: ServerId, **changes: Any) -> Server:
        """Tell how it is now."""
        row = super().change(server, **changes)
        state = [row.status, row.vm_state, row.task_state, row.power_state, row.host]
        self._tell("server", server, state)
        return row

    def set_record(self, record: MigrationId, status: str, to: HostName | None = None) -> None:
        """Tell how the records of its server are now."""
        super().set_record(record, status, to)
        self._tell_records(self.record(record).server)

    def new_record(
        self,
        server: Server,
        kind: str,
        destination: HostName | None,
        status: str = "accepted",
    ) -> Migration:
        """Tell that there is one more."""
        record = super().new_record(server, kind, destination, status)
        self._tell_records(server.id)
        return record

    def _tell_records(self, server: ServerId) -> None:
        found = self.records_of(server)
        self._tell("records", server, [[r.status, r.destination] for r in found])
