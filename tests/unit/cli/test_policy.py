"""`koboshi policy explain` and `koboshi why-not`, against a cloud on a port."""

from collections.abc import Iterator, Mapping

import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from koboshi.api.build import incident_detail
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.policy import what_would_change
from koboshi.domain.incidents.incident import IncidentState
from koboshi.rehearsal.spec import AggregateSpec, CloudSpec, Disks, ImageSpec, ServerSpec
from tests.unit.api.story import DB, INCIDENT, recorded, state

from .terminal import koboshi
from .test_forecast import cloud

KEY = "koboshi:on_local_disk"
CLOUD = CloudSpec(
    hosts=3,
    server={
        "web": ServerSpec(host="h1", metadata={"koboshi:priority": "high"}),
        "ci": ServerSpec(host="h1", disks=Disks.IMAGE, image="cattle", tags=(f"{KEY}=hold",)),
        "worker": ServerSpec(host="h1", disks=Disks.IMAGE, image="cattle"),
        "typo": ServerSpec(host="h2", disks=Disks.IMAGE, metadata={KEY: "hodl", "koboshi:x": "y"}),
        "out": ServerSpec(host="h2", metadata={"HA_Enabled": "False"}),
        "late": ServerSpec(host="h2", metadata={"koboshi:after": "wbe, app"}),
        "app": ServerSpec(host="h2", metadata={"koboshi:after": "late"}),
    },
    image={"cattle": ImageSpec(properties={KEY: "rebuild-after=30m"})},
    aggregate={"batch": AggregateSpec(hosts=("h1",), metadata={"koboshi:priority": "low"})},
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with (
        start_blocking_portal() as portal,
        cloud(portal, tmp_path_factory.mktemp("policy"), CLOUD) as (_, environ),
    ):
        state = tmp_path_factory.mktemp("state")
        yield environ | {"KOBOSHI_STATE_DIR": str(state)}


def test_each_key_tells_where_it_is_from_and_what_it_overrode(served: Mapping[str, str]) -> None:
    typed = koboshi("policy", "explain", "ci", "-f", "json", environ=served)
    assert typed.code == ExitCode.DONE
    keys = {k["key"]: k for k in typed.json()["keys"]}
    assert keys["on_local_disk"]["value"] == "hold"
    assert keys["on_local_disk"]["from"] == f"tag {KEY}=hold"
    assert keys["on_local_disk"]["overrode"][0].startswith(f"image cattle {KEY} = rebuild-after")
    assert (keys["priority"]["value"], keys["priority"]["from"]) == (
        "low",
        "aggregate batch koboshi:priority",
    )


def test_what_cannot_count_is_told_with_its_cure(served: Mapping[str, str]) -> None:
    typed = koboshi("policy", "explain", "typo", environ=served)
    assert typed.code == ExitCode.PARTLY
    assert "▲ metadata koboshi:on_local_disk: 'hodl' cannot be read" in typed.out
    assert "cure: did you mean hold?" in typed.out
    assert "there is no key koboshi:x" in typed.out
    told = yaml.safe_load(koboshi("policy", "explain", "typo", "-f", "yaml", environ=served).out)
    assert len(told["findings"]) == 2


def test_waits_that_would_be_in_vain_are_told_beforehand(served: Mapping[str, str]) -> None:
    typed = koboshi("policy", "explain", "late", environ=served)
    assert typed.code == ExitCode.PARTLY
    assert "▲ metadata koboshi:after: its project has no server wbe" in typed.out
    assert "cure: did you mean web?" in typed.out
    assert "late waits for app waits for late: in a circle nobody waits" in typed.out
    checked = koboshi("check", environ=served)
    assert "its project has no server wbe" in " ".join(checked.out.split())


@pytest.mark.parametrize(
    ("server", "state", "word"),
    [
        ("web", "returns", "nothing of it lies"),
        ("worker", "waits", "it waits 30m for its host"),
        ("ci", "waits", "tag koboshi:on_local_disk=hold says 'hold'"),
        ("out", "not_recoverable", "metadata HA_Enabled says 'false'"),
    ],
)
def test_why_a_server_would_not_be_recovered(
    served: Mapping[str, str], server: str, state: str, word: str
) -> None:
    told = koboshi("why-not", server, "-f", "json", environ=served).json()
    assert told["state"] == state
    assert word in told["why"]
    assert told["source"].startswith("the forecast")


@pytest.mark.parametrize("command", [("policy", "explain"), ("why-not",)])
def test_a_server_that_there_is_not(served: Mapping[str, str], command: tuple[str, ...]) -> None:
    typed = koboshi(*command, "nobody", environ=served)
    assert typed.code == ExitCode.USAGE
    assert "no server 'nobody'" in typed.err


def test_a_held_server_returns_with_its_host_or_by_a_rebuild_where_that_would_be_taken() -> None:
    told = incident_detail(state().incidents[INCIDENT], state(), recorded(), None, acts=True)
    (held,) = [r for r in told.recoveries if r.server == DB]
    show = f"the return of cmp1: koboshi incident show {INCIDENT}"
    rebuild = f"koboshi server rebuild {DB} (--dry-run shows the cost)"
    said = what_would_change(told.incident, held)
    assert said.startswith(show)
    assert said.endswith(rebuild)
    returning = told.incident.model_copy(update={"state": IncidentState.RETURNING})
    assert what_would_change(returning, held) == show
