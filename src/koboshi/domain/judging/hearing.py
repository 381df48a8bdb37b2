"""Every witness is heard on one host: each one's word by itself, before any verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from koboshi.domain.facts.cells import counted_from
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, seconds
from koboshi.domain.judging.control_plane import ControlWord, control_of
from koboshi.domain.judging.evidence import HEARTBEAT_SLACK, ProbeTrack
from koboshi.domain.judging.networks import ANSWERED, Network, Reach, network_of, track_of
from koboshi.domain.judging.testimony import External, Group, Testimony
from koboshi.domain.memory.state import State
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName
from koboshi.domain.rules import PROOF_MAX_AGE, Rules

KDUMP_LASTS = timedelta(minutes=10)
"""A crashed kernel has written its dump or given up by then, and boots."""
KDUMP_SPEAKS = timedelta(seconds=25)
"""A kernel that writes its dump says so every ten seconds (fence_kdump_send -i): two missed, and the
host has most likely rebooted, so that another kernel answers, which is starting up."""
SAMPLE_SLACK = timedelta(seconds=2)
"""Between the clocks of Prometheus and of ours, over one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All words on one host at one moment."""

    network: Network
    network_sentence: str
    further: Mapping[NetworkName, Network]
    control: ControlWord
    power: Power
    power_sentence: str
    external: External
    crash: "Crash | None"
    userland_ever: bool
    """Whether a program on the management network answered this prober before."""
    alive_elsewhere: str | None
    """Who else than the management network and the control plane has heard of the host just now."""
    testimony: tuple[Testimony, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A kernel's last words, which no sign of life has contradicted since."""

    authenticated: bool
    is_speaking: bool
    """Whether it said so just now: what answers is the kernel that writes the dump, and no other."""
    sentence: str


def hear(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    *,
    stall: Callable[[], str | None],
    reach: Callable[[NetworkName], Reach],
) -> Heard:
    """Return every witness's word on `host`."""
    control = control_of(host, world, rules, now, stall, counted_from(host, world, state))
    network, network_sentence = network_of(host, world, state, rules, now)
    power, power_sentence = power_of(host, world, now)
    spoken = [
        _by_probe(host, world, now, MANAGEMENT, network, network_sentence),
        *_by_control(host, world, now, control),
        _by_power(host, world, now, power, power_sentence),
    ]
    further: dict[NetworkName, Network] = {}
    for name in world.further:
        word, sentence = _further(host, world, state, rules, now, name, reach)
        further[name] = word
        spoken.append(_by_probe(host, world, now, name, word, sentence))
    external = external_of(host, world, rules, now)
    if host in world.samples:
        spoken.append(_by_sample(host, world, now, external))
    crash = crash_of(host, world, now)
    if crash is not None:
        age = now.since(world.kdumps[host].at)
        spoken.append(
            Testimony(
                witness="kdump", group=Group.HOST, says="crashed", age=age, sentence=crash.sentence
            )
        )
    track = world.probes.get(host)
    return Heard(
        network=network,
        network_sentence=network_sentence,
        further=further,
        control=control,
        power=power,
        power_sentence=power_sentence,
        external=external,
        crash=crash,
        userland_ever=track is not None and track.userland_at is not None,
        alive_elsewhere=_elsewhere(further, external),
        testimony=tuple(spoken),
    )


def _further(
    host: HostName,
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
    name: NetworkName,
    reach: Callable[[NetworkName], Reach],
) -> tuple[Network, str]:
    """Return a further network's word; its silence needs a positive control of its own."""
    word, sentence = network_of(host, world, state, rules, now, name)
    if word is Network.SILENT:
        reached, control = reach(name).without(host)
        if not reached:
            return Network.DONT_KNOW, f"{sentence}, but {control} there"
    return word, sentence


def _elsewhere(further: Mapping[NetworkName, Network], external: External) -> str | None:
    for name, word in further.items():
        if word in ANSWERED:
            return f"it answers in {name}"
    return "Prometheus has a fresh sample of it" if external is External.ALIVE else None


