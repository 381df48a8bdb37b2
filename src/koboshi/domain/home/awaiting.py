"""What a host on its way home waits for: since when, until when, and what a person may do meanwhile.

Told in the words of the step that waits (powering, returning, restoring, enabling), of the same
picture. Moments instead of ages, so that the words stay the same while nothing changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Migration
from koboshi.domain.home.guard_home import (
    BLOCKS_THE_LIFT,
    NAMED,
    POWER_ON_TRIES,
    bombs_of,
    cures,
    named,
    why_not_power_on,
)
from koboshi.domain.home.powering import ON_WITHIN
from koboshi.domain.home.restoring import SETTLED_FOR, waits_for_its_host
from koboshi.domain.home.returning import BEATS, once_more
from koboshi.domain.home.way_home import HomeStep
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.listing import not_listed_yet
from koboshi.domain.incidents.steps import (
    braked,
    is_anything_unfinished,
    is_given_back,
    judgement_of,
    nova_s_trouble,
    overdue_at,
    power_word,
    recoveries_of,
)
from koboshi.domain.instant import Instant, latest
from koboshi.domain.judging.networks import Network
from koboshi.domain.judging.verdict import Control
from koboshi.domain.names import HostName

_S = IncidentState
_Told = tuple[str, HomeStep]


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What an incident waits for by itself."""

    what: str
    since: Instant
    until: Instant | None
    """When a person is asked, should it not come; None: nobody will be."""
    may: HomeStep
    """What a person may do meanwhile."""


def awaited(picture: Picture, incident: Incident) -> Awaited | None:
    """Return what a host waits for on its way home; None elsewhere: there the reason says it."""
    tell = _TELL.get(incident.state)
    if tell is None:
        return None
    what, may = tell(picture, incident)
    until = overdue_at(picture, incident)
    return Awaited(what=what, since=incident.moved_at, until=until, may=may)


def sentence(told: Awaited) -> str:
    """Return it in one line: what is awaited, and what a person may do."""
    commands = f": {'; '.join(told.may.commands)}" if told.may.commands else ""
    return f"It awaits {told.what}. {told.may.text}{commands}"


def _clock(at: Instant) -> str:
    return f"{at.wall:%H:%M:%S} UTC"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _unarmed(picture: Picture) -> _Told | None:
    """Return that nothing is sent now, and how that ends."""
    why = picture.why_not_acting
    if why is None:
        return None
    text = "Let Koboshi go on, or bring the host home by hand, as the way home says"
    return f"that Koboshi may act ({why})", HomeStep(text=text, commands=("koboshi arm",))


def _troubled(picture: Picture, incident: Incident) -> _Told | None:
    """Return that Nova itself is in trouble: nothing can come of the host before that is mended."""
    trouble = nova_s_trouble(picture, incident)
    if trouble is None:
        return None
    return f"an end of this trouble: {trouble}", HomeStep(text="Mend Nova's control plane first")


def _records(picture: Picture, host: HostName) -> tuple[Migration, ...]:
    read = picture.world.from_host.get(host)
    return read.records if read else ()


def _signs(picture: Picture, incident: Incident) -> str:
    """Return what is seen of the host now, network by network."""
    judgement, host = judgement_of(picture, incident), incident.host
    if judgement is None:
        return "Nova does not list its compute service"
    track = picture.world.probes.get(host)
    since = track.silent_since if track else None
    address = {
        Network.USERLAND: "its management address answers",
        Network.QUIET: "its management address answers",
        Network.KERNEL: "its kernel answers, and no program of it does",
        Network.SILENT: "its management address is silent",
        Network.DONT_KNOW: "of its management address nothing is known",
    }[judgement.network]
    if judgement.network is Network.SILENT and since is not None:
        address += f" since {_clock(since)}"
    silent = [n for n, word in sorted(judgement.further.items()) if word is Network.SILENT]
    cut = [f"its network {_some(silent)} is SILENT"] if silent else []
    power = [power_word(picture, incident)] if host in picture.world.fenced else []
    return "; ".join((address, *cut, *power))


