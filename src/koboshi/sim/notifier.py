"""Where notices go in tests: a list."""

from koboshi.ports.notify import Notice


class SimNotifier:
    """Implements ports.notify.Notifier."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def send(self, notice: Notice) -> None:
        """Keep the notice."""
        self.notices.append(notice)

    def kinds(self) -> list[str]:
        """Return the kinds of what was sent, in order."""
        return [n.kind for n in self.notices]
