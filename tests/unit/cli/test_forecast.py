"""`koboshi forecast` and `koboshi host ok-to-stop`, against a cloud on a port."""

import csv
import io
import re
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal

from koboshi.cli.exit_codes import ExitCode
from koboshi.rehearsal.served import CountingFace, serving_cloud
from koboshi.rehearsal.spec import CloudSpec, Disks, GroupSpec, HostSpec, RecordSpec, ServerSpec

from .served import large
from .terminal import koboshi, on_terminal

SMALL = CloudSpec(
    hosts=4,
    server={
        "web": ServerSpec(host="h1", project="shop"),
        "db": ServerSpec(host="h1", ram_mb=8192, project="shop"),
        "cache": ServerSpec(host="h1", disks=Disks.IMAGE),
        "paused": ServerSpec(host="h2", vm_state="paused"),
        "sandbox": ServerSpec(host="h2", metadata={"HA_Enabled": "False"}),
        "giant": ServerSpec(host="h3", ram_mb=100_000),
        "twin1": ServerSpec(host="h4"),
        "twin2": ServerSpec(host="h2"),
    },
    host={"h3": HostSpec(ram_mb=131_072)},
    group={"twins": GroupSpec(members=("twin1", "twin2"))},
)
BOMBED = SMALL.model_copy(
    update={
        "record": {
            "old": RecordSpec(
                server="web",
                source="h1",
                destination="h2",
                status="accepted",
                age=timedelta(days=3),
            )
        }
    }
)


