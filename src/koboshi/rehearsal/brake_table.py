"""What the brake does in clouds of every size, whatever fails: found by the real decision, for the docs.

Each cell of the table is a world made for it, half a minute after the failure, upon which the daemon's
own decision is asked until nothing more follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from koboshi.domain.decide import decide
from koboshi.domain.facts.cloud import ComputeService, Hypervisor, Power, ProbeAnswer
from koboshi.domain.facts.world import ApiView, MigrationsRead, World
from koboshi.domain.incidents.incident import ACTING, IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import Heartbeat, PowerReading, PowerTrack, ProbeTrack
from koboshi.domain.memory.state import State, Trust, apply
from koboshi.domain.names import DomainName, HostName, ServiceId
from koboshi.domain.picture import take_picture
from koboshi.domain.rules import Mode, Rules

CLOUDS = (2, 3, 5, 25, 50, 250, 5_000)
LARGEST_RACK = 40
RACKS = 4
"""A cloud of the table has at least so many racks, where it has hosts enough for racks at all."""
FAILED_FOR_S = 30.0
LOOKS = 8
"""So many decisions follow one upon the other at the most."""

_S = IncidentState


class Failure(StrEnum):
    """What fails."""

    ONE = "one host dies"
    TWO = "two hosts die"
    RACK_DARK = "a rack loses its power"
    RACK_SWITCH = "a rack's switch dies"
    HEARTBEATS = "all heartbeats stop"
    API = "the API stops answering"
    UPLINK = "our own uplink dies"


FAILURE_MEANING: dict[Failure, str] = {
    Failure.ONE: "a host is silent on every path; its power device reads on, as that of a hung host does",
    Failure.TWO: "the same of two hosts at once",
    Failure.RACK_DARK: "all hosts of one declared domain are silent, and their power reads off",
    Failure.RACK_SWITCH: "all hosts of one declared domain are silent, and their power reads on",
    Failure.HEARTBEATS: "no heartbeat reaches Nova, all hosts answer our probes (message bus, database)",
    Failure.API: "Nova's services cannot be read, all hosts answer our probes",
    Failure.UPLINK: "nothing answers us: no host, and no API",
}


class Outcome(StrEnum):
    """What happens to the hosts that failed, or seem to have."""

    FENCED = "switched off"
    RECOVERED = "recovered"
    HELD = "held"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the table."""

    hosts: int
    failure: Failure
    outcome: Outcome | None
    """None where the cloud is too small to have racks."""
    acted_upon: int
    """How many hosts are being switched off or recovered."""
    brake_held: bool
    why: str


_NOW = Instant(wall=datetime(2026, 1, 1, tzinfo=UTC), boot=timedelta(hours=3), boot_id="table")
_RULES = Rules(mode=Mode.ACT)


def _ago(seconds: float) -> Instant:
    return _NOW.later(timedelta(seconds=-seconds))


