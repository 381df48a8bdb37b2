"""The one table of exit codes, for all commands, the help and the documents."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    PARTLY = 3
    REFUSED = 4
    TIMED_OUT = 5
    INTERRUPTED = 130


EXIT_CODE_MEANING: dict[ExitCode, str] = {
    ExitCode.DONE: "done, or safe",
    ExitCode.ERROR: "error: it was not done; the message says why, and what to do",
    ExitCode.USAGE: "usage: the command was not understood; nothing was done",
    ExitCode.PARTLY: "partly done, or a warning",
    ExitCode.REFUSED: "refused by a safety rule, or not safe",
    ExitCode.TIMED_OUT: "wait timed out: what was begun still runs",
    ExitCode.INTERRUPTED: "interrupted or detached: what was begun still runs",
}


def exit_codes_text() -> str:
    """Return the table for a terminal."""
    return "".join(f"  {code.value:>3}  {text}\n" for code, text in EXIT_CODE_MEANING.items())


def exit_codes_in_a_line() -> str:
    """Return the table in brief."""
    return ", ".join(
        f"{code.value} {text.partition(':')[0]}" for code, text in EXIT_CODE_MEANING.items()
    )
