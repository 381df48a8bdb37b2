"""Brownout: the control plane itself is unwell, so what it says of hosts is not theirs.

Conductors, schedulers, message bus and database carry the heartbeats of all hosts of a cell. Where
they fail, Nova's witness says *don't know*, nothing is posted, and no host is fenced.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property

from koboshi.domain.facts.cells import cell_of, counted_from
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.facts.world import ApiHealth, World
from koboshi.domain.instant import Instant, latest, same, seconds
from koboshi.domain.judging.calm import TRUST_RENEWED_AFTER
from koboshi.domain.judging.control_plane import advances, is_late
from koboshi.domain.memory.state import State
from koboshi.domain.names import CellName, HostName
from koboshi.domain.restraint.bound import bound
from koboshi.domain.rules import Rules

UNREAD_AFTER = timedelta(seconds=20)
"""Four calm readings of Nova's services: without one for longer, nothing is known of heartbeats."""
LEAST_FAILURES = 3
"""Of the few requests of a calm half minute, one or two that fail are bad luck."""
LEAST_ANSWERS = 5
"""So many answers are needed for a percentile to mean anything."""
LEAST_LATE = 2
"""One host whose heartbeat alone is late is its nova-compute's own failure, however few hosts are."""
NAMED_AT_MOST = 4

VANISHED_AFTER = timedelta(minutes=10)
"""A row that Nova has not listed for this long was deleted: it holds nobody back any more."""


