"""What every command is given: where to write, and which configuration is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from koboshi.cli.words import clean

if TYPE_CHECKING:
    from rich.console import Console

    from koboshi.settings import Settings

HELP_WIDTH = 100

PIPE_WIDTH = 500
"""Columns of a table that no terminal shows: wide enough never to wrap a row that grep looks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of one command."""

    environ: Mapping[str, str]
    stdout: TextIO
    stderr: TextIO
    stdin: TextIO | None = None
    """Where a person answers; None: the process's own."""
    config: Path | None = None
    os_cloud: str | None = None

    def settings(self) -> "Settings":
        """Return the settings; raises InvalidSettings."""
        from koboshi.settings import load_settings  # noqa: PLC0415 - not needed for help

        options = (
            {} if self.os_cloud is None else {("cloud", "name"): ("--os-cloud", self.os_cloud)}
        )
        return load_settings(self.config, self.environ, options=options)

    def out(self) -> "Console":
        """Return where state is written."""
        return _console(self.stdout, self.environ)

    def help_page(self) -> "Console":
        """Return where a command's help is written: never wider than an eye reads."""
        console = self.out()
        console.width = min(console.width, HELP_WIDTH)
        return console

    def err(self) -> "Console":
        """Return where messages are written."""
        return _console(self.stderr, self.environ)

    def say(self, message: str) -> None:
        """Write a message."""
        for line in message.splitlines() or [""]:
            self.stderr.write(f"{clean(line)}\n")
        self.stderr.flush()


def _console(file: TextIO, environ: Mapping[str, str]) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - not needed for the first help page

    is_terminal = file.isatty()
    return Console(
        file=file,
        width=None if is_terminal else int(environ.get("COLUMNS") or PIPE_WIDTH),
        force_terminal=is_terminal,
        no_color=not is_terminal or bool(environ.get("NO_COLOR")),
        markup=False,  # names of servers are other people's text
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ=environ,
    )