@contextmanager
def cloud(
    portal: BlockingPortal, folder: Path, spec: CloudSpec
) -> Generator[tuple[CountingFace, dict[str, str]]]:
    with portal.wrap_async_context_manager(serving_cloud(spec)) as (face, served):
        path = folder / "clouds.yaml"
        path.write_text(served.clouds_yaml("sim"))
        yield face, {"KOBOSHI_CLOUD__CONFIG_FILE": str(path), "KOBOSHI_CLOUD__NAME": "sim"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment of a small cloud."""
    with (
        start_blocking_portal() as portal,
        cloud(portal, tmp_path_factory.mktemp("small"), SMALL) as (_, environ),
    ):
        yield environ


def test_the_summary_as_json(small: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "-f", "json", environ=small)
    told = typed.json()
    assert typed.code == ExitCode.DONE
    numbers = ("servers", "returns", "returns_empty", "waits", "not_recoverable")
    assert [told[n] for n in numbers] == [8, 4, 0, 3, 1]
    assert (told["waits_for_host"], told["waits_for_room"]) == (2, 1)
    assert [h["host"] for h in told["by_host"]] == ["h1", "h2", "h3", "h4"]
    (claim,) = told["may_die"]
    assert (claim["verdict"], claim["by"]) == ("refuted", ["h3"])
    assert claim["without_room"][0]["name"] == "giant"
    assert (told["time_bombs"], told["unknown"]) == ([], [])


@pytest.mark.parametrize("width", ["80", "140"])
def test_the_summary_on_a_terminal(small: Mapping[str, str], width: str) -> None:
    typed = on_terminal("forecast", environ={**small, "COLUMNS": width, "NO_COLOR": "1"})
    assert "8 servers on 4 hosts" in typed.out
    assert "4 return       with all their data" in typed.out
    assert "3 wait         2 for their host, 1 for room" in typed.out
    assert "3 of 4 may; of h3" in typed.out
    seen = re.sub(r"\x1b\[[0-9;]*m", "", typed.out)
    assert max(map(len, seen.splitlines())) <= int(width)
    assert "\x1b[3" not in typed.out, "no colour"


def test_a_number_for_a_script(small: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "-c", "returns", "-f", "value", environ=small)
    assert typed.out == "4\n"


def test_the_servers_of_a_host_with_the_reasons(small: Mapping[str, str]) -> None:
    rows = koboshi("forecast", "--host", "h1", "-f", "json", environ=small).json()
    assert {r["name"]: r["outcome"] for r in rows} == {
        "web": "returns",
        "db": "returns",
        "cache": "waits",
    }
    (cache,) = [r for r in rows if r["name"] == "cache"]
    assert "on_local_disk is 'hold'" in cache["why"]
    assert "rebuild" in cache["change"]
    assert cache["disks"][0]["outcome"] == "waits_for_host"
    drawn = on_terminal("forecast", "--host", "h1", "--disks", environ={**small, "COLUMNS": "80"})
    assert "waits for host" in drawn.out


def test_by_project_and_by_server(small: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "--project", "shop", "-f", "csv", environ=small)
    assert {r["name"] for r in csv.DictReader(io.StringIO(typed.out))} == {"web", "db"}
    typed = koboshi("forecast", "--server", "twin1", "-f", "yaml", environ=small)
    assert [r["name"] for r in yaml.safe_load(typed.out)] == ["twin1"]
    typed = koboshi("forecast", "--server", "web", "--host", "h2", "-f", "json", environ=small)
    assert typed.json() == []


def test_disks_are_rows_of_their_own(small: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "--server", "web", "--disks", "-f", "value", environ=small)
    assert typed.out.startswith("web web h1 volume volume-of-web survives")


def test_what_if_two_hosts_die(small: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "--fail", "h1,h3", "-f", "json", environ=small)
    rows = typed.json()
    assert [(r["order"], r["name"]) for r in rows[:2]] == [(1, "db"), (2, "web")]
    assert {r["destination"] for r in rows[:2]} <= {"h2", "h4"}
    giant = next(r for r in rows if r["name"] == "giant")
    assert (giant["order"], giant["outcome"]) == (None, "waits")
    assert "too little memory (2)" in giant["why"]
    drawn = on_terminal("forecast", "--fail", "h1,h3", environ={**small, "COLUMNS": "80"})
    assert "If h1 and h3 died now, of 4 servers" in drawn.out
    assert "The brake would hold them until a person has looked" in drawn.out


def test_a_declared_domain_is_played_through(small: Mapping[str, str], tmp_path: Path) -> None:
    racks = tmp_path / "racks.toml"
    racks.write_text('left = ["h1", "h2"]\nright = ["h3", "h4"]\n')
    environ = {**small, "KOBOSHI_DOMAINS__SOURCE": "file", "KOBOSHI_DOMAINS__FILE": str(racks)}
    claims = koboshi("forecast", "-f", "json", environ=environ).json()["may_die"]
    assert [(c["domain"], c["verdict"]) for c in claims[1:]] == [
        ("left", "proved"),
        ("right", "refuted"),
    ]
    rows = koboshi("forecast", "--fail", "left", "-f", "json", environ=environ).json()
    assert {r["source"] for r in rows} == {"h1", "h2"}
    drawn = on_terminal("forecast", "--fail", "left", environ={**environ, "COLUMNS": "200"})
    assert "koboshi domain confirm left" in drawn.out
    drawn = on_terminal("forecast", environ={**environ, "COLUMNS": "200"})
    assert "1 of 2 domains may die as a whole: left" in drawn.out
    assert "Domain right (2 hosts) may not die" in drawn.out


def test_any_two(small: Mapping[str, str]) -> None:
    claims = koboshi("forecast", "--any", "2", "-f", "json", environ=small).json()["may_die"]
    assert [c["hosts"] for c in claims] == [1, 2]
    assert claims[1]["verdict"] == "refuted"


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--host", "h11"), "did you mean h1?"),
        (("--fail", "x"), "there are: h1, h2, h3, h4"),
        (("--server", "nobody"), "by id or by name"),
        (("--server", "h1"), "it is a host: koboshi forecast --host h1"),
        (("--fail", "h1", "--host", "h1"), "ask of the whole cloud"),
        (("--fail", "h1", "--any", "2"), "one of them"),
        (("--any", "0"), "1 to 20"),
        (("--fail", ","), "HOST,HOST"),
        (("-c", "retruns"), "did you mean returns?"),
    ],
)
def test_what_cannot_be_meant(small: Mapping[str, str], words: tuple[str, ...], cure: str) -> None:
    typed = koboshi("forecast", *words, environ=small)
    assert typed.code == ExitCode.USAGE
    assert cure in typed.err


def test_a_host_may_be_stopped_or_not(small: Mapping[str, str]) -> None:
    safe = koboshi("host", "ok-to-stop", "h4", environ=small)
    assert (safe.code, "may be stopped" in safe.out) == (ExitCode.DONE, True)
    unsafe = koboshi("host", "ok-to-stop", "h1", environ=small)
    assert unsafe.code == ExitCode.REFUSED
    assert "1 of 3 servers would stay down" in unsafe.out
    told = koboshi("host", "ok-to-stop", "h1", "-f", "json", environ=small).json()
    assert (told["safe"], told["reasons"][0]["servers"][0]["name"]) == (False, "cache")
    assert koboshi("host", "ok-to-stop", environ=small).code == ExitCode.USAGE
    assert koboshi("host", "ok-to-stop", "h9", environ=small).code == ExitCode.USAGE


def test_a_time_bomb_is_shown_with_its_cure(portal: BlockingPortal, tmp_path: Path) -> None:
    with cloud(portal, tmp_path, BOMBED) as (_, environ):
        typed = on_terminal("forecast", environ={**environ, "COLUMNS": "80"})
        (bomb,) = koboshi("forecast", "-f", "json", environ=environ).json()["time_bombs"]
        stop = koboshi("host", "ok-to-stop", "h1", environ=environ)
        checks = koboshi("check", "-f", "json", environ=environ).json()
    assert typed.code == ExitCode.PARTLY
    assert "WHERE instance_uuid='web' AND migration_type='evacuation' AND status IN" in typed.out
    assert (bomb["host"], bomb["name"], bomb["destroys_a_server_now"]) == ("h1", "web", True)
    assert stop.code == ExitCode.REFUSED
    assert "time bomb on h1" in stop.out
    (row,) = [c for c in checks if c["check"] == "time bomb"]
    assert (row["subject"], row["result"], row["cure"]) == ("h1", "warn", bomb["cure"])


def test_no_cloud_says_what_to_mend() -> None:
    typed = koboshi("forecast", environ={"HOME": "/nonexistent"})
    assert (typed.code, typed.out) == (ExitCode.ERROR, "")
    assert "clouds.yaml" in typed.err


@pytest.mark.parametrize("servers", [40, 490])
def test_the_number_of_calls_does_not_grow_with_servers(
    portal: BlockingPortal, tmp_path: Path, servers: int
) -> None:
    with cloud(portal, tmp_path, large(servers)) as (face, environ):
        began_s = time.process_time()
        typed = koboshi("forecast", "-f", "json", environ=environ)
        took_s = time.process_time() - began_s
    assert typed.json()["servers"] == servers
    assert sum(face.calls.values()) == CALLS, face.calls
    assert took_s < 5, "a second of its own, and the cloud's answers"


CALLS = 15
"""A question each, and two for records, images and room; groups and a token take one here."""


def test_five_hundred_servers_are_a_page_more(portal: BlockingPortal, tmp_path: Path) -> None:
    with cloud(portal, tmp_path, large(500)) as (face, environ):
        koboshi("forecast", environ=environ)
    assert sum(face.calls.values()) == CALLS + 1
