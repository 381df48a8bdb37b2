"""Where `status` and `incident` read: from the daemon, or from the journal when none answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from koboshi.api.views import IncidentDetail, IncidentView, StatusView
from koboshi.cli.context import Context
from koboshi.client import ApiClient
from koboshi.domain.errors import DaemonUnreachable, JournalError, KoboshiError
from koboshi.settings import Settings

if TYPE_CHECKING:
    from koboshi.cli.journal_reading import JournalReading

T = TypeVar("T")


class Reading:
    """Answers from the daemon; from the journal, with a word about it, when none runs."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._has_warned = False

    def status(self) -> StatusView:
        """Return the overview."""
        view = self._from_daemon(lambda client: client.status())
        return view if isinstance(view, StatusView) else self._read(view).status()

    def incidents(self) -> list[IncidentView]:
        """Return all incidents, newest first."""
        views = self._from_daemon(lambda client: client.incidents())
        return views if isinstance(views, list) else self._read(views).incidents()

    def incident(self, wanted: str) -> IncidentDetail:
        """Return one incident by its id, the beginning of it, or `last`."""
        view = self._from_daemon(lambda client: client.incident(wanted))
        return view if isinstance(view, IncidentDetail) else self._read(view).incident(wanted)

    def _from_daemon(self, ask: Callable[[ApiClient], T]) -> T | DaemonUnreachable:
        """Return the daemon's answer, or why there is none."""
        try:
            with ApiClient(self._settings.socket_path) as client:
                return ask(client)
        except DaemonUnreachable as error:
            return error

    def _read(self, unreachable: DaemonUnreachable) -> "JournalReading":
        # The journal's libraries are slow to import, and a running daemon spares us them.
        from koboshi.cli.journal_reading import JournalReading  # noqa: PLC0415 - slow to import

        try:
            read = JournalReading(self._settings.journal_path)
        except JournalError as error:
            source = self._settings.source or "the defaults (no configuration file)"
            raise KoboshiError(
                f"{unreachable}\nand the journal cannot be read instead: {error}\n"
                f"(state_dir = {self._settings.state_dir}, from {source})",
            ) from None
        if not self._has_warned:
            self._has_warned = True
            self._context.say(
                f"{unreachable}.\nThis is what the journal remembers; nobody is watching. "
                "Start the daemon with: koboshi run",
            )
        return read
