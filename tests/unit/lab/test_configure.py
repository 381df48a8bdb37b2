"""The configuration files that the lab renders."""

import configparser
import tomllib
from pathlib import Path

import pytest
import yaml

from lab import Settings, configure, layout
from lab.layout import Layout
from lab.settings import INTERVALS

CHECKOUT = Path(layout.__file__).parent.parent


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "templates").symlink_to(CHECKOUT / "lab" / "templates")
    return Layout(tmp_path)


def parse(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True)
    parser.read_string(text)
    return parser


def test_every_placeholder_of_every_template_is_filled_in(place: Layout) -> None:
    files = configure.render(place, Settings(hosts=2))

    assert {"nova.conf", "cmp1.conf", "cmp2.conf", "my.cnf"} <= {p.name for p in files}
    assert not [p.name for p, text in files.items() if "$" in text]


@pytest.mark.parametrize(("intervals", "report", "down"), [("fast", 2, 6), ("default", 10, 60)])
def test_the_intervals_reach_nova(place: Layout, intervals: str, report: int, down: int) -> None:
    files = configure.render(place, Settings(intervals=intervals))

    nova = parse(files[place.etc / "nova.conf"])
    assert nova.getint("DEFAULT", "report_interval") == report
    assert nova.getint("DEFAULT", "service_down_time") == down


def test_what_a_compute_host_reads_holds_no_database(place: Layout) -> None:
    files = configure.render(place, Settings())

    read_there = [text for p, text in files.items() if p.name in ("nova.conf", "cmp1.conf")]
    assert not [text for text in read_there if "mysql" in text]


def test_each_host_has_its_own_address_and_state(place: Layout) -> None:
    files = configure.render(place, Settings(hosts=2))

    one, two = (parse(files[place.etc / f"cmp{n}.conf"])["DEFAULT"] for n in (1, 2))
    assert one["my_ip"] == layout.host_ip("cmp1")
    assert one["state_path"] != two["state_path"]


def test_files_with_passwords_are_for_the_owner_only(place: Layout) -> None:
    configure.write(place, Settings(hosts=1))

    secret = [*place.etc.iterdir(), place.clouds_yaml, place.koboshi_toml]
    assert {p.stat().st_mode & 0o777 for p in secret} == {0o600}


def test_clouds_yaml_names_an_administrator_and_a_plain_member(place: Layout) -> None:
    clouds = yaml.safe_load(configure.clouds_yaml(place))["clouds"]

    assert clouds["lab"]["auth"]["username"] == "admin"
    assert clouds["lab-member"]["auth"]["project_name"] == "member"
    assert clouds["lab"]["auth"]["password"] != clouds["lab-member"]["auth"]["password"]


def test_koboshi_finds_each_hosts_bmc(place: Layout) -> None:
    text = configure.koboshi_toml(place, Settings(hosts=3), "secret-of-the-bmc")

    found = tomllib.loads(text)
    assert found["mode"] == "act"
    assert found["fencing"]["defaults"]["password"] == "secret-of-the-bmc"
    assert found["fencing"]["hosts"]["cmp3"] == {
        "type": "redfish",
        "url": "http://10.77.2.3:8000",
        "system_id": layout.system_id("cmp3"),
    }


@pytest.mark.parametrize("intervals", ["fast", "default"])
def test_a_fresh_koboshi_sees_two_heartbeats_before_it_judges(
    place: Layout, intervals: str
) -> None:
    text = configure.koboshi_toml(place, Settings(intervals=intervals), "secret")

    new_evidence_s = int(tomllib.loads(text)["windows"]["new_evidence"].removesuffix("s"))
    assert new_evidence_s >= 2 * INTERVALS[intervals][0]