def power_of(host: HostName, world: World, now: Instant) -> tuple[Power, str]:
    """Return the power device's word, and the sentence for it."""
    track = world.power.get(host)
    if track is None:
        return Power.UNKNOWN, "its power was not read yet"
    newest = track.newest
    age = now.since(newest.at)
    if newest.power is Power.UNKNOWN:
        return Power.UNKNOWN, f"its power cannot be read: {newest.detail or 'unclear answer'}"
    if age > PROOF_MAX_AGE:
        return Power.UNKNOWN, f"its power read {newest.power} {seconds(age)} ago"
    return newest.power, f"its power reads {newest.power}"


def external_of(host: HostName, world: World, rules: Rules, now: Instant) -> External:
    """Return what Prometheus says: alive only by a fresh sample that is newer than our silence.

    A sample from before the host fell silent says nothing of the silence, and would delay every
    confirmation by the time that samples are fresh.
    """
    sample = world.samples.get(host)
    if sample is None or sample.alive_at is None:
        return External.DONT_KNOW
    if now.since(sample.alive_at) > rules.sample_max_age:
        return External.DONT_KNOW
    probe = world.probes.get(host)
    silent_since = probe.silent_since if probe else None
    if silent_since is not None and not sample.alive_at.is_after(silent_since.later(SAMPLE_SLACK)):
        return External.DONT_KNOW
    return External.ALIVE


def crash_of(host: HostName, world: World, now: Instant) -> Crash | None:
    """Return a kernel's last words; None when there are none, or the host lived afterwards."""
    seen = world.kdumps.get(host)
    if seen is None or now.since(seen.at) > KDUMP_LASTS:
        return None
    since = seen.at.later(HEARTBEAT_SLACK)
    probes = (world.probes.get(host), *(tracks.get(host) for tracks in world.further.values()))
    nova, agents, sample = (
        world.services.get(host),
        world.agents.get(host),
        world.samples.get(host),
    )
    lived = (
        *(p.userland_at for p in probes if p is not None),
        nova.advanced_at if nova else None,
        agents.advanced_at if agents else None,
        sample.alive_at if sample else None,
    )
    if any(moment is not None and moment.is_after(since) for moment in lived):
        return None
    how = "signed or from an isolated network" if seen.authenticated else "unsigned"
    return Crash(
        authenticated=seen.authenticated,
        is_speaking=now.since(seen.at) <= KDUMP_SPEAKS,
        sentence=f"it said {seconds(now.since(seen.at))} ago that its kernel crashed ({how})",
    )


def _age(moment: Instant | None, now: Instant) -> timedelta | None:
    return None if moment is None else now.since(moment)


def _heard_at(track: ProbeTrack | None) -> Instant | None:
    return track.kernel_at if track else None


def _by_probe(
    host: HostName, world: World, now: Instant, name: NetworkName, word: Network, sentence: str
) -> Testimony:
    track = track_of(host, world, name)
    return Testimony(
        witness=track.target if track else "probe",
        group=Group.MANAGEMENT if name == MANAGEMENT else Group.FURTHER,
        says=word.value,
        age=_age(_heard_at(track), now),
        sentence=sentence,
        network=name,
    )


def _by_control(
    host: HostName, world: World, now: Instant, word: ControlWord
) -> tuple[Testimony, ...]:
    track, agents = world.services.get(host), world.agents.get(host)
    nova = Testimony(
        witness="nova-compute",
        group=Group.CONTROL_PLANE,
        says=word.nova.value,
        age=_age(track.advanced_at if track else None, now),
        sentence=word.nova_sentence,
    )
    if agents is None or not agents.beats:
        return (nova,)
    return nova, Testimony(
        witness="neutron agents",
        group=Group.CONTROL_PLANE,
        says=word.agents.value,
        age=_age(agents.advanced_at, now),
        sentence=word.agents_sentence,
    )


def _by_power(host: HostName, world: World, now: Instant, power: Power, sentence: str) -> Testimony:
    track = world.power.get(host)
    return Testimony(
        witness="power",
        group=Group.POWER,
        says=power.value,
        age=_age(track.newest.at if track else None, now),
        sentence=sentence,
    )


def _by_sample(host: HostName, world: World, now: Instant, external: External) -> Testimony:
    at = world.samples[host].alive_at
    said = "never seen to be new" if at is None else f"from {seconds(now.since(at))} ago"
    return Testimony(
        witness="prometheus",
        group=Group.EXTERNAL,
        says=external.value,
        age=_age(at, now),
        sentence=f"its newest sample in Prometheus is {said}",
    )
