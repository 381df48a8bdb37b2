"""Who takes a server: the usual filters, and the roomiest of those that are left."""

import pytest

from koboshi.domain.facts.cloud import Demand, ServerGroup
from koboshi.domain.names import ServerId
from koboshi.sim import scheduler
from koboshi.sim.samples import server
from tests.unit.sim.lab import H1, H2, H3, A, lab

pytestmark = pytest.mark.anyio
B = ServerId("b")


async def test_the_roomiest_host_takes_it() -> None:
    async with lab([server("a"), server("b", "h3")]) as w:
        assert scheduler.choose(w.cloud, w.row(), source=H1) == H2
        w.host(H2).ram_mb = 2048
        assert scheduler.choose(w.cloud, w.row(), source=H1) == H3


async def test_neither_the_source_nor_who_is_down_or_disabled_or_full() -> None:
    async with lab([server("a")]) as w:
        assert scheduler.choose(w.cloud, w.row(), source=H1, only=H1) is None
        w.cloud.accept_service_update(H2, forced_down=True)
        assert scheduler.choose(w.cloud, w.row(), source=H1) == H3
        w.cloud.accept_service_update(H3, enabled=False)
        assert scheduler.choose(w.cloud, w.row(), source=H1) is None
        w.cloud.accept_service_update(H3, enabled=True)
        w.host(H3).vcpus = 0
        assert scheduler.choose(w.cloud, w.row(), source=H1) is None


async def test_traits_are_asked_for() -> None:
    async with lab([server("a")]) as w:
        demand = Demand(vcpus=1, ram_mb=1, disk_gb=0, required_traits=frozenset({"CUSTOM_FAST"}))
        assert not scheduler.has_room(w.cloud, H2, demand)
        w.host(H2).traits = frozenset({"CUSTOM_FAST"})
        assert scheduler.has_room(w.cloud, H2, demand)
        assert await w.cloud.room(demand) == (w.cloud.free(H2),)


async def test_members_that_must_be_apart() -> None:
    async with lab([server("a"), server("b", "h2")]) as w:
        members = frozenset({A, B})
        w.cloud.groups.append(ServerGroup(id="g", policy="anti-affinity", members=members))
        assert scheduler.choose(w.cloud, w.row(), source=H1, only=H2) is None
        assert scheduler.choose(w.cloud, w.row(), source=H1) == H3
        assert scheduler.breaks_group(w.cloud, w.row(), H2)
        assert not scheduler.breaks_group(w.cloud, w.row(), H3)


async def test_soft_policies_forbid_nothing() -> None:
    async with lab([server("a"), server("b", "h2")]) as w:
        members = frozenset({A, B})
        w.cloud.groups.append(ServerGroup(id="g", policy="soft-anti-affinity", members=members))
        assert scheduler.choose(w.cloud, w.row(), source=H1, only=H2) == H2
