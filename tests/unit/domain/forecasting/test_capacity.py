"""Real packing: order, slots, zones, groups, traits, aggregates, pools; and for want of what not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Demand, Room
from koboshi.domain.forecasting.capacity import Field, Pacing, Spot, Turn, bring_back
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.rehearsal.windows import shortened

H1, H2, H3 = map(HostName, ("h1", "h2", "h3"))


def candidate(name: str, ram_mb: int = 1000, **more: object) -> Candidate:
    demand = Demand(vcpus=1, ram_mb=ram_mb, disk_gb=0)
    base = Candidate(
        server=ServerId(name),
        name=name,
        treatment=Treatment.EVACUATE,
        reason="",
        local_disks=(),
        demand=demand,
        availability_zone="",
        vm_state="active",
    )
    return replace(base, **more)  # pyright: ignore[reportArgumentType] fields by their names


def spot(name: HostName, ram_mb: int = 4000, zone: str = "nova", **more: object) -> Spot:
    base = Spot(host=name, zone=zone, room=Room(host=name, vcpus=8, ram_mb=ram_mb, disk_gb=100))
    return replace(base, **more)  # pyright: ignore[reportArgumentType] fields by their names


def turns(on: Field, *candidates: Candidate, **rules: int) -> dict[str, Turn]:
    found = bring_back({H1: candidates}, on, replace(shortened(), **rules))
    return {t.candidate.name: t for t in found}


def test_the_larger_goes_first_to_the_roomiest() -> None:
    on = Field(spots=(spot(H2, 4000), spot(H3, 5000)))
    found = turns(on, candidate("small"), candidate("large", 3000))
    assert [(t.candidate.name, t.order, t.destination) for t in found.values()] == [
        ("large", 1, H3),
        ("small", 2, H2),
    ]


def test_the_dead_host_takes_none() -> None:
    (turn,) = turns(Field(spots=(spot(H1),)), candidate("a")).values()
    assert turn.lacking == "no other host takes servers"


def test_rooms_shrink_and_the_rest_is_told_for_want_of_what() -> None:
    on = Field(spots=(spot(H2, 1500), spot(H3, 1500)))
    found = turns(on, *(candidate(n) for n in "abc"))
    assert [t.destination for t in found.values()] == [H2, H3, None]
    assert found["c"].lacking == (
        "1000 MiB, 1 vCPU: none of 2 other hosts takes it: too little memory (2)"
    )


def test_a_zone_is_kept_to() -> None:
    on = Field(spots=(spot(H2), spot(H3, zone="z2")))
    found = turns(
        on, candidate("a", availability_zone="z2"), candidate("b", availability_zone="z3")
    )
    assert found["a"].destination == H3
    assert "not in its zone z3 (2)" in found["b"].lacking


def test_a_group_stays_apart_and_one_goes_at_a_time() -> None:
    names = frozenset(map(ServerId, "abc"))
    three = [candidate(n, separate_from=names - {ServerId(n)}) for n in "abc"]
    found = turns(Field(spots=(spot(H2), spot(H3))), *three)
    assert {found["a"].destination, found["b"].destination} == {H2, H3}
    assert found["b"].begins == found["a"].ends
    assert "another member of its anti-affinity group is there (2)" in found["c"].lacking


def test_a_member_elsewhere_counts() -> None:
    apart = candidate("a", separate_from=frozenset({ServerId("z")}))
    on = Field(spots=(spot(H2), spot(H3)), where={ServerId("z"): H3})
    assert turns(on, apart)["a"].destination == H2


def test_a_trait_is_asked_for() -> None:
    demand = Demand(vcpus=1, ram_mb=1, disk_gb=0, required_traits=frozenset({"CUSTOM_GPU"}))
    on = Field(spots=(spot(H2), spot(H3, traits=frozenset({"CUSTOM_GPU"}))))
    assert turns(on, candidate("a", demand=demand))["a"].destination == H3
    nowhere = turns(Field(spots=(spot(H2),)), candidate("a", demand=demand))["a"]
    assert "without trait CUSTOM_GPU (1)" in nowhere.lacking


def test_a_filter_of_novas_is_asked() -> None:
    on = Field(
        spots=(spot(H2), spot(H3)),
        hinders=lambda _, host: "in no aggregate with ssd=true" if host == H2 else None,
    )
    assert turns(on, candidate("a"))["a"].destination == H3


def test_hosts_that_share_a_pool_share_its_room() -> None:
    room = Room(host=H2, vcpus=8, ram_mb=4000, disk_gb=10)
    on = Field(
        spots=(
            spot(H2, room=room, pool="nfs"),
            spot(H3, room=replace(room, host=H3), pool="nfs"),
        )
    )
    demand = Demand(vcpus=1, ram_mb=1, disk_gb=6)
    found = turns(on, candidate("a", demand=demand), candidate("b", demand=demand))
    assert found["a"].destination is not None
    assert "too little disk (2)" in found["b"].lacking


@pytest.mark.parametrize(("window", "last_begins_s"), [(8, 25), (1, 55)])
def test_slots_and_the_window_make_the_others_wait(window: int, last_begins_s: int) -> None:
    found = turns(Field(spots=(spot(H2),)), *(candidate(n) for n in "abcd"), window=window)
    assert max(t.begins for t in found.values()) == timedelta(seconds=last_begins_s)
    assert all(t.destination == H2 for t in found.values())


def test_rebuilds_go_last_and_one_by_one_to_a_host() -> None:
    rebuilds = [candidate(n, treatment=Treatment.REBUILD) for n in "ab"]
    found = turns(Field(spots=(spot(H2),)), *rebuilds, candidate("c"))
    assert found["c"].order == 1
    assert found["b"].begins >= found["a"].ends == Pacing().first + Pacing().rebuild


def test_several_hosts_take_turns_and_are_no_destination() -> None:
    on = Field(spots=(spot(H1), spot(H2), spot(H3, 9000)))
    dead = {H1: [candidate("a"), candidate("b")], H2: [candidate("c")]}
    found = bring_back(dead, on, replace(shortened(), per_destination=8))
    assert [t.candidate.name for t in found] == ["a", "c", "b"]
    assert {t.destination for t in found} == {H3}
