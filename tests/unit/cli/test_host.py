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


@pytest.mark.usefixtures("daemon")
def test_of_an_unknown_host_nobody_is_asked(environ: dict[str, str]) -> None:
    for words in (("confirm-dead", "cmp11"), ("test-fence", "cmp11")):
        code, said = typed("cmp11\n", "host", *words, environ=environ)
        assert code == ExitCode.ERROR
        assert "did you mean cmp1?" in said
        assert "twice" not in said


def test_without_a_daemon(environ: dict[str, str]) -> None:
    asked = koboshi("host", "confirm-dead", "cmp1", "--confirm", "cmp1", environ=environ)
    assert asked.code == ExitCode.ERROR
    assert "no daemon answers" in asked.err


@pytest.mark.usefixtures("daemon")
def test_a_host_is_explained(environ: dict[str, str]) -> None:
    typed = koboshi("host", "explain", "cmp1", environ=environ)
    assert typed.code == ExitCode.DONE
    for word in ("cmp1", "settled", "against a word", "forced down", "koboshi incident show"):
        assert word in typed.out
    verdict = koboshi("host", "explain", "cmp1", "-f", "value", "-c", "verdict", environ=environ)
    assert verdict.out.strip() in {"suspect", "unknown", "unreachable"}


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("form", ["table", "json", "yaml", "csv", "value"])
@pytest.mark.parametrize(
    "what", [("host", "list"), ("host", "explain", "cmp2"), ("domain", "list")]
)
def test_every_format(what: tuple[str, ...], form: str, environ: dict[str, str]) -> None:
    typed = koboshi(*what, "-f", form, environ=environ)
    assert typed.code == ExitCode.DONE
    assert "cmp2" in typed.out


@pytest.mark.usefixtures("daemon")
def test_a_domain_is_confirmed_with_its_hosts_before_the_eyes(environ: dict[str, str]) -> None:
    code, said = typed("rack1\n", "domain", "confirm", "rack1", environ=environ)
    assert code == ExitCode.DONE
    assert "cmp1: " in said
    assert "cmp2: up" in said
    assert "domain rack1 confirmed dead: cmp1" in said
    assert koboshi("domain", "confirm", "rack9", environ=environ).code == ExitCode.USAGE


@pytest.mark.usefixtures("daemon")
def test_arming_and_disarming_ask(environ: dict[str, str]) -> None:
    assert typed("n\n", "arm", environ=environ)[0] == ExitCode.USAGE
    code, said = typed("y\n", "disarm", "--for", "2h", "-m", "work on the switch", environ=environ)
    assert code == ExitCode.DONE
    assert "disarmed until 2026-03-01 14:00:30 UTC" in said
    assert koboshi("disarm", "-m", "x", environ=environ).code == ExitCode.USAGE
    assert koboshi("disarm", "-m", "x", "-y", environ=environ).code == ExitCode.DONE
    assert (
        koboshi("disarm", "-m", "x", "-y", "--for", "soon", environ=environ).code == ExitCode.USAGE
    )
    assert koboshi("arm", "--yes", "--keep", environ=environ).code == ExitCode.DONE


@pytest.mark.usefixtures("daemon")
def test_a_fence_is_tested_only_by_name(environ: dict[str, str]) -> None:
    asked = koboshi("host", "test-fence", "cmp2", "--confirm", "cmp2", environ=environ)
    assert asked.code == ExitCode.REFUSED
