"""The sweep: everything once, then what changed, and a page of everything again each time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from koboshi.domain.errors import CloudUnavailable, MarkerGone
from koboshi.domain.facts.cloud import ComputeService, Server
from koboshi.domain.facts.sweep import SweptServer
from koboshi.domain.names import HostName, ServerId, ServiceId
from koboshi.domain.policies.policy import swept
from koboshi.engine.pace import Pace
from koboshi.engine.sweeping import OVERLAP, Sweeper
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.cloud import SweptPage
from koboshi.sim.nova import SimCloud
from koboshi.sim.samples import host, server
from koboshi.sim.virtual_time import BEGINNING, VirtualClock
from tests.fakes.scene import at

pytestmark = pytest.mark.anyio

PAGE = 3
NOVA = BEGINNING + timedelta(days=1)


class PagedCloud(SimCloud):
    """Lists three servers a page, newest first, as the API does, and remembers what it was asked."""

    def __init__(self, rows: Sequence[Server]) -> None:
        super().__init__([host(n) for n in range(1, 4)])
        self.table = {row.id: row for row in rows}
        self.changed: dict[ServerId, SweptServer] = {}
        self.asked: list[tuple[datetime | None, ServerId | None]] = []
        self.fails_at: int | None = None
        self.lost_markers: set[ServerId] = set()
        self.hidden: set[ServerId] = set()
        """Servers of a cell that does not answer."""

    async def sweep(
        self, *, since: datetime | None = None, after: ServerId | None = None
    ) -> SweptPage:
        self.asked.append((since, after))
        if self.fails_at == len(self.asked):
            self.fails_at = None
            raise CloudUnavailable("500")
        if after in self.lost_markers:
            raise MarkerGone("marker not found")
        rows = list(self.changed.values()) if since else [swept(r) for r in self.table.values()]
        rows = [row for row in rows if row.id not in self.hidden]
        first = [r.id for r in rows].index(after) + 1 if after else 0
        return SweptPage(rows=tuple(rows[first : first + PAGE]), has_next=first + PAGE < len(rows))

    async def server(self, server: ServerId) -> Server | None:
        if server in self.hidden:
            raise CloudUnavailable("its cell does not answer")
        return self.table.get(server)

    def change(self, server: ServerId, **changes: Any) -> Server:
        row = replace(self.table[server], **changes)
        self.table[server], self.changed[server] = row, swept(row)
        return row

    def asked_for(self) -> list[str]:
        """Return in brief what was asked since the last time: all or changes, and after whom."""
        asked = [f"{'changes' if since else 'all'}:{after or ''}" for since, after in self.asked]
        self.asked.clear()
        return asked


class Scene:
    """A sweeper and what it reads."""

    def __init__(self, servers: int = 7, pace: Pace | None = None) -> None:
        self.cloud = PagedCloud([server(f"s{n}") for n in range(servers)])
        self.board = Whiteboard(at(0), frozenset())
        self.sweeper = Sweeper(
            board=self.board, clock=VirtualClock(), cloud=self.cloud, pace=pace or Pace()
        )
        self.nova(0)

    def nova(self, elapsed_s: float, *, cell_down: bool = False) -> None:
        """Let Nova's services be read."""
        row = ComputeService(
            host=HostName("h1"),
            binary="nova-compute",
            id=None if cell_down else ServiceId("h1"),
            up=None if cell_down else True,
            updated_at=None if cell_down else NOVA + timedelta(seconds=elapsed_s),
        )
        self.board.see_services([row], at(elapsed_s), at(elapsed_s))

    def known(self) -> dict[str, str]:
        sweep = self.board.world.sweep
        assert sweep is not None
        return {server: seen.vm_state for server, seen in sweep.servers.items()}


async def test_everything_is_listed_once_and_then_what_changed() -> None:
    s = Scene()
    await s.sweeper.sweep()
    assert s.cloud.asked_for() == ["all:", "all:s2", "all:s5"]
    assert len(s.known()) == 7
    s.cloud.change(ServerId("s3"), vm_state="error")
    await s.sweeper.sweep()
    assert s.cloud.asked[0] == (NOVA - OVERLAP, None)
    assert s.known()["s3"] == "error"
    assert s.cloud.asked_for() == ["changes:", "all:"]


async def test_requests_do_not_grow_with_the_cloud() -> None:
    s = Scene(servers=500)
    await s.sweeper.sweep()
    s.cloud.asked_for()
    for _ in range(5):
        await s.sweeper.sweep()
    assert len(s.cloud.asked) == 10


