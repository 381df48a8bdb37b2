"""The look ahead: now and again the whole cloud is read, and each host's death is played through.

It asks by a connection of its own, so that what it asks says nothing of how Nova does, and it works
in a thread, a twentieth of the time. While anything is wrong it leaves the cloud in peace.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from koboshi.adapters.openstack import connect, take_stock
from koboshi.daemon import wiring
from koboshi.domain.errors import KoboshiError
from koboshi.domain.facts.cloud import COMPUTE_BINARY
from koboshi.domain.facts.outlook import Outlook, Shortfall
from koboshi.domain.facts.stock import Stock
from koboshi.domain.forecasting.outlook import shortfall, to_play
from koboshi.domain.forecasting.survival import Survival
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.settings import Settings
from koboshi.settings.braking import places_of

log = structlog.get_logger(__name__)

FIRST_AFTER = timedelta(seconds=30)
"""The hosts' witnesses come first."""
LOOK_AGAIN = timedelta(seconds=30)
"""How long something that is wrong is waited for."""
READ_S = 600.0
REST = 20
"""The pause after each set of hosts, in times that it took: a twentieth of a core."""
MOST_SERVERS = 20_000
"""Of larger clouds a daemon would hold a second copy for hours: there `koboshi forecast` is asked."""

T = TypeVar("T")
TakeStock = Callable[[], Awaitable[Stock]]


def survey(settings: Settings, stock: Stock) -> Survival:
    """Return what would become of a cloud, by what the settings say of it."""
    places = places_of(settings.brake, settings.domains)
    zones = {s.host: s.zone for s in stock.services if s.binary == COMPUTE_BINARY}
    return Survival(
        stock,
        settings.rules(),
        wiring.protected_hosts(settings, stock.hypervisors),
        settings.storage.shared_aggregates,
        places.domains_of(zones, stock.aggregates),
    )


class Foresight:
    """Keeps the whiteboard's outlook fresh."""

    def __init__(
        self,
        *,
        settings: Settings,
        board: Whiteboard,
        clock: Clock,
        why_not_now: Callable[[], str | None],
        take: TakeStock | None = None,
    ) -> None:
        self._settings = settings
        self._board = board
        self._clock = clock
        self._why_not_now = why_not_now
        self._take = take or self._read

    async def run(self) -> None:
        """Look ahead for ever, if the settings want it."""
        if not self._settings.forecast.automatic:
            return
        await self._clock.sleep(FIRST_AFTER)
        while True:
            if self._why_not_now() is not None:
                await self._clock.sleep(LOOK_AGAIN)
                continue
            try:
                found = await self._look()
            except Exception:  # what is foretold must never end the daemon that watches
                log.exception("outlook_crashed")
                found = Outlook(at=self._clock.now(), trouble="looking ahead failed: see the log")
            if found is None:
                continue  # something went wrong amid it: what was read is of yesterday
            if found.trouble:
                log.warning("outlook_in_part", trouble=found.trouble)
            self._board.see_outlook(found)
            await self._clock.sleep(self._settings.forecast.every)

    async def _look(self) -> Outlook | None:
        at = self._clock.now()
        known = self._board.world.sweep
        if known is not None and len(known.servers) > MOST_SERVERS:
            why = f"the cloud has over {MOST_SERVERS} servers: ask koboshi forecast"
            return Outlook(at=at, trouble=why)
        try:
            with anyio.fail_after(READ_S):
                stock = await self._take()
        except KoboshiError as error:
            return Outlook(at=at, trouble=f"the cloud could not be read: {error}")
        except TimeoutError:
            return Outlook(at=at, trouble=f"the cloud was not read within {READ_S:.0f} s")
        survival = await _in_a_thread(partial(survey, self._settings, stock))
        if not survival.knows_room:
            return Outlook(at=at, trouble="Placement did not tell what room hosts have")
        hosts, domains, short = 0, 0, list[Shortfall]()
        for dead, domain in to_play(survival):
            began = self._clock.now()
            found = await _in_a_thread(partial(shortfall, survival, dead, domain))
            if found is not None:
                short.append(found)
            hosts, domains = hosts + (domain is None), domains + (domain is not None)
            await self._clock.sleep(self._clock.now().since(began) * REST)
            if self._why_not_now() is not None:
                return None
        gaps = "; ".join(f"{g.what} could not be read: {g.why}" for g in survival.gaps)
        return Outlook(
            at=at,
            hosts=hosts,
            domains=domains,
            short=tuple(short),
            not_counted=survival.why_not_counted(survival.open_hosts),
            trouble=gaps,
        )

    async def _read(self) -> Stock:
        access = wiring.cloud_access(self._settings)
        limits = wiring.time_limits(self._settings)
        async with connect(access, clock=self._clock, limits=limits) as cloud:
            return await take_stock(cloud)


async def _in_a_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
