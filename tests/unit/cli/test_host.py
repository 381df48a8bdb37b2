"""`koboshi host ...`: asking before what cannot be undone, and the exit codes."""

import io
from collections.abc import Mapping

import pytest

from koboshi.cli.app import dispatch
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode

from .terminal import Terminal, koboshi


def typed(answer: str, *words: str, environ: Mapping[str, str]) -> tuple[int, str]:
    """Type a command and then `answer` on a terminal; return the code and what was said."""
    stdin, out, err = Terminal(answer), io.StringIO(), io.StringIO()
    context = Context(environ=environ, stdout=out, stderr=err, stdin=stdin)
    return dispatch(words, context), err.getvalue() + out.getvalue()


@pytest.mark.usefixtures("daemon")
def test_the_name_typed_is_the_consent(environ: dict[str, str]) -> None:
    code, said = typed("cmp1\n", "host", "confirm-dead", "cmp1", environ=environ)
    assert code == ExitCode.DONE
    assert "twice" in said
    assert "your word that cmp1 is dead stands in the journal" in said
    assert "koboshi incident show" in said


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("answer", ["", "y\n", "cmp2\n"])
def test_anything_else_is_none(answer: str, environ: dict[str, str]) -> None:
    code, said = typed(answer, "host", "confirm-dead", "cmp1", environ=environ)
    assert code == ExitCode.USAGE
    assert "nothing was done" in said


@pytest.mark.usefixtures("daemon")
def test_without_a_terminal_the_option_is_needed(environ: dict[str, str]) -> None:
    asked = koboshi("host", "confirm-dead", "cmp1", "--confirm", "cmp2", environ=environ)
    assert asked.code == ExitCode.USAGE
    asked = koboshi("host", "confirm-dead", "cmp1", "--confirm", "cmp1", environ=environ)
    assert asked.code == ExitCode.DONE


@pytest.mark.usefixtures("daemon")
def test_a_refusal_has_its_own_exit_code_and_a_cure(environ: dict[str, str]) -> None:
    asked = koboshi("host", "confirm-dead", "cmp2", "--confirm", "cmp2", environ=environ)
    assert asked.code == ExitCode.REFUSED
    assert "refused: cmp2 may be alive: it answers; switch it off" in asked.err


@pytest.mark.usefixtures("daemon")
def test_an_unknown_host(environ: dict[str, str]) -> None:
    asked = koboshi("host", "confirm-dead", "cmp11", "--confirm", "cmp11", environ=environ)
    assert asked.code == ExitCode.ERROR
    assert "did you mean cmp1?" in asked.err


def test_without_a_daemon(environ: dict[str, str]) -> None:
    asked = koboshi("host", "confirm-dead", "cmp1", "--confirm", "cmp1", environ=environ)
    assert asked.code == ExitCode.ERROR
    assert "no daemon answers" in asked.err
