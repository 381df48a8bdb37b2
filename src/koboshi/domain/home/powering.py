"""From settled to a host that lives again: whether Koboshi switches it on, or a person does."""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.home.guard_home import (
    POWER_ON_TRIES,
    bomb_text,
    bombs_of,
    why_not_power_on,
)
from koboshi.domain.incidents.incident import COMING_HOME, Incident, IncidentState, ProofKind
from koboshi.domain.incidents.listing import not_listed_yet
from koboshi.domain.incidents.steps import braked, life_of, move, power_word, recoveries_of
from koboshi.domain.judging.proof import is_ours
from koboshi.domain.judging.quarantine import has_trusted_device
from koboshi.domain.memory.commands import PowerOn
from koboshi.domain.memory.events import RecoveryMoved
from koboshi.domain.recoveries.recovery import WAITING, RecoveryState

ON_WITHIN = timedelta(seconds=60)
"""How long after *on* the host may take to show life before *on* is sent again."""

_S = IncidentState
_STARTED_WITH_ITS_HOST = WAITING | {RecoveryState.GIVEN_UP, RecoveryState.REFUSED}


def comes_back(picture: Picture, incident: Incident, life: str) -> Decision:
    """Return that the host lives: from here nothing of it is evacuated, and what waited waits for it."""
    held = tuple(
        RecoveryMoved(
            incident=incident.id,
            server=r.server,
            to=RecoveryState.HELD,
            reason=f"its host came back ({r.state} until then): it is started where its data is",
        )
        for r in recoveries_of(picture, incident)
        if r.state in _STARTED_WITH_ITS_HOST
    )
    return move(incident, _S.RETURNING, life, *held)


def go_home(picture: Picture, incident: Incident) -> Decision:
    """Switch the host on when that is ours to do and safe, or park it until a person does."""
    read = picture.world.from_host.get(incident.host)
    if read is None or not read.at.is_after(incident.moved_at):
        return NOTHING  # what was read before may have changed since
    if not_listed_yet(picture, incident):
        return NOTHING
    if bombs_of(read.records):
        return _bombed(picture, incident)
    parked = _why_parked(picture, incident)
    if incident.state is _S.PARKED:
        if parked is None:
            return move(incident, _S.SETTLED, "nothing keeps it off any more")
        return NOTHING
    if parked is not None:
        return move(incident, _S.PARKED, parked)
    if _must_wait(picture, incident) or not _has_slot(picture, incident):
        return NOTHING
    return move(
        incident,
        _S.POWERING_ON,
        "its servers are safe, and no evacuation record of it is open: switching it on",
        commands=(_command(picture, incident),),
    )


def _bombed(picture: Picture, incident: Incident) -> Decision:
    bombs = bombs_of(picture.world.from_host[incident.host].records)
    return move(incident, _S.NEEDS_HUMAN, bomb_text(incident, bombs))


def may_settle_again(picture: Picture, incident: Incident) -> bool:
    """Return whether what a person was asked for is done: the open records are ended, the host off."""
    read = picture.world.from_host.get(incident.host)
    track = picture.world.services.get(incident.host)
    return (
        incident.servers_listed
        and incident.home.power_ons == 0
        and read is not None
        and read.at.is_after(incident.moved_at)
        and not bombs_of(read.records)
        and _why_parked(picture, incident) is None
        and track is not None
        and life_of(picture, incident) is None
    )


def _why_parked(picture: Picture, incident: Incident) -> str | None:
    """Return why it is a person who brings the host back; None when Koboshi does."""
    host, proof = incident.host, incident.proof
    by_hand = f"when it is mended, switch {host} on: Koboshi goes on from its first sign of life"
    if incident.handed_over is not None:
        who = incident.handed_over or "without a reason"
        return f"an operator had disabled it ({who}): switching it on is theirs; {by_hand}"
    if proof is None or proof.kind is not ProofKind.FENCED_OFF or not incident.switched_off:
        return f"it was not Koboshi's off that switched {host} off: it does not switch it on; {by_hand}"
    if not picture.rules.power_on:
        return f"the settings say [home] power_on = false; {by_hand}"
    if why := picture.why_not_acting:
        return f"{why}; {by_hand}"
    if host not in picture.world.fenced or not has_trusted_device(
        host, picture.world, picture.state
    ):
        return f"{power_word(picture, incident)}; {by_hand}"
    unclear = [
        r
        for r in recoveries_of(picture, incident)
        if r.state is RecoveryState.ORPHAN_SUSPECTED
        or (r.state is RecoveryState.STUCK and r.command is not None)
    ]
    if unclear:
        first = unclear[0]
        return (
            f"{first.candidate.name} is {first.state}: a copy of it may run somewhere. Look at it first; "
            f"{by_hand}"
        )
    track = picture.world.services.get(host)
    if (
        incident.isolation is not None
        and track is not None
        and track.service.id is not None
        and not is_ours(incident.isolation, track.service)
    ):
        return f"somebody changed its compute service in Nova; {by_hand}"
    return None


def _must_wait(picture: Picture, incident: Incident) -> bool:
    """Return whether it is only not the moment."""
    return (
        picture.world.api.failing_since is not None
        or picture.state.is_busy(f"host:{incident.host}")
        or braked(picture, incident) is not None
        or why_not_power_on(incident, picture.state, picture.now) is not None
    )


def _has_slot(picture: Picture, incident: Incident) -> bool:
    """Return whether it is this host's turn: of those that could go in this look, the oldest go."""
    ahead = 0
    for other in picture.state.open_incidents():
        if other.id == incident.id:
            break
        ahead += other.state is _S.SETTLED and _could_go(picture, other)
    coming = sum(i.state in COMING_HOME for i in picture.state.open_incidents())
    return coming + ahead < picture.rules.hosts_home_at_once


def _could_go(picture: Picture, incident: Incident) -> bool:
    return _why_parked(picture, incident) is None and not _must_wait(picture, incident)


def _command(picture: Picture, incident: Incident) -> PowerOn:
    return PowerOn(
        id=picture.new_command_id(incident, "power-on"), incident=incident.id, host=incident.host
    )


def await_power(picture: Picture, incident: Incident) -> Decision:
    """Wait for a sign of life after *on*; send it once more, then ask a person."""
    host = incident.host
    if picture.state.is_busy(f"host:{host}"):
        return NOTHING
    if life := life_of(picture, incident):
        return comes_back(picture, incident, life)
    asked_at = incident.home.powered_on_at or incident.moved_at
    if picture.now.since(asked_at) < ON_WITHIN:
        return NOTHING
    read = picture.world.from_host.get(host)
    if read is None or not read.at.is_after(asked_at):
        return NOTHING
    if bombs_of(read.records):
        return _bombed(picture, incident)
    if incident.home.power_ons < POWER_ON_TRIES:
        return Decision(commands=(_command(picture, incident),))
    return move(
        incident,
        _S.NEEDS_HUMAN,
        f"{host} was switched on {incident.home.power_ons} times, and shows no life: "
        f"{power_word(picture, incident)}. Look at it; when it runs, Koboshi goes on by itself",
    )
