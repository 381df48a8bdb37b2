"""What each witness said over time, reduced to what a judgement needs.

Each track is a small immutable record and one function that adds an observation to it. Ages are
measured on our own boot clock from the moment a value was *seen* to change; Nova's clock is never
compared with ours.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from koboshi.domain.facts.cloud import ComputeService, Power, ProbeAnswer
from koboshi.domain.facts.device import BMC, OUTLETS
from koboshi.domain.instant import Instant
from koboshi.domain.rules import PROOF_READS, PROOF_SPACING

INTERVALS_REMEMBERED = 5
LOST_PROBES_FORGIVEN = timedelta(seconds=5)
"""A shorter silence is a lost packet: it does not end a run of answers."""
READINGS_REMEMBERED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A service's heartbeats, as far as successive reads of its row show them."""

    service: ComputeService
    """The newest real row; where Nova only said UNKNOWN since, `up` is None."""
    asked_at: Instant
    """When the newest read was begun."""
    read_at: Instant
    """When it was answered."""
    answers_since: Instant | None = None
    """When the first question was asked that its cell answered again; None: it always did."""
    advanced_at: Instant | None = None
    """When a read first showed the newest heartbeat; None before the first one was seen."""
    intervals: tuple[timedelta, ...] = ()
    """The newest differences between two heartbeats, by Nova's own clock."""

    enabled_at: Instant | None = None
    """When it was last read as enabled; None: never since we began."""
    beat: datetime | None = None
    """The newest heartbeat by Nova's own clock; before one was seen, the first row's `updated_at`."""

    @property
    def interval(self) -> timedelta | None:
        """Return the longest recent interval between heartbeats; None while unknown."""
        return max(self.intervals, default=None)


def _edited(before: ComputeService, after: ComputeService) -> bool:
    """Return whether somebody edited the row: such a change of `updated_at` is no heartbeat."""
    return (before.enabled, before.disabled_reason, before.forced_down) != (
        after.enabled,
        after.disabled_reason,
        after.forced_down,
    )


def _moved(before: datetime | None, after: datetime | None) -> timedelta | None:
    if before is None or after is None or after <= before:
        return None
    return after - before