class Brownouts:
    """What is wrong with the control plane of each cell, found once a picture."""

    def __init__(
        self,
        world: World,
        state: State,
        rules: Rules,
        now: Instant,
        restless: Iterable[HostName] | None = None,
    ) -> None:
        self._world = world
        self._state = state
        self._rules = rules
        self._now = now
        # Who is calm has a fresh heartbeat and a row that was just read: it needs no second look.
        self._restless = tuple(world.services if restless is None else restless)
        self._found: dict[CellName, str | None] = {}

    def of(self, cell: CellName) -> str | None:
        """Return why no heartbeat of `cell` can be trusted; None when they can."""
        if cell not in self._found:
            self._found[cell] = (
                self.of_api()
                or self._of_control(cell)
                or self._of_rows(cell)
                or self._of_heartbeats(cell)
            )
        return self._found[cell]

    def of_api(self) -> str | None:
        """Return why Nova's answers cannot be trusted, in whichever cell."""
        read_at = self._world.services_read_at
        if read_at is None:
            return "compute services could not be read"
        age = self._now.since(read_at)
        if age > UNREAD_AFTER:
            error = self._world.api.error
            return "compute services could not be read" + (f": {error}" if error else "")
        return why_api_unwell(self._world.api.health, self._rules)

    def _of_control(self, cell: CellName) -> str | None:
        """Tell of conductors and schedulers: they share database and bus with every nova-compute."""
        world, rules, now = self._world, self._rules, self._now
        stalled = sorted(
            name
            for name, track in world.control.items()
            if cell_of(track.service.host, world) == cell
            or not any(track.service.host in hosts for hosts in world.cells.values())
            if track.service.up is not False
            and is_late(track, counted_from(track.service.host, world, self._state), rules, now)
        )
        return f"{stalled[0]} does not report either" if stalled else None

    def _of_rows(self, cell: CellName) -> str | None:
        """Tell of a row that vanished or reads UNKNOWN: its cell is never dead, never healthy."""
        world = self._world
        for host in self._restless:
            track = world.services.get(host)
            if track is None or cell_of(host, world) != cell:
                continue
            if not same(track.read_at, world.services_read_at):
                return f"the compute service of {host} vanished from Nova's list"
            if track.service.up is None:
                return f"Nova says UNKNOWN of {host}: its cell does not answer"
        if host := next(
            (h for h in sorted(self._gone_before_us) if cell_of(h, world) == cell), None
        ):
            return f"the compute service of {host}, which answered of late, is not in Nova's list"
        return None

    @cached_property
    def _gone_before_us(self) -> frozenset[HostName]:
        """Return the hosts whose rows had vanished already when we began: the journal knows them.

        As long after our beginning as a row that vanished under our eyes; whoever was deleted from
        Nova while we were away is not waited for any longer.
        """
        if self._now.since(self._world.began_at) >= VANISHED_AFTER:
            return frozenset()
        trusted = self._state.trusted
        unlisted = trusted.keys() - self._world.services.keys()
        lately = 2 * TRUST_RENEWED_AFTER
        return frozenset(h for h in unlisted if self._now.surely_since(trusted[h].at) < lately)

    def _of_heartbeats(self, cell: CellName) -> str | None:
        world, rules = self._world, self._rules
        hosts = [h for h in world.services if cell_of(h, world) == cell] if world.cells else None
        everyone = world.services if hosts is None else hosts
        late = [h for h in self._restless if h in world.services and cell_of(h, world) == cell]
        late = [h for h in late if self._is_late_alive(h)]
        if everyone and self._nobody_advances(everyone):
            return "no host's heartbeat advances"
        down = self._down_alone(late, len(everyone))
        late = sorted(h for h in late if h not in down)
        if len(late) < LEAST_LATE:
            return None
        answering = sum(self._answers(h) and not self._is_known(h) for h in everyone) - len(down)
        if 100 * len(late) <= rules.late_percent * answering:
            return None
        named = ", ".join(late[:NAMED_AT_MOST]) + (", …" if len(late) > NAMED_AT_MOST else "")
        return f"{len(late)} of {answering} hosts that answer report late ({named})"

    def _down_alone(self, late: Iterable[HostName], everyone: int) -> frozenset[HostName]:
        """Return the late ones whose nova-compute alone is down, as far as anybody can tell.

        Late for as long as incidents are remembered, beside control services that report: a bus or a
        database that fails does not stand still for so long with so few. More than may be in trouble
        at once stay what they are.
        """
        services, began_at = self._world.services, self._world.began_at
        down = frozenset(
            h
            for h in late
            if self._now.since(latest(services[h].advanced_at or began_at, began_at))
            > self._rules.incident_memory
        )
        return down if len(down) <= max(LEAST_LATE, bound(everyone, self._rules)) else frozenset()

    def _nobody_advances(self, everyone: Iterable[HostName]) -> bool:
        """Return whether heartbeats are overdue, and none comes; before one is, nothing is known."""
        world, rules, now = self._world, self._rules, self._now
        tracks = {h: world.services[h] for h in everyone}
        if any(advances(track, rules) for track in tracks.values()):
            return False
        return any(
            is_late(track, counted_from(h, world, self._state), rules, now) is True
            for h, track in tracks.items()
        )

    def _answers(self, host: HostName) -> bool:
        probe = self._world.probes.get(host)
        at = probe.kernel_at if probe else None
        return at is not None and self._now.since(at) < self._rules.silence

    def _is_late_alive(self, host: HostName) -> bool:
        """Return whether the host answers our probes, and its heartbeat is late."""
        world = self._world
        return (
            self._answers(host)
            and not self._is_known(host)
            and is_late(
                world.services[host], counted_from(host, world, self._state), self._rules, self._now
            )
            is True
        )

    def _is_known(self, host: HostName) -> bool:
        """Return whether its heartbeats are missing for a reason that was known before."""
        notice = self._state.notices.get((host, "service_failed"))
        return (
            disabled_by_operator(host, self._world)
            or self._world.services[host].service.forced_down
            or host in self._state.found_down
            or (
                notice is not None
                and self._now.surely_since(notice.since) > self._rules.incident_memory
            )
        )


def why_api_unwell(api: ApiHealth, rules: Rules) -> str | None:
    """Return why the API's answers of the last half minute are not those of a well one."""
    if api.failed >= LEAST_FAILURES and 100 * api.failed > rules.api_error_percent * api.asked:
        return f"{api.failed} of {api.asked} requests to the cloud's API failed"
    slow = api.p95_s is not None and timedelta(seconds=api.p95_s) > rules.api_latency
    if slow and api.asked - api.failed >= LEAST_ANSWERS:
        return f"the cloud's API is slow: one request of twenty takes over {seconds(rules.api_latency)}"
    return None
