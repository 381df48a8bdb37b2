"""Servers that return only if Nova finds a host, and projects that are named: what a person reads."""

from collections.abc import Iterator, Mapping

import pytest
from anyio.from_thread import start_blocking_portal

from koboshi.cli.exit_codes import ExitCode
from koboshi.rehearsal.spec import CloudSpec, Disks, ImageSpec, PortSpec, ServerSpec
from koboshi.sim.http.users import ADMIN, READER

from .terminal import koboshi, on_terminal
from .test_forecast import cloud

UNSURE = CloudSpec(
    hosts=3,
    image={
        "pinned": ImageSpec(properties={"hw_cpu_policy": "dedicated"}),
        "fast": ImageSpec(properties={"trait:CUSTOM_FAST": "required"}),
    },
    server={
        "plain": ServerSpec(host="h1", project=READER.project_id),
        "by_image": ServerSpec(
            host="h1",
            disks=Disks.IMAGE,
            image="pinned",
            metadata={"koboshi:on-local-disk": "rebuild"},
        ),
        "by_volume": ServerSpec(host="h1", image="pinned"),
        "sriov": ServerSpec(host="h1"),
        "bandwidth": ServerSpec(host="h1"),
        "fast": ServerSpec(host="h1", image="fast"),
        "other": ServerSpec(host="h2"),
    },
    port={
        "p1": PortSpec(server="sriov", vnic_type="direct"),
        "p2": PortSpec(server="bandwidth", resources=("NET_BW_EGR_KILOBIT_PER_SEC",)),
    },
)
ASKS = {
    "by_image": "hw_cpu_policy",
    "by_volume": "hw_cpu_policy",
    "sriov": "a port of type direct",
    "bandwidth": "a port with NET_BW_EGR_KILOBIT_PER_SEC",
}


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment of a cloud whose servers ask for what is not counted."""
    with (
        start_blocking_portal() as portal,
        cloud(portal, tmp_path_factory.mktemp("unsure"), UNSURE) as (_, environ),
    ):
        yield environ


def test_each_server_says_what_is_not_counted(unsure: Mapping[str, str]) -> None:
    rows = koboshi("forecast", "--host", "h1", "-f", "json", environ=unsure).json()
    assert {r["name"]: r["not_counted"] for r in rows if r["not_counted"]} == ASKS
    outcomes = {r["name"]: r["outcome"] for r in rows}
    assert outcomes["by_image"] == "returns_empty"
    assert outcomes["sriov"] == outcomes["plain"] == "returns"
    assert outcomes["fast"] == "waits"
    rows = koboshi("forecast", "--fail", "h1", "-f", "json", environ=unsure).json()
    assert {r["name"]: r["not_counted"] for r in rows if r["not_counted"]} == ASKS


def test_the_counts_tell_them_apart(unsure: Mapping[str, str]) -> None:
    told = koboshi("forecast", "-f", "json", environ=unsure).json()
    assert (told["returns"], told["returns_empty"], told["if_nova_finds_a_host"]) == (5, 1, 4)
    h1, h2, _ = told["by_host"]
    assert (h1["returns"], h1["if_nova_finds_a_host"], h2["if_nova_finds_a_host"]) == (4, 4, 0)
    assert told["may_die"][0]["verdict"] == "refuted"


@pytest.mark.parametrize("width", ["80", "140"])
def test_the_summary_tells_them_apart(unsure: Mapping[str, str], width: str) -> None:
    environ = {**unsure, "COLUMNS": width, "NO_COLOR": "1"}
    text = on_terminal("forecast", environ=environ).out
    assert "2 return" in text
    assert "3 return if" in text
    assert "1 return empty if" in text
    assert "Nova finds a host: they ask for what is not counted" in text
    drawn = on_terminal("forecast", "--fail", "h1", environ=environ).out
    assert "? 3 return if Nova finds a host" in drawn


def test_nobody_may_stop_their_host(unsure: Mapping[str, str]) -> None:
    typed = koboshi("host", "ok-to-stop", "h1", "-f", "json", environ=unsure)
    assert typed.code == ExitCode.REFUSED
    (reason,) = [r for r in typed.json()["reasons"] if "is not known" in r["why"]]
    assert {s["name"]: s["not_counted"] for s in reason["servers"]} == ASKS
    assert koboshi("host", "ok-to-stop", "h2", environ=unsure).code == ExitCode.DONE


@pytest.mark.parametrize("named", [READER.project_id, READER.project])
def test_a_project_by_its_id_or_its_name(unsure: Mapping[str, str], named: str) -> None:
    typed = koboshi("forecast", "--project", named, "-f", "json", environ=unsure)
    assert typed.code == ExitCode.DONE
    assert [r["name"] for r in typed.json()] == ["plain"]


def test_a_project_without_servers_has_none(unsure: Mapping[str, str]) -> None:
    typed = koboshi("forecast", "--project", ADMIN.project, environ=unsure)
    assert (typed.code, typed.out) == (ExitCode.DONE, "")
    assert "no server on a host" in typed.err


@pytest.mark.parametrize(
    ("named", "cure"),
    [("dmeo", "did you mean demo?"), ("zzz", "list them with: openstack project list")],
)
def test_a_project_that_is_not_there(unsure: Mapping[str, str], named: str, cure: str) -> None:
    typed = koboshi("forecast", "--project", named, environ=unsure)
    assert (typed.code, typed.out) == (ExitCode.USAGE, "")
    assert f"Keystone has no project '{named}', by id or by name; {cure}" in typed.err
