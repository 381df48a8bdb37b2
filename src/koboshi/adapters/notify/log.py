"""Notices in the log: the channel that needs no configuration and works without a network."""

import structlog

from koboshi.ports.notify import Notice, Severity


class LogNotifier:
    """Implements ports.notify.Notifier by one log line a notice."""

    def __init__(self) -> None:
        self._log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("koboshi.notice")

    def send(self, notice: Notice) -> None:
        """Write the notice as one line."""
        say = {
            Severity.INFO: self._log.info,
            Severity.WARNING: self._log.warning,
            Severity.CRITICAL: self._log.critical,
        }[notice.severity]
        say(
            notice.summary,
            kind=notice.kind,
            key=notice.key,
            notice=notice.id,
            host=notice.host,
            incident=notice.incident,
        )
