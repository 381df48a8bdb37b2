"""One step of a host incident: what its state, the evidence and the brake lead to now."""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.brake import marker_of, why_braked
from koboshi.domain.cloud import Power
from koboshi.domain.commands import Command, FenceOff, Isolate
from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.events import DeathProven, Event, IncidentMoved, RecoveryMoved
from koboshi.domain.incident import Incident, IncidentState, Proof, ProofKind
from koboshi.domain.instant import latest
from koboshi.domain.listing import list_new_servers
from koboshi.domain.policy import is_protected
from koboshi.domain.proof import find_proof, signs_of_life
from koboshi.domain.recovery import ON_ITS_WAY, WAITING, RecoveryState
from koboshi.domain.rules import Mode
from koboshi.domain.verdict import Control, Judgement, Network, Verdict

PROOF_DEADLINE = timedelta(seconds=30)
"""How long after *off* the power may take to read off before the incident is `unproven`."""
FENCE_RETRY_AFTER = timedelta(seconds=10)
"""How long one *off* gets before it is sent again, within PROOF_DEADLINE."""
FENCE_AGAIN_AFTER = timedelta(seconds=60)
"""How long an `unproven` incident waits before the next round of *off*."""
FENCE_ATTEMPTS = 5
ISOLATE_AGAIN_AFTER = timedelta(seconds=2)
ISOLATE_DEADLINE = timedelta(minutes=10)

_S = IncidentState


def advance(picture: Picture, incident: Incident) -> Decision:
    """Return the next step of `incident`; at most one a look, so each is journalled by itself."""
    match incident.state:
        case _S.HELD | _S.WOULD_ACT:
            return _wait(picture, incident)
        case _S.CONFIRMED:
            return _begin(picture, incident)
        case _S.FENCING:
            return _await_proof(picture, incident)
        case _S.UNPROVEN:
            return _unproven(picture, incident)
        case _S.PROVEN | _S.ISOLATING:
            return _isolate(picture, incident)
        case _S.RECOVERING:
            return _recover(picture, incident)
        case _S.SOURCE_BACK:
            return _source_back(picture, incident)
        case _S.SETTLED | _S.NEEDS_HUMAN | _S.FOREIGN:
            return _until_healthy(picture, incident)
        case _S.CLOSED:
            return NOTHING


def _move(
    incident: Incident,
    to: IncidentState,
    reason: str,
    *events: Event,
    commands: tuple[Command, ...] = (),
) -> Decision:
    moved = IncidentMoved(incident=incident.id, to=to, reason=reason)
    return Decision(events=(*events, moved), commands=commands)


def _judgement(picture: Picture, incident: Incident) -> Judgement | None:
    return picture.judgements.get(incident.host)


def _is_up(judgement: Judgement | None) -> bool:
    return judgement is not None and judgement.verdict is Verdict.UP


def _wait(picture: Picture, incident: Incident) -> Decision:
    """Go on when the brake lets go and the silence still stands; close when the host answers."""
    judgement = _judgement(picture, incident)
    if _is_up(judgement):
        return _move(incident, _S.CLOSED, "the host answers again; nothing was done to it")
    if judgement is None or judgement.verdict is not Verdict.UNREACHABLE:
        return NOTHING
    if incident.state is _S.WOULD_ACT and picture.rules.mode is Mode.OBSERVE:
        return NOTHING
    if _why_braked(picture, incident):
        return NOTHING
    return _move(incident, _S.CONFIRMED, "the picture is plausible again: " + judgement.reasons[0])


def _why_braked(picture: Picture, incident: Incident) -> str | None:
    return why_braked(
        incident.host,
        picture.judgements,
        picture.world,
        picture.state,
        picture.rules,
        picture.now,
    )


def _begin(picture: Picture, incident: Incident) -> Decision:
    judgement = _judgement(picture, incident)
    if _is_up(judgement):
        return _move(incident, _S.CLOSED, "the host answers again; nothing was done to it")
    if judgement is None or judgement.verdict is not Verdict.UNREACHABLE:
        return NOTHING
    if braked := _why_braked(picture, incident):
        return _move(incident, _S.HELD, braked)
    if picture.rules.mode is Mode.OBSERVE:
        return _move(incident, _S.WOULD_ACT, _what_would_be_done(picture, incident))
    if _is_foreign(picture, incident):
        return _move(incident, _S.FOREIGN, "somebody else has begun to evacuate this host")
    if incident.host not in picture.world.fenced:
        return _move(
            incident,
            _S.NEEDS_HUMAN,
            f"no fencing is configured for {incident.host}: its death cannot be proven",
        )
    if proof := _proof(picture, incident):
        return _proven(incident, proof)
    return _fence(picture, incident, f"silent: {judgement.reasons[0]}; switching its power off")