def _look_at_compute(picture: Picture, incident: Incident) -> HomeStep:
    """Return how to help a host that lives, but whose nova-compute is not heard."""
    host = incident.host
    if bombs := bombs_of(_records(picture, host)):
        return HomeStep(
            text=f"Do NOT start nova-compute on {host} yet: {named(bombs)}, and its start would destroy "
            f"those guests. Make sure that nobody works on them, then {cures(bombs)}"
        )
    judgement = judgement_of(picture, incident)
    dark = {Network.SILENT, Network.DONT_KNOW}
    if judgement is None or judgement.network in dark:
        return HomeStep(
            text=f"Look at the console of {host} by its BMC, and at its networks: once it answers and its "
            "nova-compute reports, Koboshi goes on by itself"
        )
    silent = [n for n, word in judgement.further.items() if word is Network.SILENT]
    first = f"Mend its network {_some(sorted(silent))} first. " if silent else ""
    return HomeStep(
        text=f"{first}Should it not report within a minute, look at nova-compute on {host}: does it run, "
        "and reach its message bus (that network may be cut while others answer)? Once it reports, "
        "Koboshi goes on by itself",
        commands=(
            f"ssh {host} systemctl status nova-compute",
            f"ssh {host} journalctl -u nova-compute -n 50",
        ),
    )


def _settled(picture: Picture, incident: Incident) -> _Told:
    host = incident.host
    if not picture.rules.comes_home:
        return "a person, who brings it home ([home] automatic = false)", HomeStep(
            text="Go the way home as it stands there",
            commands=(f"koboshi incident show {incident.id}",),
        )
    if found := _troubled(picture, incident):
        return found
    leave = HomeStep(text=f"Nothing must be done: leave {host} as it is")
    if late := not_listed_yet(picture, incident):
        return (
            f"what Glance and Cinder say of {_some([s.name for s in late])}",
            HomeStep(text="Bring Glance and Cinder back"),
        )
    read = picture.world.from_host.get(host)
    if read is None or not read.at.is_after(incident.moved_at):
        return f"a new reading of the evacuation records of {host}", leave
    if picture.state.is_busy(f"host:{host}"):
        return f"the end of a request that concerns {host}", leave
    why = braked(picture, incident) or why_not_power_on(incident, picture.state, picture.now)
    if why is not None:
        return f"the moment to switch it on ({why})", leave
    at_once = picture.rules.hosts_home_at_once
    return f"its turn: {at_once} hosts at a time come home", leave


def _powering_on(picture: Picture, incident: Incident) -> _Told:
    host, home = incident.host, incident.home
    by_hand = HomeStep(
        text=f"Look at the console of {host} by its BMC; switching it on by hand is all right, too: "
        "Koboshi goes on from its first sign of life"
    )
    if picture.state.is_busy(f"host:{host}"):
        return "the answer of its power device to the power-on", by_hand
    asked = home.powered_on_at
    tried = f"{home.power_ons} of {POWER_ON_TRIES} times" if home.power_ons else "not yet"
    at = f", last at {_clock(asked)}" if asked else ""
    is_due = picture.now.since(asked or incident.moved_at) >= ON_WITHIN
    if is_due and home.power_ons < POWER_ON_TRIES and (found := _unarmed(picture)):
        return found
    return (
        f"a sign of life of {host} (switched on {tried}{at}; {_signs(picture, incident)})",
        by_hand,
    )


def _returning(picture: Picture, incident: Incident) -> _Told:
    if found := _troubled(picture, incident):
        return found
    track, beats = picture.world.services.get(incident.host), incident.home.beats
    at = track.advanced_at if track else None
    seen = f"{beats} of {BEATS} came" if beats else "none came since it returned"
    if not beats and at is not None:
        seen += f", the last one before at {_clock(at)}"
    return (
        f"{BEATS} heartbeats of its nova-compute: {seen} ({_signs(picture, incident)})",
        _look_at_compute(picture, incident),
    )


