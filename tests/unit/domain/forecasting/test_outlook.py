"""The look ahead: what is played through, what is told of it, and when the cloud is left in peace."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.outlook import Outlook, Shortfall
from koboshi.domain.forecasting.outlook import (
    TOLD_AT_ONCE,
    room_notices,
    shortfall,
    to_play,
    why_not_now,
)
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.watch import watch_hosts
from koboshi.domain.judging.calm import NO_ROOM
from koboshi.domain.memory.events import HostNoticeCleared, HostNoticed
from koboshi.domain.names import DomainName, HostName
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, Scene, ago, candidate
from tests.unit.domain.forecasting.test_survival import H2, H3, big, cloud, service

RACK = DomainName("rack1")


def short(host: str, *names: str) -> Shortfall:
    return Shortfall(hosts=(HostName(host),), servers=names, of=3, lacking="too little memory (2)")


def outlook(*found: Shortfall, trouble: str = "", hosts: int = 3) -> Outlook:
    return Outlook(at=ago(60), hosts=hosts, short=found, trouble=trouble)


def test_each_host_that_has_servers_to_evacuate_is_played_and_each_domain() -> None:
    survival = cloud(
        [server("a"), image_server("held", "h2"), server("c", "h3")],
        domains={RACK: frozenset({H1, H2}), DomainName("rack2"): frozenset({H3})},
    )
    assert list(to_play(survival)) == [((H1,), None), ((H3,), None), ((H1, H2), RACK)]


@pytest.mark.parametrize("change", [{"up": False}, {"enabled": False}, {"forced_down": True}])
def test_what_is_down_already_or_disabled_is_not(change: dict[str, bool]) -> None:
    survival = cloud([server("a")], services=[service(H1, **change), service(H2), service(H3)])
    assert list(to_play(survival)) == []


def test_a_host_whose_servers_all_find_a_place_lacks_nothing() -> None:
    assert shortfall(cloud([server("a")]), (H1,)) is None


def test_the_others_are_named_with_what_they_lack() -> None:
    found = shortfall(cloud([server("a"), big("b", "h1", 9000)]), (H1,))
    assert found is not None
    assert (found.servers, found.of) == (("b",), 2)
    assert "memory" in found.lacking


def test_a_domain_may_be_too_much_where_no_host_is() -> None:
    survival = cloud([big("a", "h1", 5000), big("b", "h2", 5000)])
    assert shortfall(survival, (H1,)) is None
    assert shortfall(survival, (H1, H2), RACK) is not None


def test_it_is_told_once_and_once_again_when_there_is_room() -> None:
    scene = Scene()
    scene.world = replace(scene.world, outlook=outlook(short("h1", "a", "b")))
    (told,) = watch_hosts(scene.picture()).events
    assert isinstance(told, HostNoticed)
    assert told.topic == NO_ROOM
    assert "2 of the 3 servers" in told.text
    assert "koboshi forecast --fail h1" in told.text
    scene.tell(5, told)
    assert not watch_hosts(scene.picture()).events
    scene.world = replace(scene.world, outlook=outlook())
    (over,) = watch_hosts(scene.picture()).events
    assert over == HostNoticeCleared(host=H1, topic=NO_ROOM)


def test_what_could_not_be_read_ends_no_notice() -> None:
    scene = Scene().tell(5, HostNoticed(host=H1, topic=NO_ROOM, text="no room"))
    assert not list(room_notices(outlook(trouble="Placement is away"), scene.state))
    assert not list(room_notices(None, scene.state))


def test_a_cloud_that_is_full_is_no_storm_of_notices() -> None:
    full = [short(f"h{n}", "a") for n in range(1, 40)]
    told = list(room_notices(outlook(*full), Scene().state))
    assert len(told) == TOLD_AT_ONCE
    assert "38 more hosts are like it" in str(told[0])
    scene = Scene().tell(5, *told)
    assert not list(room_notices(outlook(*full), scene.state))


def test_a_domain_alone_is_no_host_s_matter() -> None:
    found = replace(short("h1", "a"), hosts=(H1, H2), domain=RACK)
    assert found.domain == "rack1"
    assert not list(room_notices(outlook(found), Scene().state))


@pytest.mark.parametrize(
    ("state", "peace"),
    [(IncidentState.FENCING, True), (IncidentState.HELD, False), (IncidentState.UNPROVEN, False)],
)
def test_the_cloud_is_left_in_peace_while_a_host_is_recovered(
    state: IncidentState, *, peace: bool
) -> None:
    path = (IncidentState.FENCING, state) if state is IncidentState.UNPROVEN else (state,)
    scene = Scene().dark(for_s=60).incident(*path)
    assert (why_not_now(scene.picture()) is not None) is peace


def test_it_is_left_in_peace_while_servers_are_on_their_way_and_not_while_they_wait() -> None:
    scene = Scene().recovering(candidate(server("a")))
    assert why_not_now(scene.picture()) is None
    assert why_not_now(scene.sent().picture()) is not None
    assert why_not_now(None) is not None
