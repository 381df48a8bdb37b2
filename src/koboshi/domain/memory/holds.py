"""What holds Koboshi back or lets it go, as remembered: words of persons, and the brake's own state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from koboshi.domain.instant import Instant
from koboshi.domain.memory import events as ev
from koboshi.domain.names import CellName, DomainName, HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    """A person's word that Koboshi may act."""

    at: Instant
    by: str
    reason: str
    keep: bool
    """Whether it holds beyond a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarming:
    """A person's word that Koboshi must send nothing new."""

    at: Instant
    until: Instant | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeHold:
    """A cell whose picture was implausible."""

    since: Instant
    reason: str
    held_at: Instant
    """When it was found implausible last."""
    eased_at: Instant | None = None
    """Since when it has been plausible again; None while it is not."""
    is_released: bool = False
    """Whether it is over; kept because silence still counts from `eased_at` only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedDomain:
    """A person's word that these hosts of a domain are dead."""

    at: Instant
    hosts: frozenset[HostName]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """All of it, folded from the journal."""

    armed: Arming | None = None
    disarmed: Disarming | None = None
    brakes: Mapping[CellName, BrakeHold] = field(default_factory=dict[CellName, BrakeHold])
    confirmed: Mapping[DomainName, ConfirmedDomain] = field(
        default_factory=dict[DomainName, ConfirmedDomain],
    )


HoldEvent = (
    ev.Armed
    | ev.Disarmed
    | ev.DisarmEnded
    | ev.DomainConfirmed
    | ev.BrakeHeld
    | ev.BrakeEased
    | ev.BrakeReleased
)


def held(holds: Holds, at: Instant, event: HoldEvent) -> Holds:
    """Return what holds after `event`."""
    match event:
        case ev.Armed():
            arming = Arming(at=at, by=event.by, reason=event.reason, keep=event.keep)
            return replace(holds, armed=arming, disarmed=None)
        case ev.Disarmed():
            disarming = Disarming(at=at, until=event.until, by=event.by, reason=event.reason)
            return replace(holds, disarmed=disarming)
        case ev.DisarmEnded():
            return replace(holds, disarmed=None)
        case ev.DomainConfirmed():
            confirmed = ConfirmedDomain(at=at, hosts=event.hosts, by=event.by)
            return replace(holds, confirmed={**holds.confirmed, event.domain: confirmed})
        case ev.BrakeHeld():
            before = holds.brakes.get(event.cell)
            goes_on = before is not None and not before.is_released
            since = before.since if before is not None and goes_on else at
            brake = BrakeHold(since=since, reason=event.reason, held_at=at)
            return replace(holds, brakes={**holds.brakes, event.cell: brake})
        case ev.BrakeEased():
            brake = replace(holds.brakes[event.cell], eased_at=at)
            return replace(holds, brakes={**holds.brakes, event.cell: brake})
        case ev.BrakeReleased():
            brake = replace(holds.brakes[event.cell], is_released=True)
            return replace(holds, brakes={**holds.brakes, event.cell: brake})


def restarted(holds: Holds) -> Holds:
    """Return what holds when another daemon starts: a word to act lasts until then, if not kept."""
    if holds.armed is None or holds.armed.keep:
        return holds
    return replace(holds, armed=None)


def words_for(event: HoldEvent) -> tuple[str, str]:
    """Return what happened in a few words, and why."""
    match event:
        case ev.Armed():
            how = "armed for good" if event.keep else "armed"
            return how, f"by {event.by}: {event.reason}"
        case ev.Disarmed():
            end = (
                f"until {event.until.wall:%Y-%m-%d %H:%M:%S} UTC" if event.until else "until armed"
            )
            return f"disarmed {end}", f"by {event.by}: {event.reason}"
        case ev.DisarmEnded():
            return "armed again", "the time of the disarm is over"
        case ev.DomainConfirmed():
            hosts = ", ".join(sorted(event.hosts))
            return f"domain {event.domain} confirmed dead: {hosts}", f"by {event.by}"
        case ev.BrakeHeld():
            return f"brake of cell {event.cell} held", event.reason
        case ev.BrakeEased():
            return f"brake of cell {event.cell} eased", "plausible again: all silence counts anew"
        case ev.BrakeReleased():
            return f"brake of cell {event.cell} released", "plausible for long enough"
