"""Which of the servers that Nova stopped by itself are started, when, and what holds them back."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from koboshi.domain.alone.actions import is_novas_own_stop
from koboshi.domain.alone.reboots import why_rebooted
from koboshi.domain.alone.stops import (
    ENDED,
    WAITS,
    Stop,
    StopCause,
    StoppedServer,
    StopState,
)
from koboshi.domain.alone.wishes import wish_of
from koboshi.domain.decision import Decision, Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.sweep import StoppedSince
from koboshi.domain.instant import Instant
from koboshi.domain.judging.control_plane import Control
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.commands import NO_INCIDENT, StartServer
from koboshi.domain.memory.events import Event, StopMoved, StopsSeen
from koboshi.domain.names import CommandId, HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.restraint.bound import bound

SETTLED = timedelta(seconds=20)
"""A nova-compute that came back stops what it finds shut down up to 18 s later (measured on the lab)."""
PATIENCE = timedelta(seconds=60)
"""How long a start that Nova took may take until the server shows ACTIVE."""
MAX_TRIES = 3
RETRIED_AFTER = timedelta(seconds=15)
STARTS_A_HOST = 4
STARTS_IN_ALL = 16
LOOKED_INTO_AT_ONCE = 20
"""Of so many stops the actions are read at a time, whatever happens."""
SWEPT_SOON = timedelta(seconds=120)
"""So long after a host's sign of a reboot its servers' stops are looked for often."""


def watch_stops(picture: Picture) -> Decision:
    """Return what there is to remember of servers that stopped, and whom to start now."""
    events = (*_seen(picture), *_moved(picture))
    if events:
        return Decision(events=tuple(events))
    return Decision(commands=tuple(_starts(picture)))


def to_look_into(picture: Picture) -> frozenset[ServerId]:
    """Return the servers whose stop is not understood yet: who stopped them must be read."""
    known = (server for server, _ in _unknown(picture))
    return frozenset(server for server, _ in zip(known, range(LOOKED_INTO_AT_ONCE), strict=False))


def must_be_swept_soon(picture: Picture) -> bool:
    """Return whether servers may be stopping, or starting, right now."""
    world, now = picture.world, picture.now
    signs = (*world.gaps.values(), *world.booted.values())
    return any(now.since(at) <= SWEPT_SOON for at in signs) or any(
        s.state is StopState.STARTING for s in picture.state.stops.values()
    )


def _unknown(picture: Picture) -> Iterator[tuple[ServerId, StoppedSince]]:
    sweep, state = picture.world.sweep, picture.state
    if sweep is None:
        return
    for server, stop in sweep.stopped.items():
        known = state.stops.get(server)
        if known is not None and not stop.at.is_after(known.seen_at):
            continue
        if stop.host in picture.world.protected and not _is_of_an_incident(picture, server, stop):
            yield server, stop


def _is_of_an_incident(picture: Picture, server: ServerId, stop: StoppedSince) -> bool:
    """Return whether the way home of the server's host decides about it, or has decided."""
    if picture.state.open_incident(stop.host) is not None:
        return True
    for incident in picture.state.incidents.values():
        if incident.host == stop.host:
            recovery = picture.state.recoveries.get(incident.id, {}).get(server)
            if recovery is not None and recovery.state is not RecoveryState.DONE:
                return True
    return False


def _seen(picture: Picture) -> Iterator[Event]:
    found: dict[tuple[HostName, StopCause, StopState, str], list[StoppedServer]] = {}
    for server, stop in _unknown(picture):
        read = picture.world.actions.get(server)
        if read is None or not read.at.is_after(stop.at) or not is_novas_own_stop(read.actions):
            continue
        if not _has_settled(picture, stop.host, stop.at):
            continue
        if (meant := _meant(picture, server, stop)) is None:
            continue
        cause, to, reason = meant
        name = StoppedServer(id=server, name=stop.name)
        found.setdefault((stop.host, cause, to, reason), []).append(name)
    for (host, cause, to, reason), servers in found.items():
        yield StopsSeen(host=host, cause=cause, to=to, reason=reason, servers=tuple(servers))


def is_at_work(picture: Picture, host: HostName) -> bool:
    """Return whether the host's nova-compute reports, and takes messages."""
    judgement, track = picture.judgements.get(host), picture.world.services.get(host)
    return (
        judgement is not None
        and track is not None
        and track.service.up is True
        and judgement.verdict is Verdict.UP
        and judgement.control is Control.FRESH
    )


def _has_settled(picture: Picture, host: HostName, stopped_at: Instant) -> bool:
    """Return whether the host's nova-compute has been at work for a while since the stop."""
    if not is_at_work(picture, host):
        return False
    advanced_at = picture.world.services[host].advanced_at
    signs = (stopped_at, picture.world.gaps.get(host))
    return (
        advanced_at is not None
        and advanced_at.is_after(stopped_at)
        and all(picture.now.since(at) >= SETTLED for at in signs if at is not None)
    )


def to_be_asked_of(picture: Picture) -> Mapping[ServerId, StoppedSince]:
    """Return the servers that stopped alone, and of which somebody may say whether to start them."""
    return {
        server: stop
        for server, stop in _unknown(picture)
        if (read := picture.world.actions.get(server)) is not None
        and read.at.is_after(stop.at)
        and is_novas_own_stop(read.actions)
        and why_rebooted(stop.host, stop.at, picture.world, picture.rules) is None
    }


