"""The sweep: all servers once, then what changed, and a little of everything again each time.

A cloud of two hundred thousand servers has four hundred pages of them, so they are listed whole only
at the start. Afterwards each sweep asks for what changed since the one before, by Nova's own clock
and with an overlap. What that may miss (a skewed clock, a row archived at once, a metadata key that
touches no row) is found by listing everything again, slowly: a page or so in each sweep.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from koboshi.domain.errors import CloudError, MarkerGone
from koboshi.domain.facts.nova_time import nova_clock
from koboshi.domain.facts.sweep import Sighting, SweptServer, amended, sweep_of
from koboshi.domain.instant import Instant
from koboshi.domain.names import ServerId
from koboshi.domain.policies.policy import swept
from koboshi.engine.pace import Pace
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import CloudReader, SweptPage

OVERLAP = timedelta(minutes=5)
"""How far a question for changes reaches back behind the one before.

A row is stamped before its transaction is committed, the clocks of Nova's controllers differ, and a
cell that hangs is missing from lists for up to a minute before Nova's services name it.
"""
MAX_PAGES_OF_CHANGES = 1000
LOOK_FOR_MISSING_AT_ONCE = 20
"""Servers that the list does not show any more, read by id in one sweep: lists hide dead cells."""


class _Pages:
    """Walks over all pages, from where it stopped."""

    def __init__(self, cloud: CloudReader) -> None:
        self._cloud = cloud
        self._markers: list[ServerId] = []
        """The servers of the page before: the last one may be gone when the next page is asked for."""
        self.rows_a_page = 0

    async def next(self, since: datetime | None = None) -> SweptPage:
        """Return the next page; after the last one it begins anew."""
        while True:
            after = self._markers[-1] if self._markers else None
            try:
                page = await self._cloud.sweep(since=since, after=after)
            except MarkerGone:
                self._markers.pop()
                continue
            self._markers = [row.id for row in page.rows] if page.has_next else []
            self.rows_a_page = max(self.rows_a_page, len(page.rows))
            return page


class Sweeper:
    """Keeps `World.sweep` true."""

    def __init__(self, *, board: Whiteboard, clock: Clock, cloud: CloudReader, pace: Pace) -> None:
        self._board = board
        self._clock = clock
        self._cloud = cloud
        self._pace = pace
        self._since: datetime | None = None
        """Nova's time when the newest answered question was begun; None while a list is doubtful."""
        self._first = _Pages(cloud)
        self._listed: list[SweptServer] = []
        self._began: tuple[Instant, datetime | None] | None = None
        """Our and Nova's time when the first listing was begun; None while none is under way."""
        self._again = _Pages(cloud)
        self._again_at: Instant | None = None
        """When a little of everything was listed last: not as often as changes may be asked for."""
        self._unseen: set[ServerId] = set()
        """Servers that the present round of listing has not come across yet."""
        self._missing: list[ServerId] = []

    async def sweep_soon(self) -> None:
        """Ask for changes alone, but where the listing of everything is due. Raises CloudError."""
        listed = self._again_at
        due = listed is None or self._clock.now().since(listed) >= self._pace.sweep
        await self.sweep(again=due)

    async def sweep(self, *, again: bool = True) -> None:
        """Bring the sweep up to date. Raises CloudError: then the next one goes on from here.

        Without `again` only what changed is asked for.
        """
        asked_at = self._clock.now()
        nova = nova_clock(self._board.world, asked_at)
        if self._board.world.sweep is None or (self._since is None and nova is not None):
            await self._list_all(asked_at, nova)
            return
        if self._since is not None:
            await self._list_changes(self._since - OVERLAP, asked_at)
            # While a cell does not answer, what changes there is not seen: it is asked for again.
            self._since = nova or self._since
        if again:
            await self._list_again()
            self._again_at = asked_at

    async def _list_all(self, asked_at: Instant, nova: datetime | None) -> None:
        """List all pages; after a failure go on from the page that failed, as of the first question."""
        asked_at, nova = self._began = self._began or (asked_at, nova)
        while True:
            page = await self._first.next()
            self._listed += page.rows
            if not page.has_next:
                break
        listed, self._listed, self._began = self._listed, [], None
        doubtful = nova_clock(self._board.world, self._clock.now()) is None
        self._since = None if doubtful else nova
        self._board.see_sweep(sweep_of(listed, asked_at))
        self._unseen, self._missing = {row.id for row in listed}, []
        self._again.rows_a_page = self._first.rows_a_page

    async def _list_changes(self, since: datetime, asked_at: Instant) -> None:
        pages, changed = _Pages(self._cloud), list[SweptServer]()
        for _ in range(MAX_PAGES_OF_CHANGES):
            page = await pages.next(since)
            changed += page.rows
            if not page.has_next:
                break
        self._amend(changed, asked_at)

    async def _list_again(self) -> None:
        """List some pages more of everything, and look for servers that a whole round did not show."""
        for _ in range(self._pages_now()):
            asked_at = self._clock.now()
            page = await self._again.next()
            self._amend(page.rows, asked_at)
            if not page.has_next:
                self._missing += sorted(self._unseen)
                self._unseen = set(self._servers())
                break
        for _ in range(min(len(self._missing), LOOK_FOR_MISSING_AT_ONCE)):
            await self._look_for(self._missing[0])

    async def _look_for(self, server: ServerId) -> None:
        asked_at = self._clock.now()
        self._missing.remove(server)
        try:
            found = await self._cloud.server(server)
        except CloudError:
            self._missing.append(server)  # its cell may be the one that does not answer
            raise
        self._amend([swept(found) if found else SweptServer(id=server, seen=None)], asked_at)

    def _pages_now(self) -> int:
        pages = math.ceil(len(self._servers()) / max(self._again.rows_a_page, 1))
        return max(1, math.ceil(pages * (self._pace.sweep / self._pace.sweep_again)))

    def _servers(self) -> Mapping[ServerId, Sighting]:
        sweep = self._board.world.sweep
        return sweep.servers if sweep else {}

    def _amend(self, rows: Sequence[SweptServer], asked_at: Instant) -> None:
        self._unseen.difference_update(row.id for row in rows)
        sweep = self._board.world.sweep
        if sweep is not None:
            self._board.see_sweep(amended(sweep, rows, asked_at))
