"""The demo as people type it: in real time, as processes, with nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

KOBOSHI = (sys.executable, "-m", "koboshi.cli")
READY_S = 60.0
"""The machine may be busy; alone it takes less than ten."""
WAIT_S = 60.0

pytestmark = pytest.mark.timeout(240)


def _koboshi(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KOBOSHI, *words], capture_output=True, text=True, timeout=200, check=False
    )


@contextmanager
def _served(directory: Path) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*KOBOSHI, "demo", "--serve", "-D", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            end_s = time.monotonic() + READY_S
            while not (directory / "clouds.yaml").exists():
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < end_s, "not ready"
                time.sleep(0.1)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _is_open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _daemon(directory: Path) -> int:
    """Return the daemon's pid, as its journal's lock names it."""
    return int(json.loads((directory / "state" / "journal.lock").read_text())["pid"])


def test_the_servers_get_up_again_and_the_story_is_told_line_by_line(tmp_path: Path) -> None:
    done = _koboshi("demo", "-D", str(tmp_path / "d"))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "They got up again."
    told = [line[10:].split()[0] for line in lines if line[10:].strip()]
    order = ["happens", "checks", "concludes", "proof", "isolates", "plans", "holds", "evacuates"]
    places = [told.index(kind, told.index("happens")) for kind in order]
    assert places == sorted(places)
    assert told.count("back") == 7
    assert told.index("home") < told.index("starts")
    way_home = [
        "happens   somebody mends",
        "lifting force-down",
        "starting cache",
        "enabling compute1",
    ]
    places = [next(n for n, line in enumerate(lines) if step in line) for step in way_home]
    assert places == sorted(places)
    assert any("its incident stays open until it has been healthy" in line for line in lines)
    assert sum(line.endswith("✔") for line in lines) == 8
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert not (tmp_path / "d").exists()


def test_ctrl_c_ends_it_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*KOBOSHI, "demo", "-D", str(tmp_path / "d")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "getting to know" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(WAIT_S) == 130
        assert "Traceback" not in rest
    assert not (tmp_path / "d").exists()


def test_a_served_cloud_can_be_played_with_and_ends_clean(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    with _served(directory) as process:
        clouds = yaml.safe_load((directory / "clouds.yaml").read_text())
        url = urlsplit(str(clouds["clouds"]["koboshi-demo"]["auth"]["auth_url"]))
        assert url.hostname == "127.0.0.1"
        assert url.port is not None
        probe_port = tomllib.loads((directory / "koboshi.toml").read_text())["probe"]["port"]
        assert _is_open("127.0.0.1", url.port)
        assert _is_open("127.77.0.1", probe_port)
        config = ("--config", str(directory / "koboshi.toml"))

        said = _koboshi("demo", "fault", "compute2", "cut", "-D", str(directory))
        assert (said.returncode, said.stderr) == (0, "")
        end_s = time.monotonic() + WAIT_S
        state = ""
        while state != "settled":
            assert time.monotonic() < end_s, state
            listed = json.loads(_koboshi(*config, "incident", "list", "-f", "json").stdout)
            state = listed[0]["state"] if listed else ""
            time.sleep(2)
        rows = json.loads(_koboshi("demo", "hosts", "-f", "json", "-D", str(directory)).stdout)
        assert {r["host"]: r["power"] for r in rows}["compute2"] == "off"  # it was fenced

        unknown = _koboshi("demo", "fault", "compute9", "power", "-D", str(directory))
        assert unknown.returncode == 1
        assert "there are compute1" in unknown.stderr

        pid = _daemon(directory)
        process.terminate()
        out, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, out
    assert "switching compute2 off" in out
    assert "a rule was broken" not in out
    assert not directory.exists()
    assert _is_gone(pid)
    assert not _is_open("127.0.0.1", url.port)
    assert not _is_open("127.77.0.1", probe_port)


def test_koboshi_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with _served(tmp_path / "d") as process:
        pid = _daemon(tmp_path / "d")
        process.kill()
        process.wait()
        end_s = time.monotonic() + WAIT_S
        while not _is_gone(pid):
            assert time.monotonic() < end_s
            time.sleep(0.1)


def test_without_a_demo_a_fault_befalls_nobody(tmp_path: Path) -> None:
    said = _koboshi("demo", "fault", "compute1", "power", "-D", str(tmp_path))
    assert said.returncode == 1
    assert "koboshi demo --serve" in said.stderr
