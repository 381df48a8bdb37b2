"""Twenty hosts with one cause are one notice that names them all; two hosts are two."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from koboshi.domain.memory.events import Event, HostFoundDown, HostNoticeCleared, HostNoticed
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName
from koboshi.engine.tell import Teller
from koboshi.ports.journal import Recorded
from koboshi.ports.notify import Notice, Severity
from koboshi.rehearsal.play import Played, play
from koboshi.rehearsal.scenario import load_scenario
from koboshi.sim.notifier import SimNotifier
from tests.fakes.scene import ago

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
TWENTY = {f"h{n}" for n in range(1, 21)}


class Told:
    """A teller, told one transaction after another."""

    def __init__(self) -> None:
        self.notifier = SimNotifier()
        self.teller = Teller(self.notifier, "test")
        self.seq = 0

    def of(self, events: Iterable[Event]) -> list[Notice]:
        """Return the notices of one transaction."""
        before = len(self.notifier.notices)
        for event in events:
            self.seq += 1
            self.teller(Recorded(seq=self.seq, at=ago(1), event=event), State())
        self.teller.flush()
        return self.notifier.notices[before:]


def noticed(hosts: Iterable[str], topic: str = "silent_unconfirmed") -> list[Event]:
    return [HostNoticed(host=HostName(h), topic=topic, text=f"{h} is silent") for h in hosts]


def over(hosts: Iterable[str], topic: str = "silent_unconfirmed") -> list[Event]:
    return [HostNoticeCleared(host=HostName(h), topic=topic) for h in hosts]


def test_many_hosts_at_once_are_one_notice_with_every_name() -> None:
    (notice,) = Told().of(noticed(["h1", "h2", "h3"]))
    assert notice.severity is Severity.CRITICAL
    assert (notice.host, notice.key) == (None, "test/silent_unconfirmed")
    assert notice.summary.startswith("3 hosts at once")
    assert "(h1, h2, h3)" in notice.summary
    assert "h1 is silent" in notice.summary


def test_two_hosts_are_two_notices() -> None:
    told = Told()
    assert [n.host for n in told.of(noticed(["h1", "h2"]))] == ["h1", "h2"]
    assert [n.host for n in told.of(over(["h1", "h2"]))] == ["h1", "h2"]


def test_what_is_each_hosts_own_stays_each_hosts_own() -> None:
    assert len(Told().of(noticed(["h1", "h2", "h3"], "stale_record/7"))) == 3


def test_two_matters_are_two_notices() -> None:
    hosts = ["h1", "h2", "h3"]
    assert len(Told().of([*noticed(hosts), *noticed(hosts, "bmc_unreadable")])) == 2


def test_the_end_is_told_of_those_who_are_well_and_of_those_who_are_not() -> None:
    told = Told()
    told.of(noticed(["h1", "h2", "h3"]))
    (first,) = told.of(over(["h1", "h3"]))
    assert first.summary == "h1, h3: 'silent_unconfirmed' is over; it goes on for h2"
    (last,) = told.of(over(["h2"]))
    assert last.summary == "h2: 'silent_unconfirmed' is over, and for all"
    assert {first.key, last.key} == {"test/silent_unconfirmed"}


def found_down(hosts: Iterable[str]) -> list[Event]:
    return [HostFoundDown(host=HostName(h)) for h in hosts]


def test_forty_hosts_found_down_at_the_first_start_are_one_notice_that_names_the_first() -> None:
    (notice,) = Told().of(found_down(f"h{n:02}" for n in range(1, 41)))
    assert (notice.severity, notice.host, notice.key) == (
        Severity.CRITICAL,
        None,
        "test/found_down",
    )
    assert notice.summary.startswith("40 hosts at once")
    assert "koboshi host confirm-dead HOST" in notice.summary
    assert "h01, h02" in notice.summary
    assert "h20 and 20 more: koboshi host list" in notice.summary
    assert "h21" not in notice.summary


def test_two_hosts_found_down_are_two_notices() -> None:
    told = Told().of(found_down(["h1", "h2"]))
    assert [(n.host, n.key) for n in told] == [
        ("h1", "test/h1/found_down"),
        ("h2", "test/h2/found_down"),
    ]


@cache
def played(name: str) -> Played:
    scenario = load_scenario(SCENARIOS / name)
    return play(scenario.cloud, scenario.script, scenario.settings)


def test_our_own_uplink_is_told_in_a_handful_of_notices_that_name_all_hosts() -> None:
    notices = played("twenty-hosts-uplink-down").notices
    kinds = [n.kind for n in notices]
    assert kinds == [
        "brake_held",
        "host_noticed",
        "host_noticed",
        "host_notice_cleared",
        "brake_released",
    ]
    for notice in notices[1:3]:
        assert set(notice.summary.partition("(")[2].partition(")")[0].split(", ")) == TWENTY


@pytest.mark.parametrize("of", ["bus", "api", "database"])
def test_a_control_plane_that_was_away_leaves_no_host_as_failed(of: str) -> None:
    """Not when it comes back either: heartbeats come again before anybody is called late."""
    notices = played(f"twenty-hosts-{of}-down").notices
    assert [n.kind for n in notices] == ["brake_held", "brake_released"]


def test_hosts_that_were_down_before_the_first_start_are_one_notice_and_each_its_own_event() -> (
    None
):
    told = played("many-found-down")
    (notice,) = [n for n in told.notices if n.kind == "host_found_down"]
    assert "(h1, h2, h3, h4, h5)" in notice.summary
    found = [r.event.host for r in told.recorded if isinstance(r.event, HostFoundDown)]
    assert sorted(found) == ["h1", "h2", "h3", "h4", "h5"]