def _meant(
    picture: Picture, server: ServerId, stop: StoppedSince
) -> tuple[StopCause, StopState, str] | None:
    why = why_rebooted(stop.host, stop.at, picture.world, picture.rules)
    if why is None:
        wish = wish_of(picture, server, stop)
        if wish is None:
            return None
        cause, reason = StopCause.LONE, wish.reason
        if not wish.starts:
            return cause, StopState.LEFT, reason
    else:
        cause, reason = StopCause.REBOOT, why
    held = why_held(picture, stop.host)
    return cause, (StopState.HELD if held else StopState.DUE), held or reason


def why_held(picture: Picture, host: HostName) -> str | None:
    """Return what holds back every start on a host now; None when nothing does."""
    if why := picture.why_not_acting:
        return why
    if (incident := picture.state.open_incident(host)) is not None:
        return f"its host has an incident ({incident.state})"
    if picture.world.services[host].service.forced_down:
        return f"{host} is forced down in Nova"
    cell = cell_of(host, picture.world)
    brake = picture.state.holds.brakes.get(cell)
    if brake is not None and not brake.is_released:
        return f"the brake is held ({brake.reason})"
    if why := picture.brake.brownouts.of(cell) or picture.brake.brownouts.of_api():
        return f"the control plane is unwell: {why}"
    return _why_storm(picture)


def _why_storm(picture: Picture) -> str | None:
    """Return that too many hosts rebooted at once to be left without a person's eye on it."""
    hosts = {
        stop.host
        for stop in picture.state.stops.values()
        if stop.cause is StopCause.REBOOT
        and picture.now.surely_since(stop.seen_at) < picture.rules.incident_memory
    } | {
        stop.host
        for _, stop in _unknown(picture)
        if why_rebooted(stop.host, stop.at, picture.world, picture.rules)
    }
    most = bound(len(picture.world.services), picture.rules)
    if len(hosts) <= most:
        return None
    minutes = picture.rules.incident_memory.total_seconds() / 60
    return (
        f"{len(hosts)} hosts rebooted within {minutes:.0f} minutes, more than {most}: their servers are "
        "started when these are over. To prevent it: koboshi disarm"
    )


def _moved(picture: Picture) -> Iterator[Event]:
    for stop in picture.state.stops.values():
        if stop.state not in ENDED and (moved := _step(picture, stop)) is not None:
            yield StopMoved(server=stop.server, to=moved[0], reason=moved[1])


def _step(picture: Picture, stop: Stop) -> tuple[StopState, str] | None:
    sweep = picture.world.sweep
    if sweep is None or not sweep.at.is_after(stop.moved_at):
        return None
    seen = sweep.servers.get(stop.server)
    if seen is None:
        return StopState.OVER, "it was deleted"
    if seen.host != stop.host:
        return StopState.OVER, f"it is on {seen.host or 'no host'} now"
    if seen.vm_state == "active":
        ours = stop.state is StopState.STARTING
        return (StopState.RUNS if ours else StopState.OVER), "Nova shows it ACTIVE again"
    if seen.vm_state != "stopped":
        return StopState.OVER, f"it is {seen.vm_state} now"
    if stop.state is StopState.STARTING:
        return _unless_it_starts(picture, stop)
    return _unless_it_waits(picture, stop) if stop.state in WAITS else None


def _unless_it_waits(picture: Picture, stop: Stop) -> tuple[StopState, str] | None:
    if stop.tries >= MAX_TRIES:
        return StopState.GIVEN_UP, f"it could not be started: {stop.reason}"
    held = why_held(picture, stop.host)
    if held and stop.state is StopState.DUE:
        return StopState.HELD, held
    if not held and stop.state is StopState.HELD:
        return StopState.DUE, "nothing holds it back any more"
    return None


def _unless_it_starts(picture: Picture, stop: Stop) -> tuple[StopState, str] | None:
    is_open = any(
        isinstance(c.command, StartServer) and c.command.server == stop.server
        for c in picture.state.commands.values()
    )
    if is_open or picture.now.since(stop.moved_at) <= PATIENCE:
        return None
    if stop.tries < MAX_TRIES:
        return StopState.DUE, "it did not start: once more"
    return StopState.GIVEN_UP, f"it did not start, though Nova was asked {stop.tries} times"


def _starts(picture: Picture) -> Iterator[StartServer]:
    """Return the next starts: few at a time, on hosts that have settled."""
    due = [s for s in picture.state.stops.values() if s.state is StopState.DUE]
    if not due:
        return
    under_way = Counter(
        s.host for s in picture.state.stops.values() if s.state is StopState.STARTING
    )
    under_way.update(
        c.command.host
        for c in picture.state.commands.values()
        if isinstance(c.command, StartServer) and c.command.incident != NO_INCIDENT
    )
    number = picture.state.command_count
    for stop in sorted(due, key=lambda s: (s.seen_at.boot, s.host, s.name)):
        if under_way.total() >= STARTS_IN_ALL:
            return
        if under_way[stop.host] >= STARTS_A_HOST or not is_at_work(picture, stop.host):
            continue
        if stop.tries and picture.now.since(stop.moved_at) < RETRIED_AFTER:
            continue
        under_way[stop.host] += 1
        number += 1
        yield StartServer(
            id=CommandId(f"alone/{stop.host}/start-{number}"),
            incident=NO_INCIDENT,
            server=stop.server,
            host=stop.host,
            why=stop.reason,
        )
