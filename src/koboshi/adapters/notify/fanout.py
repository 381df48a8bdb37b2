"""One notice to every channel; a channel that fails costs the others nothing."""

import structlog

from koboshi.ports.notify import Notice, Notifier


class Notifiers:
    """Implements ports.notify.Notifier over several; over none, it is the null notifier."""

    def __init__(self, *notifiers: Notifier) -> None:
        self._notifiers = notifiers
        self._log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

    def send(self, notice: Notice) -> None:
        """Give the notice to each; never raises, as a notice may not stop a recovery."""
        for notifier in self._notifiers:
            try:
                notifier.send(notice)
            except Exception as error:  # noqa: BLE001 - no channel's bug may reach a recovery
                self._log.error(
                    "a channel could not take a notice",
                    channel=type(notifier).__name__,
                    notice=notice.id,
                    error=type(error).__name__,
                )