def rack_size(hosts: int) -> int:
    """Return how many hosts a rack has; 0 where a cloud is too small for racks."""
    return min(LARGEST_RACK, hosts // RACKS) if hosts >= 2 * RACKS else 0


def _names(hosts: int) -> tuple[HostName, ...]:
    return tuple(HostName(f"h{n}") for n in range(1, hosts + 1))


def _well(hosts: int) -> World:
    names = _names(hosts)
    size = rack_size(hosts)
    racks = {
        DomainName(f"rack{n // size + 1}"): frozenset(names[n : n + size])
        for n in range(0, hosts, size or hosts)
        if size
    }
    return World(
        began_at=_ago(7200),
        services={h: _heartbeat(h, 3.0) for h in names},
        control={"nova-conductor@ctl": _heartbeat(HostName("ctl"), 3.0)},
        services_read_at=_ago(0.2),
        hypervisors={
            h: Hypervisor(id=h, host=h, hypervisor_hostname=h, type="QEMU") for h in names
        },
        protected=frozenset(names),
        fenced=frozenset(names),
        probes={h: _probe(silent_s=None) for h in names},
        power={h: _power(Power.ON) for h in names},
        from_host={
            h: MigrationsRead(at=_NOW.later(timedelta(seconds=1)), records=(), unbroken_since=_NOW)
            for h in names
        },
        domains=racks,
    )


def _heartbeat(host: HostName, age_s: float) -> Heartbeat:
    row = ComputeService(host=host, binary="nova-compute", id=ServiceId(host), up=True)
    return Heartbeat(
        service=row,
        asked_at=_ago(0.3),
        read_at=_ago(0.2),
        advanced_at=_ago(age_s),
        intervals=(timedelta(seconds=10),),
        enabled_at=_ago(0.2),
    )


def _probe(silent_s: float | None) -> ProbeTrack:
    last = _ago((silent_s or 0.0) + 0.5)
    return ProbeTrack(
        target="ssh:22",
        asked_at=_ago(0.5),
        answer=ProbeAnswer.USERLAND if silent_s is None else ProbeAnswer.SILENT,
        userland_at=last,
        kernel_at=last,
        answering_since=_ago(5000) if silent_s is None else None,
        silent_since=None if silent_s is None else _ago(silent_s),
    )


def _power(power: Power) -> PowerTrack:
    """Return the newest readings; the last one was ordered by the incident that opens now."""
    return PowerTrack(
        readings=tuple(PowerReading(at=_ago(s), power=power) for s in (5.0, 2.0, -0.5))
    )


def _dark(world: World, hosts: frozenset[HostName], power: Power) -> World:
    """Return the world in which `hosts` are silent on every path."""
    return replace(
        world,
        services={
            h: _heartbeat(h, FAILED_FOR_S + 5) if h in hosts else t
            for h, t in world.services.items()
        },
        probes={h: _probe(FAILED_FOR_S) if h in hosts else t for h, t in world.probes.items()},
        power={h: _power(power) if h in hosts else t for h, t in world.power.items()},
    )


def _unread(world: World) -> World:
    """Return the world whose services were last read before the failure."""
    rows = {
        h: replace(t, asked_at=_ago(FAILED_FOR_S), read_at=_ago(FAILED_FOR_S))
        for h, t in world.services.items()
    }
    api = ApiView(failing_since=_ago(FAILED_FOR_S - 5), error="no answer")
    return replace(world, services=rows, services_read_at=_ago(FAILED_FOR_S), api=api)


def failed(hosts: int, failure: Failure) -> World | None:
    """Return the world half a minute after the failure; None where it cannot happen."""
    world, names, size = _well(hosts), _names(hosts), rack_size(hosts)
    match failure:
        case Failure.ONE:
            return _dark(world, frozenset(names[:1]), Power.ON)
        case Failure.TWO:
            return _dark(world, frozenset(names[:2]), Power.ON)
        case Failure.RACK_DARK:
            return _dark(world, frozenset(names[:size]), Power.OFF) if size else None
        case Failure.RACK_SWITCH:
            return _dark(world, frozenset(names[:size]), Power.ON) if size else None
        case Failure.HEARTBEATS:
            late = {h: _heartbeat(h, FAILED_FOR_S + 5) for h in world.services}
            control = {n: _heartbeat(t.service.host, 35.0) for n, t in world.control.items()}
            return replace(world, services=late, control=control)
        case Failure.API:
            return _unread(world)
        case Failure.UPLINK:
            silent = {h: _probe(FAILED_FOR_S) for h in world.probes}
            return replace(_unread(world), probes=silent)


def _remembered(hosts: int) -> State:
    trust = Trust(at=_ago(600), target="ssh:22")
    return State(starts=2, trusted=dict.fromkeys(_names(hosts), trust))


def cell_of_table(hosts: int, failure: Failure) -> Cell:
    """Return what happens in a cloud of so many hosts."""
    world, state = failed(hosts, failure), _remembered(hosts)
    if world is None:
        return Cell(
            hosts=hosts, failure=failure, outcome=None, acted_upon=0, brake_held=False, why=""
        )
    seen = None
    for _ in range(LOOKS):
        seen = take_picture(world, state, _RULES, _NOW, seen)
        decision = decide(seen)
        if not decision:
            break
        for event in decision.events:
            state = apply(state, _NOW, event)
    return _judged(hosts, failure, state)


def _judged(hosts: int, failure: Failure, state: State) -> Cell:
    incidents = state.open_incidents()
    hold = next(iter(state.holds.brakes.values()), None)
    states = {i.state for i in incidents}
    outcome = Outcome.NOTHING
    if states & {_S.FENCING}:
        outcome = Outcome.FENCED
    elif states & {_S.PROVEN, _S.ISOLATING}:
        outcome = Outcome.RECOVERED
    elif _S.HELD in states or hold is not None:
        outcome = Outcome.HELD
    why = next((i.reason for i in incidents), hold.reason if hold else "")
    return Cell(
        hosts=hosts,
        failure=failure,
        outcome=outcome,
        acted_upon=sum(i.state in ACTING for i in incidents),
        brake_held=hold is not None,
        why=why,
    )


def table() -> Mapping[tuple[int, Failure], Cell]:
    """Return every cell."""
    return {(n, f): cell_of_table(n, f) for n in CLOUDS for f in Failure}
