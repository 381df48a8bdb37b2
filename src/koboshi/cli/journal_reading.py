"""The journal's own answers, for when no daemon gives any."""

from pathlib import Path

import anyio

from koboshi.adapters.clock import SystemClock
from koboshi.adapters.journal.reader import SqlJournalReader
from koboshi.api.build import incident_detail, incidents_of, status_of_journal
from koboshi.api.lookup import find_incident
from koboshi.api.timeline import read_all
from koboshi.api.views import IncidentDetail, IncidentView, StatusView
from koboshi.domain.memory.state import fold
from koboshi.ports.journal import Recorded


class JournalReading:
    """The whole journal, read once; raises JournalError where it cannot be."""

    def __init__(self, path: Path) -> None:
        self._recorded = anyio.run(_read, path)
        self._state = fold((record.at, record.event) for record in self._recorded)

    def status(self) -> StatusView:
        """Return the overview, as far as a journal has one."""
        return status_of_journal(self._state, SystemClock().now())

    def incidents(self) -> list[IncidentView]:
        """Return all incidents, newest first."""
        return incidents_of(self._state)

    def incident(self, wanted: str) -> IncidentDetail:
        """Return one incident by its id, the beginning of it, or `last`."""
        incident = find_incident(self._state, wanted)
        return incident_detail(incident, self._state, self._recorded, None, acts=False)


async def _read(path: Path) -> tuple[Recorded, ...]:
    async with await SqlJournalReader.open_to_read(path) as journal:
        return await read_all(journal)
