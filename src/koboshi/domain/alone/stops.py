"""Stops that nobody asked for: what is remembered of each, from the sweep that showed it to its end.

Of stops by their users nothing is remembered: they are wanted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.instant import Instant
from koboshi.domain.memory.lifecycle import Table, step
from koboshi.domain.names import HostName, ServerId

REMEMBERED = timedelta(hours=24)
"""So long a stop that is over stays in memory."""


class StopCause(StrEnum):
    """What goes with a stop by Nova's own hand."""

    REBOOT = "reboot"
    """Its host rebooted: the guest did not end for a reason of its own."""
    LONE = "lone"
    """Nothing of its host: a QEMU that was killed and a guest's own poweroff look alike."""


class StopState(StrEnum):
    """Where a server stands that Nova stopped by itself."""

    LEFT = "left"
    HELD = "held"
    DUE = "due"
    STARTING = "starting"
    RUNS = "runs"
    OVER = "over"
    GIVEN_UP = "given_up"


STOP_MEANING: Mapping[StopState, str] = {
    StopState.LEFT: "it stays off: nobody can tell whether that was wanted",
    StopState.HELD: "it would be started, and something holds that back",
    StopState.DUE: "it is started as soon as its host has settled, and its turn has come",
    StopState.STARTING: "Nova was asked to start it",
    StopState.RUNS: "Nova shows it ACTIVE on its host again",
    StopState.OVER: "somebody else has decided about it since",
    StopState.GIVEN_UP: "Koboshi could not start it: a person is needed",
}

_ENDS = frozenset({StopState.RUNS, StopState.OVER, StopState.GIVEN_UP})
STOP_STEPS: Table[StopState] = {
    StopState.LEFT: frozenset({StopState.OVER}),
    StopState.HELD: frozenset({StopState.DUE, StopState.OVER}),
    StopState.DUE: frozenset(
        {StopState.HELD, StopState.STARTING, StopState.OVER, StopState.GIVEN_UP}
    ),
    StopState.STARTING: frozenset({StopState.DUE}) | _ENDS,
    StopState.RUNS: frozenset[StopState](),
    StopState.OVER: frozenset[StopState](),
    StopState.GIVEN_UP: frozenset({StopState.OVER}),
}
STOP_BEGINNINGS = (StopState.LEFT, StopState.HELD, StopState.DUE)
WAITS = frozenset({StopState.HELD, StopState.DUE})
ENDED = frozenset({StopState.RUNS, StopState.OVER})
"""It is no matter any more."""
IN_HAND = WAITS | {StopState.STARTING}
"""States in which Koboshi means to do something still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedServer:
    """A server that Nova stopped, by its id and the name that its owner gave it."""

    id: ServerId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One server that Nova stopped by itself."""

    server: ServerId
    name: str
    host: HostName
    cause: StopCause
    state: StopState
    reason: str
    seen_at: Instant
    moved_at: Instant
    tries: int = 0
    """How often Nova was asked to start it."""


Stops = Mapping[ServerId, Stop]


def with_seen(stops: Stops, at: Instant, new: Collection[Stop]) -> Stops:
    """Return the memory with new stops; what is over for long is dropped."""
    kept = {
        server: stop
        for server, stop in stops.items()
        if stop.state in IN_HAND or at.since(stop.moved_at) < REMEMBERED
    }
    return kept | {stop.server: stop for stop in new}


def with_moved(stops: Stops, at: Instant, server: ServerId, to: StopState, reason: str) -> Stops:
    """Return the memory after a step of one stop."""
    stop = stops[server]
    moved = replace(stop, state=step(STOP_STEPS, stop.state, to), reason=reason, moved_at=at)
    return {**stops, server: moved}


def with_started(stops: Stops, at: Instant, server: ServerId) -> Stops:
    """Return the memory after a start was meant."""
    moved = with_moved(stops, at, server, StopState.STARTING, "Nova is asked to start it")
    return {**moved, server: replace(moved[server], tries=moved[server].tries + 1)}
