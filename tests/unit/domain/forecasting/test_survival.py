"""The whole cloud: each host's death, any n deaths, time bombs, and whether a host may be stopped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Migration,
    Room,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.stock import Gap, Space, Stock, Volume
from koboshi.domain.forecasting.claims import (
    Verdict,
    any_may_die,
    domains_may_die,
    is_proved_by_bound,
)
from koboshi.domain.forecasting.forecast import Outcome, WaitsFor
from koboshi.domain.forecasting.nova_filters import aggregate_hindrance
from koboshi.domain.forecasting.stopping import ok_to_stop
from koboshi.domain.forecasting.survival import Survival, totals
from koboshi.domain.names import DomainName, HostName, MigrationId, ServerId, ServiceId
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import SMALL, image_server, server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
H1, H2, H3 = map(HostName, ("h1", "h2", "h3"))


def service(host: HostName, **more: Any) -> ComputeService:
    row = ComputeService(
        host=host,
        binary="nova-compute",
        id=ServiceId(host),
        zone="nova",
        up=True,
        updated_at=NOW,
    )
    return replace(row, **more)


def record(**more: Any) -> Migration:
    row = Migration(
        id=MigrationId("m"),
        server=ServerId("a"),
        source=H1,
        destination=H2,
        status="accepted",
        type="evacuation",
        updated_at=NOW - timedelta(days=30),
    )
    return replace(row, **more)


def cloud(
    servers: Sequence[Server],
    *,
    hosts: Sequence[HostName] = (H1, H2, H3),
    ram_mb: int = 8000,
    services: Sequence[ComputeService] | None = None,
    protected: frozenset[HostName] | None = None,
    shared_aggregates: tuple[str, ...] = (),
    domains: dict[DomainName, frozenset[HostName]] | None = None,
    **more: Any,
) -> Survival:
    facts: dict[str, Any] = {
        "services": tuple(services or map(service, hosts)),
        "hypervisors": (),
        "servers": tuple(servers),
        "volumes": {v: Volume(id=v, backend="ctl@ceph") for s in servers for v in s.volume_ids},
        "images": {},
        "spaces": tuple(
            Space(room=Room(host=h, vcpus=64, ram_mb=ram_mb, disk_gb=1000)) for h in hosts
        ),
    }
    stock = Stock(**(facts | more))
    chosen = frozenset(hosts) if protected is None else protected
    return Survival(stock, shortened(), chosen, shared_aggregates, domains)


def first(hosts: Sequence[HostName], number: int) -> Sequence[HostName]:
    return hosts[:number]


def big(name: str, on: str, ram_mb: int) -> Server:
    return server(name, on, flavor=replace(SMALL, ram_mb=ram_mb))


def test_each_host_dies_alone() -> None:
    hosts = cloud([server("a"), server("b", "h2"), image_server("c", "h2")]).each()
    assert [h.host for h in hosts] == [H1, H2, H3]
    assert totals(hosts) == {Outcome.RETURNS: 2, Outcome.WAITS: 1}


def test_who_has_no_room_waits_for_it() -> None:
    (found,) = cloud([big("a", "h1", 9000)]).if_dies(H1).servers
    assert (found.outcome, found.waits_for) == (Outcome.WAITS, WaitsFor.ROOM)
    assert "too little memory (2)" in found.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"up": False}, "down"),
        ({"up": None}, "its cell does not answer"),
        ({"forced_down": True}, "forced down"),
        ({"enabled": False, "disabled_reason": "new disk"}, "disabled (new disk)"),
    ],
)
def test_what_takes_no_servers(change: dict[str, Any], why: str) -> None:
    survival = cloud([server("a")], services=[service(H1), service(H2, **change), service(H3)])
    assert survival.if_dies(H2).closed == why
    assert [t.destination for t in survival.bring_back((H1,))] == [H3]


def test_a_host_that_is_not_protected_takes_none() -> None:
    survival = cloud([server("a")], protected=frozenset({H1, H3}))
    assert survival.if_dies(H2).closed == "not protected"
    assert [t.destination for t in survival.bring_back((H1,))] == [H3]


def test_a_host_that_placement_does_not_name_is_full() -> None:
    survival = cloud([server("a")], spaces=())
    (found,) = survival.if_dies(H1).servers
    assert found.waits_for is WaitsFor.ROOM


def test_without_placement_nothing_is_said_of_room() -> None:
    survival = cloud([server("a")], spaces=None)
    (found,) = survival.if_dies(H1).servers
    assert found.outcome is Outcome.RETURNS
    assert any_may_die(survival, 1, first).verdict is Verdict.UNKNOWN


def test_groups_are_kept_apart() -> None:
    group = ServerGroup(
        id="g", policy="anti-affinity", members=frozenset(map(ServerId, ("a", "b", "c")))
    )
    servers = [server("a"), server("b", "h2"), server("c", "h3")]
    (found,) = cloud(servers, groups=(group,)).if_dies(H1).servers
    assert "another member of its anti-affinity group is there (2)" in found.why


def test_images_that_glance_did_not_tell_keep_nobody_out() -> None:
    stock = cloud([image_server("a")], images=None).if_dies(H1)
    assert "on_local_disk = 'rebuild'" in stock.servers[0].change


def test_a_misspelt_aggregate_is_named() -> None:
    aggregates = (Aggregate(name="nfs", hosts=frozenset({H1})),)
    survival = cloud([], aggregates=aggregates, shared_aggregates=("nsf",))
    assert [(g.what, g.cure) for g in survival.gaps] == [("aggregate nsf", "there are: nfs")]


def test_a_cell_that_does_not_answer_is_a_gap() -> None:
    survival = cloud([], services=[service(H1), service(H2, up=None), service(H3, up=None)])
    (gap,) = survival.gaps
    assert gap.what == "servers of h2, h3"


# Any n hosts


def test_one_host_is_proved_by_playing_each() -> None:
    claim = any_may_die(cloud([server("a"), server("b", "h2")]), 1, first)
    assert (claim.verdict, claim.tried) == (Verdict.PROVED, 3)


def test_a_set_that_refutes_is_named_with_its_server() -> None:
    survival = cloud([big("a", "h1", 5000), big("b", "h2", 5000)])
    assert any_may_die(survival, 1, first).verdict is Verdict.PROVED
    claim = any_may_die(survival, 2, first)
    assert (claim.verdict, set(claim.by)) == (Verdict.REFUTED, {H1, H2})
    assert [t.candidate.name for t in claim.missing] == ["b"]


def test_the_death_of_an_empty_host_counts() -> None:
    survival = cloud(
        [big("a", "h1", 5000)],
        spaces=(
            Space(room=Room(host=H2, vcpus=8, ram_mb=4000, disk_gb=1)),
            Space(room=Room(host=H3, vcpus=8, ram_mb=9000, disk_gb=1)),
        ),
    )
    claim = any_may_die(survival, 2, first)
    assert (claim.verdict, set(claim.by)) == (Verdict.REFUTED, {H1, H3})


def many(number: int, ram_mb: int) -> Survival:
    hosts = [HostName(f"h{n:03}") for n in range(number)]
    servers = [big(f"s{h}", h, 1000) for h in hosts]
    return cloud(servers, hosts=hosts, ram_mb=ram_mb)


def test_a_large_cloud_is_proved_by_a_bound() -> None:
    survival = many(200, 8000)
    assert is_proved_by_bound(survival, 5)
    claim = any_may_die(survival, 5, first)
    assert (claim.verdict, claim.tried) == (Verdict.PROVED, 0)


def test_where_neither_bound_nor_sample_decides_that_is_said() -> None:
    survival = many(200, 1000)  # each takes one: 95 can die, and the bound is coarser
    assert not is_proved_by_bound(survival, 99)
    claim = any_may_die(survival, 99, lambda hosts, n: hosts[-n:])
    assert claim.verdict is Verdict.NOT_REFUTED
    assert "were tried" in claim.how


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("ram_mb", [1000, 1999, 3000, 5000])
def test_the_bound_never_proves_what_a_set_refutes(number: int, ram_mb: int) -> None:
    hosts = [HostName(f"h{n}") for n in range(7)]
    servers = [big(f"{h}-{n}", h, 600 * n + 400) for h in hosts for n in range(3)]
    survival = cloud(servers, hosts=hosts, ram_mb=ram_mb)
    if is_proved_by_bound(survival, number):
        for dead in combinations(hosts, number):
            assert all(t.destination for t in survival.bring_back(dead))


def test_each_domain_is_played_through() -> None:
    racks = {
        DomainName("rack1"): frozenset({H1, H2}),
        DomainName("rack2"): frozenset({H3}),
    }
    survival = cloud([big("a", "h1", 5000), big("b", "h2", 5000)], domains=racks)
    first_rack, second = domains_may_die(survival)
    assert (first_rack.domain, first_rack.verdict, first_rack.by) == (
        "rack1",
        Verdict.REFUTED,
        (H1, H2),
    )
    assert (second.domain, second.verdict, second.missing) == ("rack2", Verdict.PROVED, ())
    blind = cloud([], domains=racks, spaces=None)
    assert {c.verdict for c in domains_may_die(blind)} == {Verdict.UNKNOWN}


# Time bombs


def test_an_open_record_of_a_server_that_is_there_is_live() -> None:
    (bomb,) = cloud([server("a")], open_records=(record(),)).bombs
    assert bomb.is_live
    assert "the next start of nova-compute on h1 destroys its guest" in bomb.what
    assert "UPDATE migrations SET status='error' WHERE instance_uuid='a'" in bomb.cure


def test_it_waits_for_a_server_that_moved_away() -> None:
    (bomb,) = cloud([image_server("a", "h2")], open_records=(record(),)).bombs
    assert not bomb.is_live
    assert "nothing while it is on h2; once it has been moved back to h1" in bomb.what
    assert "its root for good" in bomb.what


def test_of_a_deleted_server_only_leftovers_go() -> None:
    (bomb,) = cloud([], open_records=(record(),)).bombs
    assert (bomb.is_live, bomb.server_name) == (False, "")


def test_an_evacuation_on_its_way_is_none() -> None:
    young = record(updated_at=NOW - timedelta(minutes=1))
    assert cloud([server("a")], open_records=(young, record(status="done"))).bombs == ()


# Stopping a host


def test_it_may_be_stopped_when_all_return() -> None:
    answer = ok_to_stop(cloud([server("a")]), (H1,))
    assert answer.is_safe
    assert answer.back_after == timedelta(seconds=25)
    assert ok_to_stop(cloud([]), (H3,)).is_safe


@pytest.mark.parametrize(
    ("survival", "why"),
    [
        (cloud([image_server("a")]), "1 of 1 servers would stay down"),
        (
            cloud([server("a", metadata={"HA_Enabled": "no"})]),
            "1 of 1 servers would stay down, and Koboshi would do nothing for them",
        ),
        (cloud([server("a")], open_records=(record(),)), "time bomb on h1"),
        (
            cloud(
                [server("a"), server("b", "h2")],
                services=[service(H1), service(H2, up=False), service(H3)],
            ),
            "h2 is down already",
        ),
        (
            cloud([server("a")], gaps=(Gap(what="volumes", why="HTTP 503", cure="wait"),)),
            "volumes: not known: HTTP 503",
        ),
    ],
)
def test_why_it_may_not(survival: Survival, why: str) -> None:
    answer = ok_to_stop(survival, (H1,))
    assert not answer.is_safe
    assert answer.objections[0].why.startswith(why)
    assert all(o.cure for o in answer.objections)


# Aggregates


def test_a_flavor_that_asks_for_an_aggregate() -> None:
    flavor = replace(SMALL, extra_specs={"aggregate_instance_extra_specs:ssd": "true"})
    aggregates = (Aggregate(name="fast", hosts=frozenset({H3}), metadata={"ssd": "true,yes"}),)
    survival = cloud([server("a", flavor=flavor)], aggregates=aggregates)
    assert [t.destination for t in survival.bring_back((H1,))] == [H3]
    assert not is_proved_by_bound(survival, 1)


def test_an_aggregate_that_is_kept_for_a_project() -> None:
    ours = Aggregate(name="theirs", hosts=frozenset({H2}), metadata={"filter_tenant_id2": "q"})
    survival = cloud([server("a")], aggregates=(ours,))
    assert [t.destination for t in survival.bring_back((H1,))] == [H3]
    (found,) = cloud([server("a")], hosts=(H1, H2), aggregates=(ours,)).if_dies(H1).servers
    assert "in an aggregate that is kept for other projects (1)" in found.why


def test_comparisons_are_left_to_nova() -> None:
    flavor = replace(SMALL, extra_specs={"aggregate_instance_extra_specs:n": ">= 3"})
    what = server("a", flavor=flavor)
    hinders = aggregate_hindrance((what,), ())
    candidate = cloud([what]).candidates_of(H1)[0]
    assert hinders(candidate, H2) is None
