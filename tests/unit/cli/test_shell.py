"""Help, exit codes, options, and what is said when something is wrong."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from koboshi import __version__
from koboshi.cli.app import build_app, dispatch
from koboshi.cli.commands import COMMANDS, CommandLine
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import EXIT_CODE_MEANING, ExitCode
from koboshi.domain.errors import KoboshiError, SafetyRefusal
from koboshi.settings import Settings

from .terminal import koboshi

HEAVY = ("openstack", "sqlalchemy", "fastapi", "pydantic", "httpx2", "rich", "cyclopts", "anyio")


def test_the_first_page() -> None:
    typed = koboshi("--help")
    assert (typed.code, typed.err) == (0, "")
    assert typed.out == koboshi("help").out == koboshi("-h").out
    assert max(len(line) for line in typed.out.splitlines()) <= 90
    for line in (
        "Usage: koboshi [OPTIONS] COMMAND",
        "  incident show ID         Tell one incident step by step, with the reasons.",
        "  --os-cloud NAME          Cloud in clouds.yaml [OS_CLOUD]; other OS_* count, too.",
        "Exit codes: 0 done, or safe, 1 error, 2 usage, 3 partly done, or a warning, 4",
    ):
        assert " ".join(line.split()) in " ".join(typed.out.split())


def test_without_a_command_help_is_a_message() -> None:
    typed = koboshi()
    assert (typed.code, typed.out) == (ExitCode.USAGE, "")
    assert "Usage:" in typed.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.words))
def test_every_command_has_its_own_page(command: CommandLine) -> None:
    typed = koboshi(*command.words, "--help")
    assert (typed.code, typed.err) == (0, "")
    assert f"Usage: koboshi {' '.join(command.words)}" in typed.out


def test_the_first_page_waits_for_no_library() -> None:
    script = (
        "import sys; from koboshi.cli.app import run_command; "
        "run_command(['--help'], {}, sys.stdout, sys.stderr); "
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_first_page_takes_less_than_300_ms() -> None:
    """Count processor time, so that a busy machine changes nothing; the best of three."""
    program = [sys.executable, "-m", "koboshi.cli", "--help"]
    taken: list[float] = []
    for _ in range(3):
        with subprocess.Popen(program, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        taken.append(usage.ru_utime + usage.ru_stime)
    assert min(taken) < 0.3


def test_the_version() -> None:
    typed = koboshi("--version")
    assert (typed.code, typed.out) == (0, f"koboshi {__version__}\n")


def test_the_table_of_exit_codes_is_whole_and_shown() -> None:
    assert {code.value for code in ExitCode} == {0, 1, 2, 3, 4, 5, 130}
    assert set(EXIT_CODE_MEANING) == set(ExitCode)
    typed = koboshi("help", "exit-codes")
    for code, meaning in EXIT_CODE_MEANING.items():
        assert f"{code.value:>3}  {meaning}" in typed.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), 'Did you mean "status"?'),
        (("status", "--wtach"), "--watch"),
        (("incident", "sohw"), "show"),
        (("incident", "show"), "koboshi incident show --help"),
        (("completion", "tcsh"), '"bash", "zsh", "fish"'),
        (("status", "-f", "xml"), "json"),
        (("--config",), "--config"),
    ],
)
def test_what_is_mistyped_is_usage_with_a_hint(words: tuple[str, ...], said: str) -> None:
    typed = koboshi(*words)
    assert (typed.code, typed.out) == (ExitCode.USAGE, "")
    assert typed.err.startswith("koboshi: ")
    assert said in typed.err


@pytest.mark.parametrize("order", ["before", "after"])
def test_global_options_stand_before_or_after(tmp_path: Path, order: str) -> None:
    options = ("--config", str(tmp_path / "no.toml"))
    words = (*options, "status") if order == "before" else ("status", *options)
    typed = koboshi(*words)
    assert typed.code == ExitCode.ERROR
    assert f"koboshi init --output {tmp_path / 'no.toml'}" in typed.err


def test_a_wrong_configuration_is_told_whole(tmp_path: Path) -> None:
    path = tmp_path / "koboshi.toml"
    path.write_text('mode = "atc"\nport = 3\n', encoding="utf-8")
    typed = koboshi("check", "--config", str(path))
    assert (typed.code, typed.out) == (ExitCode.ERROR, "")
    assert typed.err.splitlines() == [
        "koboshi: the configuration must be mended:",
        f"  {path}:1: mode must be 'observe' or 'act', not \"atc\"",
        f'  {path}:2: unknown key "port"; did you mean probe.port?',
    ]


@pytest.mark.parametrize(
    ("happening", "code", "said"),
    [
        (SafetyRefusal("not while others are down"), ExitCode.REFUSED, "koboshi: refused: not"),
        (KoboshiError("the disk\x1b[31m is gone"), ExitCode.ERROR, "koboshi: the disk\ufffd[31m"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, ""),
        (BrokenPipeError(), ExitCode.DONE, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_happens_becomes_an_exit_code(
    happening: BaseException, code: ExitCode, said: str
) -> None:
    class Happening(Context):
        def settings(self) -> Settings:
            raise happening

    out, err = io.StringIO(), io.StringIO()
    assert dispatch(["status"], Happening(environ={}, stdout=out, stderr=err)) == code
    assert out.getvalue() == ""
    assert err.getvalue().strip().startswith(said)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell: str, tmp_path: Path) -> None:
    typed = koboshi("completion", shell)
    assert (typed.code, typed.err) == (0, "")
    for command in COMMANDS:
        assert command.words[-1] in typed.out
    assert "os-cloud" in typed.out
    if shell == "bash":
        script = tmp_path / "completion"
        script.write_text(typed.out, encoding="utf-8")
        subprocess.run(["bash", "-n", str(script)], check=True, timeout=30)


def test_the_parser_and_the_table_name_the_same_commands() -> None:
    app = build_app()
    for command in COMMANDS:
        found = app
        for word in command.words:
            found = found[word]
        assert found.default_command is not None


@pytest.mark.parametrize("unbuffered", [True, False])
def test_a_full_disk_is_told_and_is_no_success(*, unbuffered: bool) -> None:
    program = "import sys; sys.argv[1:] = ['--version']; from koboshi.cli.app import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
            env={"PYTHONUNBUFFERED": "1"} if unbuffered else {},
        )
    assert done.returncode == ExitCode.ERROR
    assert done.stderr == "koboshi: the output could not be written: No space left on device\n"
