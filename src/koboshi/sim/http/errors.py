"""How a request to the simulated cloud goes wrong, before a service's own words are put to it."""

from collections.abc import Mapping


class Refused(Exception):
    """A service answers with an error of its own; the text is its message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        document: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.document = document
        """The whole body, where it is not what the service makes of the message."""
        self.headers = dict(headers or {})


class Cut(Exception):
    """The connection ends without an answer; whoever carries the app makes it so."""

    def __init__(self, message: str = "", *, never_sent: bool = False) -> None:
        super().__init__(message)
        self.never_sent = never_sent
        """Whether the connection was refused, so that nothing can have been sent."""


class Hangs(Exception):
    """No answer comes, and the connection stays open."""