async def test_each_question_reaches_back_behind_the_beginning_of_the_last_one() -> None:
    s = Scene()
    await s.sweeper.sweep()
    for elapsed_s in (60, 120):
        s.nova(elapsed_s)
        await s.sweeper.sweep()
    since = [since for since, _ in s.cloud.asked if since is not None]
    assert since == [NOVA - OVERLAP, NOVA + timedelta(seconds=60) - OVERLAP]


async def test_what_failed_is_asked_again_with_all_its_changes() -> None:
    s = Scene()
    await s.sweeper.sweep()
    s.nova(60)
    s.cloud.fails_at = len(s.cloud.asked) + 1
    with pytest.raises(CloudUnavailable):
        await s.sweeper.sweep()
    s.nova(120)
    await s.sweeper.sweep()
    assert s.cloud.asked[-2][0] == NOVA - OVERLAP


async def test_a_first_listing_that_fails_goes_on_where_it_stopped() -> None:
    s = Scene()
    s.cloud.fails_at = 2
    with pytest.raises(CloudUnavailable):
        await s.sweeper.sweep()
    assert s.board.world.sweep is None
    s.nova(60)
    await s.sweeper.sweep()
    assert len(s.known()) == 7
    assert s.cloud.asked_for() == ["all:", "all:s2", "all:s2", "all:s5"]
    await s.sweeper.sweep()  # what changed on the first page meanwhile is not lost
    assert s.cloud.asked[0] == (NOVA - OVERLAP, None)


async def test_a_deleted_server_is_dropped() -> None:
    s = Scene()
    await s.sweeper.sweep()
    s.cloud.changed[ServerId("s4")] = SweptServer(id=ServerId("s4"), seen=None)
    await s.sweeper.sweep()
    assert "s4" not in s.known()


async def test_what_no_change_told_is_found_by_listing_everything_again() -> None:
    s = Scene()
    await s.sweeper.sweep()
    s.cloud.table[ServerId("s6")] = server("s6", vm_state="stopped")
    s.cloud.table[ServerId("new")] = server("new")
    for _ in range(3):
        await s.sweeper.sweep()
    assert s.known()["s6"] == "stopped"
    assert "new" in s.known()


async def test_a_server_that_is_not_listed_any_more_is_dropped_once_nova_says_that_it_is_gone() -> (
    None
):
    s = Scene()
    await s.sweeper.sweep()
    del s.cloud.table[ServerId("s4")]
    for _ in range(2 * 3):
        await s.sweeper.sweep()
    assert "s4" not in s.known()
    assert len(s.known()) == 6


async def test_servers_of_a_cell_that_does_not_answer_are_kept() -> None:
    s = Scene()
    await s.sweeper.sweep()
    s.cloud.hidden = {ServerId("s1"), ServerId("s2")}
    for _ in range(12):
        try:
            await s.sweeper.sweep()
        except CloudUnavailable:
            continue
    assert len(s.known()) == 7


async def test_while_a_cell_does_not_answer_its_changes_are_asked_for_again_and_again() -> None:
    s = Scene()
    await s.sweeper.sweep()
    for elapsed_s in (60, 600):
        s.nova(elapsed_s, cell_down=True)
        await s.sweeper.sweep()
    s.nova(660)
    await s.sweeper.sweep()
    assert {since for since, _ in s.cloud.asked if since is not None} == {NOVA - OVERLAP}


async def test_a_list_that_lacked_a_cell_is_read_whole_again() -> None:
    s = Scene()
    s.nova(1, cell_down=True)
    s.cloud.hidden = {ServerId("s1"), ServerId("s2")}
    await s.sweeper.sweep()
    assert len(s.known()) == 5
    s.cloud.hidden.clear()
    s.nova(60)
    await s.sweeper.sweep()
    assert len(s.known()) == 7


async def test_a_marker_that_is_gone_is_stepped_over() -> None:
    s = Scene()
    s.cloud.lost_markers = {ServerId("s2"), ServerId("s5")}
    await s.sweeper.sweep()
    assert s.cloud.asked_for() == ["all:", "all:s2", "all:s1", "all:s4"]
    assert len(s.known()) == 7


async def test_a_round_of_listing_takes_no_longer_than_it_may() -> None:
    s = Scene(servers=90, pace=Pace(sweep_again=timedelta(minutes=10)))
    await s.sweeper.sweep()
    s.cloud.asked_for()
    await s.sweeper.sweep()
    assert [a for a in s.cloud.asked_for() if a.startswith("all")] == ["all:", "all:s2", "all:s5"]


async def test_soon_sweeps_ask_for_changes_alone_but_once_a_pause() -> None:
    s = Scene(servers=500)
    await s.sweeper.sweep()
    await s.sweeper.sweep()
    s.cloud.asked_for()
    await s.sweeper.sweep_soon()
    assert [since is not None for since, _ in s.cloud.asked] == [True]
