"""Who asks: a context of each daemon's life, so that a judge knows what which daemon was told.

Two daemons may live at once, and what one of them has read does not bind the other.
"""

from contextvars import ContextVar

ASKER: ContextVar[object | None] = ContextVar("asker", default=None)
"""The daemon on whose behalf this runs; None: nobody's in particular."""
