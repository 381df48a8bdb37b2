"""Asking before what cannot be undone: by the name of the thing, typed; never without a terminal."""

import sys

from koboshi.cli.context import Context
from koboshi.cli.output import UsageProblem


def severe(
    context: Context, name: str, given: str | None, *, warning: str, option: str = "--confirm"
) -> bool:
    """Return whether the person means it: `name` was given with the option, or is typed now.

    Raises UsageProblem where the option names something else, and where nobody can be asked.
    """
    if given is not None:
        if given != name:
            raise UsageProblem(f"{option} names {given!r}, and this is about {name!r}")
        return True
    context.say(warning)
    answer = _ask(context, f"Type {name} to go on: ", or_else=f"{option} {name}")
    if answer == name:
        return True
    context.say("That is not its name: nothing was done.")
    return False


def moderate(context: Context, question: str, *, yes: bool) -> bool:
    """Return whether the person says yes to what can be undone."""
    if yes:
        return True
    if _ask(context, f"{question} [y/N] ", or_else="--yes").lower() in {"y", "yes"}:
        return True
    context.say("Nothing was done.")
    return False


def _ask(context: Context, question: str, *, or_else: str) -> str:
    stdin = context.stdin or sys.stdin
    if not stdin.isatty():
        raise UsageProblem(f"without a terminal nobody can be asked: add {or_else}")
    context.stderr.write(question)
    context.stderr.flush()
    return stdin.readline().strip()
