"""One log: our lines and the libraries', as JSON for machines or as text on a terminal."""

import logging
import os
import sys
from collections.abc import Iterable
from typing import TextIO

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from koboshi.adapters.telemetry.redact import Redactor

MAX_TEXT = 4_000
"""Characters of one value in a line: an API's error page is cut, an explanation is not."""

# They log every request at INFO, with its URL, which may hold a token.
_CHATTY = ("httpx2", "httpcore2", "alembic", "uvicorn.access", "keystoneauth", "urllib3")


def configure_logs(
    *,
    level: str = "info",
    as_json: bool | None = None,
    secrets: Iterable[SecretStr] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (standard error), from `level` on.

    `as_json` None means: unless the stream is a terminal. Call it again when more secrets are known.
    """
    out = sys.stderr if stream is None else stream
    to_json = not out.isatty() if as_json is None else as_json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _cut,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(out, to_json=to_json),
                _Redact(Redactor(secrets)),
            ],
        ),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # It warns of every retry of a read; one that fails in the end is told once, and so is its end.
    logging.getLogger("stamina").setLevel(logging.ERROR)


def _rendering(out: TextIO, *, to_json: bool) -> list[Processor]:
    if to_json:
        # Tracebacks without local variables: those may hold what nobody should read.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]


def _cut(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            event[key] = f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    return event


class _Redact:
    """The last processor: it sees the line as it will be written, tracebacks and all."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _method: str, line: object) -> str:
        return self._redactor(str(line))
