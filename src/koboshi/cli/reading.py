"""Where `status` and `incident` read: from the daemon, or from the journal when none answers."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio

from koboshi.adapters.clock import SystemClock
from koboshi.adapters.journal.reader import SqlJournalReader
from koboshi.api.build import incident_detail, incidents_of, status_of_journal
from koboshi.api.lookup import find_incident
from koboshi.api.timeline import read_all
from koboshi.api.views import IncidentDetail, IncidentView, StatusView
from koboshi.cli.context import Context
from koboshi.client import ApiClient
from koboshi.domain.errors import DaemonUnreachable, JournalError, KoboshiError
from koboshi.domain.state import State, fold
from koboshi.ports.journal import Recorded
from koboshi.settings import Settings

T = TypeVar("T")


class Reading:
    """Answers from the daemon; from the journal, with a word about it, when none runs."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._has_warned = False

    def status(self) -> StatusView:
        """Return the overview."""
        return self._ask(
            lambda client: client.status(),
            lambda state, _: status_of_journal(state, SystemClock().now()),
        )

    def incidents(self) -> list[IncidentView]:
        """Return all incidents, newest first."""
        return self._ask(lambda client: client.incidents(), lambda state, _: incidents_of(state))

    def incident(self, wanted: str) -> IncidentDetail:
        """Return one incident by its id, the beginning of it, or `last`."""

        def from_journal(state: State, recorded: tuple[Recorded, ...]) -> IncidentDetail:
            incident = find_incident(state, wanted)
            return incident_detail(incident, state, recorded, None)

        return self._ask(lambda client: client.incident(wanted), from_journal)

    def _ask(
        self,
        from_daemon: Callable[[ApiClient], T],
        from_journal: Callable[[State, tuple[Recorded, ...]], T],
    ) -> T:
        try:
            with ApiClient(self._settings.socket_path) as client:
                return from_daemon(client)
        except DaemonUnreachable as error:
            recorded = self._journal(error)
        self._warn()
        return from_journal(fold((r.at, r.event) for r in recorded), recorded)

    def _journal(self, unreachable: DaemonUnreachable) -> tuple[Recorded, ...]:
        path = self._settings.journal_path
        try:
            return anyio.run(_read, path)
        except JournalError as error:
            source = self._settings.source or "the defaults (no configuration file)"
            raise KoboshiError(
                f"{unreachable}\nand the journal cannot be read instead: {error}\n"
                f"(state_dir = {self._settings.state_dir}, from {source})",
            ) from None

    def _warn(self) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        self._context.say(
            f"No daemon answers at {self._settings.socket_path}: this is what the journal "
            "remembers, and nobody is watching. Start it with: koboshi run",
        )


async def _read(path: Path) -> tuple[Recorded, ...]:
    async with await SqlJournalReader.open_to_read(path) as journal:
        return await read_all(journal)