def _what_would_be_done(picture: Picture, incident: Incident) -> str:
    sweep = picture.world.sweep
    servers = [s for s in sweep.servers if s.host == incident.host] if sweep else []
    protected = [s for s in servers if is_protected(s)]
    return (
        f"observe mode: would fence {incident.host}, force it down in Nova, and recover or hold its "
        f"{len(protected)} protected servers of {len(servers)}"
    )


def _is_foreign(picture: Picture, incident: Incident) -> bool:
    read = picture.world.from_host.get(incident.host)
    return read is not None and any(r.is_open and r.is_evacuation for r in read.records)


def _proof(picture: Picture, incident: Incident) -> Proof | None:
    """Return proof by power readings; a BMC that contradicted a living host proves nothing."""
    if (incident.host, "bmc_contradicts") in picture.state.notices:
        return None
    return find_proof(
        incident,
        picture.world.power.get(incident.host),
        picture.state.fences.get(incident.host),
    )


def _proven(incident: Incident, proof: Proof) -> Decision:
    how = "after our off command" if proof.kind is ProofKind.FENCED_OFF else "before any command"
    return _move(
        incident,
        _S.PROVEN,
        f"its power read off three times in a row, {how}",
        DeathProven(incident=incident.id, proof=proof),
    )


def _fence_command(picture: Picture, incident: Incident) -> FenceOff:
    return FenceOff(
        id=picture.new_command_id(incident, "fence"), incident=incident.id, host=incident.host
    )


def _fence(picture: Picture, incident: Incident, reason: str) -> Decision:
    return _move(incident, _S.FENCING, reason, commands=(_fence_command(picture, incident),))


def _has_open_command(picture: Picture, incident: Incident, kind: type[Command]) -> bool:
    return any(isinstance(c.command, kind) for c in picture.state.commands_of(incident.id))


def _power_word(picture: Picture, incident: Incident) -> str:
    if (incident.host, "bmc_contradicts") in picture.state.notices:
        return "its BMC read off while the host answered: its word is not taken"
    track = picture.world.power.get(incident.host)
    if track is None:
        return "its power was never read"
    newest = track.newest
    return f"its power reads {newest.power}" + (f" ({newest.detail})" if newest.detail else "")


def _await_proof(picture: Picture, incident: Incident) -> Decision:
    if proof := _proof(picture, incident):
        return _proven(incident, proof)
    if _has_open_command(picture, incident, FenceOff):
        return NOTHING
    fenced_at = picture.state.fences.get(incident.host, incident.moved_at)
    waited = picture.now.since(latest(incident.moved_at, fenced_at, picture.world.began_at))
    if waited >= PROOF_DEADLINE:
        return _move(
            incident,
            _S.UNPROVEN,
            f"switched off, but {_power_word(picture, incident)}: nothing is evacuated until it reads "
            f"off three times. Make sure that {incident.host} is off, or mend its BMC",
        )
    if picture.now.since(fenced_at) >= FENCE_RETRY_AFTER and _may_fence_again(picture, incident):
        return Decision(commands=(_fence_command(picture, incident),))
    return NOTHING


def _may_fence_again(picture: Picture, incident: Incident) -> bool:
    """Return whether the host is still silent, still not off, and the brake still lets go."""
    judgement = _judgement(picture, incident)
    track = picture.world.power.get(incident.host)
    return (
        judgement is not None
        and judgement.verdict is Verdict.UNREACHABLE
        and (track is None or track.newest.power is not Power.OFF)
        and incident.fence_attempts < FENCE_ATTEMPTS
        and not _has_open_command(picture, incident, FenceOff)
        and not _why_braked(picture, incident)
    )


def _unproven(picture: Picture, incident: Incident) -> Decision:
    if proof := _proof(picture, incident):
        return _proven(incident, proof)
    if _healthy_for_long(picture, incident):
        return _move(incident, _S.CLOSED, "the host answers again, and has for a while")
    waited = picture.now.since(incident.moved_at)
    if waited >= FENCE_AGAIN_AFTER and _may_fence_again(picture, incident):
        return _fence(
            picture, incident, f"still silent, {_power_word(picture, incident)}: once more"
        )
    return NOTHING


def _life(picture: Picture, incident: Incident) -> str | None:
    heartbeat = picture.world.services.get(incident.host)
    return signs_of_life(
        incident,
        probe=picture.world.probes.get(incident.host),
        power=picture.world.power.get(incident.host),
        service=heartbeat.service if heartbeat else None,
    )


