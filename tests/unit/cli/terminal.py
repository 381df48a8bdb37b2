"""A command line for tests: what was typed, what came out, with which exit code."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from koboshi.cli.app import run_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


def koboshi(*words: str, environ: Mapping[str, str] | None = None) -> Typed:
    """Type a command, without a terminal and with no other environment than `environ`."""
    out, err = io.StringIO(), io.StringIO()
    code = run_command(words, environ or {}, out, err)
    return Typed(code=code, out=out.getvalue(), err=err.getvalue())


class Terminal(io.StringIO):
    """Standard output on a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def on_terminal(*words: str, environ: Mapping[str, str]) -> Typed:
    """Type a command on a terminal; COLUMNS in `environ` is its width."""
    out, err = Terminal(), io.StringIO()
    code = run_command(words, {"TERM": "xterm-256color", "LINES": "50", **environ}, out, err)
    return Typed(code=code, out=out.getvalue(), err=err.getvalue())
