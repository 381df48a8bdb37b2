"""`koboshi server rebuild`: the cost before the eyes, the name typed, and the refusals.

The held server's name holds what steers a terminal, so its id stands for it wherever it is typed.
"""

import pytest

from koboshi.cli.exit_codes import ExitCode
from tests.unit.api.story import DB, WEB

from .terminal import koboshi
from .test_host import typed

Environ = dict[str, str]


@pytest.mark.usefixtures("daemon")
def test_the_cost_of_each_disk_is_told_before_the_name_is_asked_for(environ: Environ) -> None:
    code, said = typed(f"{DB}\n", "server", "rebuild", DB, "-m", "burnt", environ=environ)
    assert code == ExitCode.DONE
    for words in (
        f"If server db\ufffd[31m ({DB}) of cmp1 is rebuilt:",
        "  root: back to image, made again from image 3333",
        "  config drive: survives",
        "Nothing brings that back, not even its host's return.",
        f"Type {DB} to go on: ",
        "the loss of its root stands in the journal: uid",
        "ordered it to be rebuilt: burnt",
        "it is queued: will be evacuated when its turn comes",
        "koboshi incident show cmp1-",
    ):
        assert words in said


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("answer", ["", "y\n", "web\n"])
def test_anything_else_is_no_consent(answer: str, environ: Environ) -> None:
    code, said = typed(answer, "server", "rebuild", DB, environ=environ)
    assert code == ExitCode.USAGE
    assert "nothing was done" in said


@pytest.mark.usefixtures("daemon")
def test_a_script_says_what_it_loses(environ: Environ) -> None:
    asked = koboshi("server", "rebuild", DB, environ=environ)
    assert (asked.code, asked.out) == (ExitCode.USAGE, "")
    assert f"add --yes-i-lose {DB}" in asked.err
    asked = koboshi("server", "rebuild", DB, "--yes-i-lose", "web", environ=environ)
    assert asked.code == ExitCode.USAGE
    asked = koboshi("server", "rebuild", DB, "--yes-i-lose", DB, "-f", "json", environ=environ)
    assert asked.code == ExitCode.DONE
    assert asked.json()["incident"].startswith("cmp1-")


@pytest.mark.usefixtures("daemon")
def test_a_dry_run_changes_nothing_and_says_whether_it_would_be_refused(environ: Environ) -> None:
    asked = koboshi("server", "rebuild", DB, "--dry-run", environ=environ)
    assert asked.code == ExitCode.DONE
    assert "root: back to image" in asked.out
    asked = koboshi("server", "rebuild", "web", "--dry-run", environ=environ)
    assert asked.code == ExitCode.REFUSED
    assert "It would be refused now: web is not held: it is done" in asked.out


@pytest.mark.usefixtures("daemon")
def test_a_refusal_asks_nobody_and_has_its_own_exit_code(environ: Environ) -> None:
    asked = koboshi("server", "rebuild", WEB, environ=environ)
    assert asked.code == ExitCode.REFUSED
    assert "refused: web is not held: it is done" in asked.err


@pytest.mark.usefixtures("daemon")
def test_a_server_that_no_incident_knows(environ: Environ) -> None:
    asked = koboshi("server", "rebuild", "mail", environ=environ)
    assert asked.code == ExitCode.ERROR
    assert "no open incident knows a server 'mail'" in asked.err