def _isolate(picture: Picture, incident: Incident) -> Decision:
    if life := _life(picture, incident):
        return _move(incident, _S.SOURCE_BACK, life)
    if incident.isolation is not None:
        return _move(
            incident, _S.RECOVERING, "Nova holds it down and disabled; reading its servers"
        )
    if _has_open_command(picture, incident, Isolate):
        return NOTHING
    heartbeat = picture.world.services.get(incident.host)
    if heartbeat is None or heartbeat.service.id is None:
        return NOTHING
    waited = picture.now.since(incident.moved_at)
    command = Isolate(
        id=picture.new_command_id(incident, "isolate"),
        incident=incident.id,
        host=incident.host,
        service=heartbeat.service.id,
        marker=marker_of(picture.rules.install, incident),
    )
    if incident.state is _S.PROVEN:
        return _move(
            incident, _S.ISOLATING, "forcing its compute service down", commands=(command,)
        )
    if waited > ISOLATE_DEADLINE:
        return _move(
            incident,
            _S.NEEDS_HUMAN,
            "its compute service could not be forced down: is Nova's API well?",
        )
    return Decision(commands=(command,)) if waited > ISOLATE_AGAIN_AFTER else NOTHING


def _recover(picture: Picture, incident: Incident) -> Decision:
    if life := _life(picture, incident):
        return _move(incident, _S.SOURCE_BACK, life)
    if listed := list_new_servers(picture, incident):
        return listed
    if not incident.servers_listed:
        return NOTHING
    recoveries = picture.state.recoveries.get(incident.id, {}).values()
    unfinished = ON_ITS_WAY | WAITING | {RecoveryState.STUCK}
    if any(r.state in unfinished for r in recoveries):
        return NOTHING
    counts = {state: sum(r.state is state for r in recoveries) for state in RecoveryState}
    told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    return _move(incident, _S.SETTLED, f"no server is on its way any more: {told or 'it had none'}")


def _source_back(picture: Picture, incident: Incident) -> Decision:
    """Fence again while something may be building, or when nothing but the message bus moved."""
    recoveries = picture.state.recoveries.get(incident.id, {}).values()
    judgement = _judgement(picture, incident)
    moving = any(r.state in ON_ITS_WAY for r in recoveries)
    # Without a witness besides the heartbeat this is a message that was under way when it died.
    dark = judgement is not None and judgement.network in {Network.SILENT, Network.QUIET}
    if (moving or dark) and incident.fence_attempts < FENCE_ATTEMPTS:
        return _fence(picture, incident, f"{incident.reason}: switching it off again")
    if moving:
        return NOTHING
    held = tuple(
        RecoveryMoved(
            incident=incident.id,
            server=r.server,
            to=RecoveryState.HELD,
            reason="its host came back before its turn: it is started where its data is",
        )
        for r in recoveries
        if r.state in WAITING
    )
    return _move(incident, _S.SETTLED, f"{incident.reason}; nothing was on its way", *held)


def _healthy_for_long(picture: Picture, incident: Incident) -> bool:
    judgement = _judgement(picture, incident)
    probe = picture.world.probes.get(incident.host)
    return (
        judgement is not None
        and judgement.network in {Network.USERLAND, Network.KERNEL}
        and judgement.control is Control.FRESH
        and probe is not None
        and probe.answering_since is not None
        and picture.now.since(probe.answering_since) >= picture.rules.latch
        and picture.now.since(incident.moved_at) >= picture.rules.latch
    )


def _until_healthy(picture: Picture, incident: Incident) -> Decision:
    """Stay open (latched) until the host was brought home; look for servers that came late."""
    heartbeat = picture.world.services.get(incident.host)
    if heartbeat is None:
        return NOTHING
    service = heartbeat.service
    if service.enabled and not service.forced_down and _healthy_for_long(picture, incident):
        return _move(
            incident,
            _S.CLOSED,
            "the host is enabled, answers, and reports again",
            *_came_home(picture, incident),
        )
    if incident.state is not _S.SETTLED or _life(picture, incident):
        return NOTHING
    recoveries = picture.state.recoveries.get(incident.id, {}).values()
    if any(r.state in WAITING for r in recoveries):
        return _move(incident, _S.RECOVERING, "another of its servers can be recovered")
    return list_new_servers(picture, incident)


def _came_home(picture: Picture, incident: Incident) -> Iterator[Event]:
    """Tell of the servers that waited for their host and run there again."""
    sweep = picture.world.sweep
    if sweep is None or sweep.at.since(incident.moved_at) <= timedelta():
        return
    active = {s.id for s in sweep.servers if s.host == incident.host and s.vm_state == "active"}
    for recovery in picture.state.recoveries.get(incident.id, {}).values():
        if recovery.state is RecoveryState.HELD and recovery.server in active:
            yield RecoveryMoved(
                incident=incident.id,
                server=recovery.server,
                to=RecoveryState.DONE,
                reason=f"it runs on {incident.host} again, with its disks",
            )