def _reconciling(picture: Picture, incident: Incident) -> _Told:
    host = incident.host
    if found := _troubled(picture, incident):
        return found
    track, read = picture.world.services.get(host), picture.world.from_host.get(host)
    if track is None or track.service.up is None or not track.read_at.is_after(incident.moved_at):
        return f"what Nova says of the compute service of {host}", HomeStep(
            text="Look whether its cell answers",
            commands=(f"openstack compute service list --service nova-compute --host {host}",),
        )
    if read is None or not read.at.is_after(incident.moved_at):
        return f"a new reading of the evacuation records of {host}", HomeStep(
            text="Look whether Nova lists them",
            commands=(f"openstack server migration list --host {host} --type evacuation",),
        )
    blocking = [r for r in read.records if r.is_evacuation and r.status in BLOCKS_THE_LIFT]
    if blocking:
        each = _some([f"{r.id} of server {r.server}, {r.status}" for r in blocking])
        return f"that Nova clears away evacuation record {each}", once_more(host, blocking)
    if found := _unarmed(picture):
        return found
    home = incident.home
    lift = (f"openstack compute service set --up {host} nova-compute",)
    if home.refused_since is not None:
        said = f"refused since {_clock(home.refused_since)}: {home.refusal}"
        return f"that Nova takes the lift of force-down ({said})", once_more(host, [])
    return "that Nova shows force-down lifted", HomeStep(
        text="Should it not, lift it yourself", commands=lift
    )


def _restoring(picture: Picture, incident: Incident) -> _Told:
    host, track = incident.host, picture.world.services.get(incident.host)
    if found := _troubled(picture, incident):
        return found
    if track is None or track.service.up is not True:
        what = f"that Nova sees nova-compute on {host} up ({_signs(picture, incident)})"
        return what, _look_at_compute(picture, incident)
    waiting = [r for r in recoveries_of(picture, incident) if waits_for_its_host(r)]
    names = _some([r.candidate.name for r in waiting])
    since = latest(incident.moved_at, picture.world.began_at)
    start = HomeStep(
        text="Should one stay off, look at it, and start it yourself",
        commands=tuple(f"openstack server start {r.server}" for r in waiting[:NAMED]),
    )
    if picture.now.since(since) < SETTLED_FOR:
        at = _clock(since.later(SETTLED_FOR))
        nothing = HomeStep(text="Nothing must be done")
        return f"Nova's own look at what runs on {host}, until {at}; then {names}", nothing
    if found := _unarmed(picture):
        return found
    begun = sum(r.start_asked_at is not None for r in waiting)
    return f"{names}: to run on {host} again ({begun} of {len(waiting)} are being started)", start


def _enabling(picture: Picture, incident: Incident) -> _Told:
    if found := _troubled(picture, incident):
        return found
    if is_given_back(picture, incident):
        return _in_service(picture, incident)
    host = incident.host
    if found := _unarmed(picture):
        return found
    if incident.handed_over is not None:
        return "that Nova shows it disabled as its operator had it", HomeStep(
            text=f"Nothing must be done: enabling {host} is its operator's"
        )
    return f"that Nova shows {host} enabled", HomeStep(
        text="Should it not, enable it yourself",
        commands=(f"openstack compute service set --enable {host} nova-compute",),
    )


def _in_service(picture: Picture, incident: Incident) -> _Told:
    """Return what a host that serves again lacks to be healthy for long."""
    host, judgement = incident.host, judgement_of(picture, incident)
    probe = picture.world.probes.get(host)
    answers = judgement is not None and judgement.network in {Network.USERLAND, Network.KERNEL}
    beats = judgement is not None and judgement.control is Control.FRESH
    if not answers or not beats or probe is None or probe.answering_since is None:
        reports = "it reports" if beats else "no fresh heartbeat of it is seen"
        seen = f"{_signs(picture, incident)}; {reports}"
        what = f"that {host} answers and reports for {_minutes(picture)} ({seen})"
        return what, _look_at_compute(picture, incident)
    if is_anything_unfinished(picture, incident):
        show = (f"koboshi incident show {incident.id}",)
        return "the end of a recovery that is still on its way", HomeStep(
            text="See which", commands=show
        )
    at = latest(incident.moved_at, probe.answering_since).later(picture.rules.latch)
    nothing = HomeStep(text=f"Nothing must be done: {host} is in service")
    return f"that {host} stays healthy until {_clock(at)}", nothing


def _minutes(picture: Picture) -> str:
    return f"{picture.rules.latch.total_seconds() / 60:.0f} min"


_TELL: Mapping[IncidentState, Callable[[Picture, Incident], _Told]] = {
    _S.SETTLED: _settled,
    _S.POWERING_ON: _powering_on,
    _S.RETURNING: _returning,
    _S.RECONCILING: _reconciling,
    _S.RESTORING: _restoring,
    _S.ENABLING: _enabling,
}
