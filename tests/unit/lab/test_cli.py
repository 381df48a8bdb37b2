"""The command line: what it accepts, and how it says no."""

from pathlib import Path

import pytest

from lab import cli, knobs
from lab.lab import BMC_MODES


@pytest.mark.parametrize(
    "words",
    [
        "up --hosts 20 --intervals default",
        "fault cmp1 power",
        "bmc cmp1 accept-only",
        "knob cmp1 --spawn-seconds 3",
        "knob all clear",
        "api nova fail --path os-migrations --status 500",
        "api conductor stop",
        "boot --host cmp1 --kind bfv --count 12 -f json",
        "truth --violations -f json",
        "exec openstack --os-cloud lab server list",
    ],
)
def test_the_documented_words_are_understood(words: str) -> None:
    assert callable(cli.parser().parse_args(words.split()).run)


@pytest.mark.parametrize(
    "words", ["", "fault cmp1 explode", "bmc cmp1 drunk", "up --intervals slow", "api nova burn"]
)
def test_other_words_are_refused_as_wrong_usage(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words.split())

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_exec_hands_every_word_on() -> None:
    found = cli.parser().parse_args(["exec", "ls", "-l", "--help"])

    assert found.argv == ["ls", "-l", "--help"]


@pytest.mark.parametrize("mode", BMC_MODES)
def test_the_help_explains_each_bmc_mode(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["bmc", "--help"])

    assert f"\n{mode} " in capsys.readouterr().out


def test_too_many_hosts_are_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--hosts", "99"]) == 1
    assert "1 to 20" in capsys.readouterr().err


def test_knobs_are_kept_taken_back_and_cleared(tmp_path: Path) -> None:
    run = tmp_path
    knobs.update(run, "cmp1", spawn_fails=True, spawn_seconds=3.0)
    knobs.update(run, "cmp1", spawn_fails=None)
    assert knobs.read(run, "cmp1") == {"spawn_seconds": 3.0}

    knobs.write(run, "cmp1", {})
    assert knobs.read(run, "cmp1") == {}
