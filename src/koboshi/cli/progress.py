"""A word on standard error while something takes long; nothing without a terminal."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from koboshi.cli.context import Context

Tell = Callable[[str], None]


@contextmanager
def progress(context: Context, what: str) -> Generator[Tell, None, None]:
    """Show that `what` is going on; the function that is given changes the words."""
    if not context.stderr.isatty():
        yield lambda _: None
        return
    with context.err().status(f"{what} …") as status:
        yield lambda words: status.update(f"{words} …")
