"""What operators see of a running daemon, and of a journal without one."""

import csv
import io
import re
from pathlib import Path

import pytest
import yaml

from koboshi.cli.context import Context
from koboshi.cli.output import Format, Output, write_rows
from tests.unit.api.story import DB, INCIDENT, WEB

from .terminal import koboshi, on_terminal

Environ = dict[str, str]


@pytest.mark.usefixtures("daemon")
class TestWithDaemon:
    """A daemon runs."""

    def test_status_for_eyes(self, environ: Environ) -> None:
        typed = koboshi("status", environ=environ)
        assert (typed.code, typed.err) == (0, "")
        for words in (
            "cloud 'lab', mode act: acting (cmp1 is being recovered)",
            "● up",
            "incident cmp1-20260301T120010Z",
            "compute_services",
            "settled: no server is on its way any more; the host awaits its way home",
            "servers: 1 of 2 recovered, 1 held",
            "its root disk lies on cmp1",
            "nova-compute is dead",
            f"  koboshi incident show {INCIDENT}",
            "no power device configured",
        ):
            assert words in typed.out

    def test_names_cannot_steer_the_terminal(self, environ: Environ) -> None:
        for words in (("status",), ("incident", "show", "last"), ("status", "-f", "csv")):
            assert "\x1b" not in koboshi(*words, environ=environ).out

    def test_no_colours_without_a_terminal_or_with_no_color(self, environ: Environ) -> None:
        assert "\x1b[" in on_terminal("status", environ=environ).out
        assert "\x1b[3" not in on_terminal("status", environ={**environ, "NO_COLOR": "1"}).out

    @pytest.mark.parametrize("columns", [80, 120])
    def test_it_fits_the_terminal(self, environ: Environ, columns: int) -> None:
        plain = {**environ, "COLUMNS": str(columns), "TERM": "dumb"}
        for words in (("status",), ("incident", "list")):
            lines = koboshi(*words, environ=plain).out.splitlines()
            assert max(len(line) for line in lines) <= columns

    def test_status_for_programs(self, environ: Environ) -> None:
        data = koboshi("status", "-f", "json", environ=environ).json()
        assert data["source"] == "daemon"
        assert {host["host"] for host in data["hosts"]} == {"cmp1", "cmp2", "cmp3", "cmp4"}
        assert yaml.safe_load(koboshi("status", "-f", "yaml", environ=environ).out) == data

    def test_columns(self, environ: Environ) -> None:
        words = ("status", "-f", "value", "-c", "mode", "-c", "is_acting")
        assert koboshi(*words, environ=environ).out == "act\ntrue\n"
        wrong = koboshi("status", "-c", "moed", environ=environ)
        assert (wrong.code, wrong.out) == (2, "")
        assert "did you mean mode?" in wrong.err

    def test_incident_list(self, environ: Environ) -> None:
        words = ("incident", "list", "-f", "csv", "-c", "id", "-c", "held")
        rows = list(csv.reader(io.StringIO(koboshi(*words, environ=environ).out)))
        assert rows == [["id", "held"], [INCIDENT, "1"]]
        value = koboshi("incident", "list", "-f", "value", "-c", "Host", environ=environ)
        assert value.out == "cmp1\n"
        assert INCIDENT in koboshi("incident", "list", environ=environ).out

    @pytest.mark.parametrize("wanted", ["last", "cmp1", INCIDENT])
    def test_incident_show_tells_the_story(self, environ: Environ, wanted: str) -> None:
        out = koboshi("incident", "show", wanted, environ=environ).out
        for words in (
            "settled: no server is on its way any more",
            WEB,
            "+0.0 s",
            "evacuate to cmp2: accepted",
            "fenced_off, +5.0 s from the opening",
            "The way home, in this order",
            f"     openstack server start {DB}",
        ):
            assert words in out
        assert re.search(r"^ *\+8\.0 s +web +evacuate to cmp2: accepted", out, re.MULTILINE)
        assert out.index("incident opened") < out.index(
            "done: up again, on its destination or with its host"
        )

    def test_incident_show_for_programs(self, environ: Environ) -> None:
        data = koboshi("incident", "show", "last", "-f", "json", environ=environ).json()
        assert data["timeline"][0]["at"] == "2026-03-01T12:00:10.000Z"
        assert {r["server"]: r["state"] for r in data["recoveries"]} == {WEB: "done", DB: "held"}
        value = koboshi("incident", "show", "last", "-f", "value", "-c", "state", environ=environ)
        assert value.out == "settled\n"

    def test_no_such_incident(self, environ: Environ) -> None:
        typed = koboshi("incident", "show", "cmp9", environ=environ)
        assert (typed.code, typed.out) == (1, "")
        assert "koboshi incident list" in typed.err

    def test_watching_is_for_eyes(self, environ: Environ) -> None:
        assert koboshi("status", "--watch", "-f", "json", environ=environ).code == 2


@pytest.mark.usefixtures("journal")
class TestWithJournalOnly:
    """No daemon runs, one did."""

    def test_the_same_commands_answer_and_say_so(self, environ: Environ) -> None:
        for words in (("status",), ("incident", "list"), ("incident", "show", "last")):
            typed = koboshi(*words, environ=environ)
            assert typed.code == 0
            assert INCIDENT in typed.out
            assert "no daemon answers at" in typed.err
            assert "Start the daemon with: koboshi run" in typed.err

    def test_standard_output_stays_clean(self, environ: Environ) -> None:
        data = koboshi("status", "-f", "json", environ=environ).json()
        assert (data["source"], data["is_acting"], data["hosts"]) == ("journal", False, [])
        assert data["held"][0]["server"] == DB


def test_with_neither_there_is_a_cure(environ: Environ, state_dir: Path) -> None:
    typed = koboshi("status", environ=environ)
    assert (typed.code, typed.out) == (1, "")
    assert str(state_dir) in typed.err
    assert "koboshi run" in typed.err
    assert not list(state_dir.iterdir())


@pytest.mark.parametrize(
    ("chosen", "out", "err"),
    [
        (Format.TABLE, "", "none yet\n"),
        (Format.JSON, "[]\n", ""),
        (Format.CSV, "id\n", ""),
        (Format.VALUE, "", ""),
    ],
)
def test_an_empty_list_is_a_message(chosen: Format, out: str, err: str) -> None:
    context = Context(environ={}, stdout=io.StringIO(), stderr=io.StringIO())
    write_rows(
        context,
        Output(format=chosen),
        [],
        columns=("id",),
        table=lambda: pytest.fail("there is nothing to draw"),
        nothing="none yet",
    )
    assert isinstance(context.stdout, io.StringIO)
    assert isinstance(context.stderr, io.StringIO)
    assert (context.stdout.getvalue(), context.stderr.getvalue()) == (out, err)
