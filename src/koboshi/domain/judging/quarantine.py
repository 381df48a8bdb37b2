"""Power devices that are wrong, or another host's: found by reading, before one of them kills.

A device that read off while its host answered, or that says that its machine is another one, is
neither believed nor used. What ends that is stronger than what began it: other settings, or, where it
only contradicted, a long time of *on*. It is not tried either: a test might kill the other host.
"""

from bisect import bisect
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice, zip_longest

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import BMC
from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.judging.evidence import PowerReading
from koboshi.domain.judging.identification import identified
from koboshi.domain.judging.verdict import Network
from koboshi.domain.memory.devices import CONTRADICTS, Quarantine
from koboshi.domain.memory.events import DeviceQuarantined, DeviceTrusted, Event
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName

MISTAKEN = "mistaken"
CONTRADICTION_SLACK = timedelta(seconds=2)
ALIVE = frozenset({Network.USERLAND, Network.KERNEL})
SWAP_WINDOW = timedelta(seconds=60)
"""How long before a silence was confirmed a device may have begun to contradict because of it."""
LOOK_FOR = timedelta(seconds=5)
"""How long the others' devices are waited for: a deaf one may not keep a dead host's servers down."""


def has_trusted_device(host: HostName, world: World, state: State) -> bool:
    """Return whether any power device of the host is believed."""
    distrusted = state.devices.distrusted(host)
    return not distrusted or bool(_devices(host, world).keys() - distrusted)


def can_be_switched(host: HostName, world: World, state: State) -> bool:
    """Return whether the host has a power device that is believed."""
    return host in world.fenced and has_trusted_device(host, world, state)


def _devices(host: HostName, world: World) -> Mapping[str, str]:
    return world.devices.get(host) or {BMC: ""}


def watch_devices(picture: Picture, host: HostName) -> Iterator[Event]:
    """Tell of each device of `host` that is believed no more, or again."""
    yield from identified(host, picture.world, picture.state.devices)
    known = picture.state.devices.quarantined
    devices = _devices(host, picture.world)
    for (owner, device), quarantine in known.items():
        if owner == host and (why := _why_believed(picture, host, device, quarantine)):
            yield DeviceTrusted(host=host, device=device, reason=why)
    for device, cause, reason in _doubts(picture, host):
        if (host, device) not in known and device in devices:
            yield DeviceQuarantined(
                host=host, device=device, cause=cause, reason=reason, table=devices[device]
            )


def _doubts(picture: Picture, host: HostName) -> Iterator[tuple[str, str, str]]:
    if wrong := picture.world.mistaken.get(host):
        yield (
            BMC,
            MISTAKEN,
            f"{wrong}. It is neither believed nor used until its settings are mended",
        )
    elif (reading := _contradiction(picture, host)) is not None:
        yield (
            reading.device,
            CONTRADICTS,
            (
                f"the power device of {host} ({reading.device}) read off while the host answered: it may be "
                f"another host's, or wrong. It is neither believed nor used until its settings are mended, "
                "or it has read on for a long time ([fencing] quarantine)"
            ),
        )


def _contradiction(picture: Picture, host: HostName) -> PowerReading | None:
    """Return a reading of *off* while the host answered, before it and after it."""
    track = picture.world.power.get(host)
    probe = picture.world.probes.get(host)
    if track is None or probe is None:
        return None
    answered_at, since = probe.kernel_at, probe.answering_since
    if answered_at is None or since is None:
        return None
    # Around the reading, not only after it: a host that is switched on answers soon after an off.
    return next(
        (
            r
            for r in track.readings
            if r.power is Power.OFF
            and r.at.since(since) > CONTRADICTION_SLACK
            and answered_at.since(r.at) > CONTRADICTION_SLACK
        ),
        None,
    )


def _why_believed(
    picture: Picture, host: HostName, device: str, quarantine: Quarantine
) -> str | None:
    table = _devices(host, picture.world).get(device)
    if table is None:
        return "it is not configured any more"
    if table != quarantine.table:
        return "its settings were changed: it is another device now"
    if quarantine.cause == MISTAKEN:
        told = picture.world.identities.get(host)
        again = told is not None and host not in picture.world.mistaken
        return "it says that its machine is another one now" if again else None
    track = picture.world.power.get(host)
    since = track.on_since if track else None
    if since is not None and picture.now.since(since) >= picture.rules.quarantine:
        return "it has read on, as its host was, for long enough"
    return None


def neighbours(picture: Picture, host: HostName) -> tuple[HostName, ...]:
    """Return other living hosts whose devices could be swapped with that of `host`: the nearest by name."""
    living = sorted(
        name
        for name in picture.world.fenced & picture.judgements.keys()
        if name != host and picture.judgements[name].network in ALIVE
    )
    place = bisect(living, host)
    before, after = living[:place][::-1], living[place:]
    near = (name for pair in zip_longest(before, after) for name in pair if name is not None)
    return tuple(islice(near, picture.rules.look_first))


def to_look_at(picture: Picture, incident: Incident) -> tuple[HostName, ...]:
    """Return those of them whose devices were not read since the incident came to where it is."""
    track = picture.world.power.get(incident.host)
    if track is not None and track.newest.power is Power.OFF:
        return ()  # nothing is switched off, so nothing can be hit
    if picture.now.since(incident.moved_at) > LOOK_FOR:
        return ()
    return tuple(
        name
        for name in neighbours(picture, incident.host)
        if (read := picture.world.power.get(name)) is None
        or not read.newest.at.is_after(incident.moved_at)
    )


def why_swapped(picture: Picture, incident: Incident) -> str | None:
    """Return whose device contradicts its living host since this one fell silent; None without any.

    When the devices of two hosts are swapped, that of the living one reads what the dead one is.
    """
    host, since = incident.host, incident.opened_at
    for (other, _), quarantine in picture.state.devices.quarantined.items():
        if (
            other != host
            and quarantine.cause == CONTRADICTS
            and since.since(quarantine.since) < SWAP_WINDOW
        ):
            return _swapped(host, other)
    for other in picture.restless:  # who answers and reads off is not calm
        if other == host or picture.judgements[other].network not in ALIVE:
            continue
        track = picture.world.power.get(other)
        if (
            track is not None
            and track.newest.power is Power.OFF
            and track.newest.at.is_after(since)
        ):
            return _swapped(host, other)
    return None


def _swapped(host: HostName, other: HostName) -> str:
    return (
        f"the power device of {other} reads off while {other} answers, since {host} fell silent: the two "
        f"may be swapped, and an off for {host} would kill {other}. Compare their addresses in the settings"
    )
