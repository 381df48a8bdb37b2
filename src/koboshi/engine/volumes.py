"""What is read of Cinder: which hosts serve volumes, and the volumes of stranded servers.

A few volumes are read by id. Of many, all of the cloud are listed, page by page: that costs Cinder less
than a read for each, and it is asked in a bad hour.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import anyio

from koboshi.domain.facts.stock import Volume
from koboshi.domain.facts.world import VolumeRead, with_item
from koboshi.domain.interest import Interest
from koboshi.engine.pace import MANY_VOLUMES, Pace
from koboshi.engine.schedule import Order
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import CloudReader

T = TypeVar("T")


class Ask(Protocol):
    """Asks a question: the answer, or None when there was none."""

    def __call__(self, what: str, question: Callable[[], Awaitable[T]]) -> Awaitable[T | None]:
        """Ask `question` for `what`."""
        ...


class Volumes:
    """Reads of Cinder, and where they are written."""

    def __init__(
        self,
        *,
        board: Whiteboard,
        clock: Clock,
        cloud: CloudReader,
        pace: Pace,
        ask: Ask,
        limit: anyio.CapacityLimiter,
    ) -> None:
        self._board = board
        self._clock = clock
        self._cloud = cloud
        self._pace = pace
        self._ask = ask
        self._limit = limit

    def orders(self, interest: Interest) -> Iterator[Order]:
        """Return which volumes should be read: quickly those that Cinder has not told yet."""
        wanted, read = interest.volumes, self._board.world.volumes
        untold = frozenset(v for v in wanted if v not in read or not read[v].is_told)
        if len(untold) > MANY_VOLUMES:
            work = partial(self._all, untold)
            yield Order(key="volumes", every=self._pace.listing, work=work)
            return
        again = frozenset[str]() if len(wanted) > MANY_VOLUMES else wanted - untold
        for volumes, every in ((untold, self._pace.listing), (again, self._pace.backends)):
            for volume in volumes:
                work = partial(self._one, volume)
                yield Order(key=("volume", volume), every=every, work=work)

    async def backends(self) -> None:
        """Read which hosts serve volumes."""
        backends = await self._ask("Cinder's services", self._cloud.volume_backends)
        if backends is not None:
            self._board.world = replace(self._board.world, backends=backends)

    async def tpm_hosts(self) -> None:
        """Read which hosts can give a vTPM: where Cinder is silent, only there may somebody have one."""
        found = await self._ask("hosts with vTPMs", self._cloud.tpm_hosts)
        if found is not None:
            self._board.world = replace(self._board.world, tpm_hosts=found)

    async def _one(self, volume: str) -> None:
        async def read() -> tuple[Volume | None]:
            return (await self._cloud.volume(volume),)

        async with self._limit:
            found = await self._ask("a volume", read)
        if found is None:
            self._miss(volume)
        else:
            self._see(volume, *found)

    async def _all(self, wanted: frozenset[str]) -> None:
        found = await self._ask("all volumes", self._cloud.volumes)
        for volume in wanted:
            if found is None:
                self._miss(volume)
            else:
                self._see(volume, found.get(volume))

    def _see(self, volume: str, found: Volume | None) -> None:
        world = self._board.world
        read = VolumeRead(volume=found)
        self._board.world = replace(world, volumes=with_item(world.volumes, volume, read))

    def _miss(self, volume: str) -> None:
        """Remember since when it cannot be read; what was told before stays."""
        world = self._board.world
        if volume not in world.volumes:
            read = VolumeRead(failing_since=self._clock.now())
            self._board.world = replace(world, volumes=with_item(world.volumes, volume, read))