def observe_service(
    track: Heartbeat | None, row: ComputeService, at: Instant, *, asked_at: Instant
) -> Heartbeat:
    """Add one read of a service's row, begun at `asked_at` and answered at `at`.

    The placeholder of a cell that does not answer tells nothing of the row: the last real one stays.
    """
    if track is None:
        enabled_at = at if row.enabled and row.up is not None else None
        return Heartbeat(
            service=row, asked_at=asked_at, read_at=at, enabled_at=enabled_at, beat=row.updated_at
        )
    if row.up is None:
        row = replace(track.service, up=None)
    elif track.service.up is None:
        track = replace(track, answers_since=asked_at)
    enabled_at = at if row.enabled and row.up is not None else track.enabled_at
    moved = _moved(track.service.updated_at, row.updated_at)
    if moved is None or _edited(track.service, row):
        return replace(track, service=row, asked_at=asked_at, read_at=at, enabled_at=enabled_at)
    first = track.advanced_at is None
    # The first difference may hide several missed heartbeats or an edit: it teaches no interval.
    intervals = () if first else (*track.intervals, moved)[-INTERVALS_REMEMBERED:]
    return replace(
        track,
        service=row,
        asked_at=asked_at,
        read_at=at,
        enabled_at=enabled_at,
        advanced_at=at,
        intervals=intervals,
        beat=row.updated_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTrack:
    """What one prober found of one host."""

    target: str
    """What was asked, and where: `ssh:22@10.0.0.1`. Another target is another witness."""
    asked_at: Instant
    answer: ProbeAnswer
    userland_at: Instant | None = None
    """When a program last answered."""
    kernel_at: Instant | None = None
    """When at least the kernel last answered."""
    answering_since: Instant | None = None
    """Start of the present run of answers, the kernel's included; lost packets do not end it."""
    silent_since: Instant | None = None
    """Start of the present unbroken silence."""


def observe_probe(
    track: ProbeTrack | None, answer: ProbeAnswer, at: Instant, target: str
) -> ProbeTrack:
    """Add one probe's answer. What we could not ask breaks a silence, but proves no life."""
    if track is None or track.target != target:
        track = ProbeTrack(target=target, asked_at=at, answer=answer)
    before = track
    match answer:
        case ProbeAnswer.USERLAND:
            return ProbeTrack(
                target=target,
                asked_at=at,
                answer=answer,
                userland_at=at,
                kernel_at=at,
                answering_since=before.answering_since or at,
            )
        case ProbeAnswer.KERNEL:
            return ProbeTrack(
                target=target,
                asked_at=at,
                answer=answer,
                userland_at=before.userland_at,
                kernel_at=at,
                answering_since=before.answering_since or at,
            )
        case ProbeAnswer.SILENT:
            silent_since = before.silent_since or at
            lost = at.since(silent_since) >= LOST_PROBES_FORGIVEN
            return replace(
                before,
                asked_at=at,
                answer=answer,
                answering_since=None if lost else before.answering_since,
                silent_since=silent_since,
            )
        case ProbeAnswer.OWN_TROUBLE:
            return replace(before, asked_at=at, answer=answer, silent_since=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReading:
    """One answer of a power device, or its failure to answer."""

    at: Instant
    power: Power
    detail: str = ""
    """What was wrong, when the power is unknown."""
    device: str = BMC
    """Which of the host's devices said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTrack:
    """The newest readings of one host's power, oldest first."""

    readings: tuple[PowerReading, ...]
    on_since: Instant | None = None
    """Since when every clear answer was *on*."""
    bmc: Power = Power.UNKNOWN
    """The newest clear answer of the host's first device, however long ago."""

    @property
    def newest(self) -> PowerReading:
        """Return the newest reading."""
        return self.readings[-1]

    @property
    def known_at(self) -> Instant | None:
        """Return when the device last gave a clear answer."""
        return next((r.at for r in reversed(self.readings) if r.power is not Power.UNKNOWN), None)


def observe_power(track: PowerTrack | None, reading: PowerReading) -> PowerTrack:
    """Add one reading."""
    before = track.readings if track else ()
    on_since = track.on_since if track else None
    if reading.power is Power.ON:
        on_since = on_since or reading.at
    elif reading.power is Power.OFF:
        on_since = None
    bmc = track.bmc if track else Power.UNKNOWN
    if reading.device == BMC and reading.power is not Power.UNKNOWN:
        bmc = reading.power
    readings = (*before, reading)[-READINGS_REMEMBERED:]
    return PowerTrack(readings=readings, on_since=on_since, bmc=bmc)


def machine_on(track: PowerTrack) -> Iterator[PowerReading]:
    """Return the readings that say that the machine is on, oldest first.

    That its outlets are fed says so only where nothing closer to the machine said off: a host whose
    BMC read off has fed outlets all the while, and they are all that is heard of it when the BMC does
    not answer any more. Outlets that were off themselves and are fed again may have started it.
    """
    were_off = False
    for reading in track.readings:
        if reading.device == OUTLETS:
            were_off = were_off or reading.power is Power.OFF
            if track.bmc is Power.OFF and not were_off:
                continue
        if reading.power is Power.ON:
            yield reading


QUARANTINED = "it reads off, but this device is quarantined: its word is not taken"


UNIDENTIFIED = (
    "it reads off, but the device does not say whose it is, as it did before: its word is not taken"
)


def distrusting(
    track: PowerTrack, devices: Collection[str], detail: str = QUARANTINED
) -> PowerTrack:
    """Return the track as if no *off* of these devices had been a clear answer; the same if none was."""
    off_by_bmc = BMC in devices and track.bmc is Power.OFF
    if not off_by_bmc and not any(
        r.power is Power.OFF and r.device in devices for r in track.readings
    ):
        return track
    return replace(
        track,
        bmc=Power.UNKNOWN if off_by_bmc else track.bmc,
        readings=tuple(
            replace(r, power=Power.UNKNOWN, detail=detail)
            if r.power is Power.OFF and r.device in devices
            else r
            for r in track.readings
        ),
    )


def off_proven_at(track: PowerTrack | None, *, since: Instant | None = None) -> Instant | None:
    """Return when the present unbroken run of *off* readings became proof; None if it did not.

    Proof is PROOF_READS readings, each at least PROOF_SPACING after the one before, all of them
    after `since` when that is given, without any other answer in between or afterwards.
    """
    if track is None:
        return None
    counted: list[Instant] = []
    proven_at: Instant | None = None
    for reading in track.readings:
        if reading.power is not Power.OFF:
            counted, proven_at = [], None
            continue
        if since is not None and not reading.at.is_after(since):
            continue
        if counted and reading.at.since(counted[-1]) < PROOF_SPACING:
            continue
        counted.append(reading.at)
        if len(counted) == PROOF_READS:
            proven_at = reading.at
    return proven_at


HEARTBEAT_SLACK = timedelta(seconds=6)
"""How long after *off* a heartbeat that was sent before may still be seen: one calm reading of Nova."""


def beats_while_off(heartbeat: Heartbeat | None, track: PowerTrack | None) -> bool:
    """Return whether heartbeats went on after the power was first read off: one of them is wrong."""
    if heartbeat is None or heartbeat.advanced_at is None or track is None:
        return False
    run: list[PowerReading] = []
    for reading in track.readings:
        run = [*run, reading] if reading.power is Power.OFF else []
    return bool(run) and heartbeat.advanced_at.since(run[0].at) > HEARTBEAT_SLACK
