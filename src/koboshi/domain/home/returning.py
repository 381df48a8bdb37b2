"""A host that lives again: Nova's own clean-up first, then force-down is lifted.

Its nova-compute removes at its start what was evacuated, and beats only afterwards (nova 34
compute/manager.py:init_host, service.py:start). Nova lifts force-down at any time when no record is
`done`, before nova-compute runs, too: an answer of 200 alone proves nothing.
"""

from datetime import timedelta

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cloud import Migration
from koboshi.domain.home.guard_home import BLOCKS_THE_LIFT, NAMED, bombs_of, cures, named
from koboshi.domain.home.way_home import HomeStep
from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.incidents.steps import may_ask_nova, move
from koboshi.domain.memory.commands import LiftForceDown
from koboshi.domain.memory.events import HostBeat, HostNoticeCleared, HostNoticed
from koboshi.domain.names import HostName

BEATS = 2
NOTICE_AFTER = timedelta(seconds=15)
LIFT_REFUSED = "lift_refused"

_S = IncidentState


def await_beats(picture: Picture, incident: Incident) -> Decision:
    """Count heartbeats past the baseline: the first comes after Nova's clean-up, the second is sure."""
    if incident.home.beats >= BEATS:
        return move(
            incident,
            _S.RECONCILING,
            "its nova-compute has reported twice: what Nova has cleared away is read",
        )
    track = picture.world.services.get(incident.host)
    if track is None or track.service.updated_at is None or track.advanced_at is None:
        return NOTHING
    last = incident.home.beat or (incident.isolation.baseline if incident.isolation else None)
    is_new = last is None or track.service.updated_at > last
    if is_new and track.advanced_at.is_after(incident.moved_at):
        beat = HostBeat(incident=incident.id, updated_at=track.service.updated_at)
        return Decision(events=(beat,))
    return NOTHING


def reconcile(picture: Picture, incident: Incident) -> Decision:
    """Wait until no record stands against it, then lift force-down; say what to do if Nova will not."""
    host = incident.host
    track = picture.world.services.get(host)
    read = picture.world.from_host.get(host)
    if (
        track is None
        or track.service.up is None
        or not track.read_at.is_after(incident.moved_at)
        or read is None
        or not read.at.is_after(incident.moved_at)
    ):
        return NOTHING
    service, isolation = track.service, incident.isolation
    if isolation is None or service.id is None:
        return NOTHING
    blocking = [r for r in read.records if r.is_evacuation and r.status in BLOCKS_THE_LIFT]
    if not service.forced_down and not blocking:
        return move(incident, _S.RESTORING, "force-down is lifted", *_cleared(picture, incident))
    if not service.enabled and service.disabled_reason != isolation.marker:
        return move(
            incident,
            _S.NEEDS_HUMAN,
            f"{host} is back, and somebody else holds it in Nova "
            f"({service.disabled_reason or 'without a reason'}): bringing it home is theirs",
            *_cleared(picture, incident),
        )
    if noticed := _notice(picture, incident, blocking):
        return noticed
    if blocking or not service.forced_down or not may_ask_nova(picture, incident):
        return NOTHING
    command = LiftForceDown(
        id=picture.new_command_id(incident, "lift"),
        incident=incident.id,
        host=host,
        service=service.id,
        marker=isolation.marker,
    )
    return Decision(commands=(command,))


def _notice(picture: Picture, incident: Incident, blocking: list[Migration]) -> Decision:
    """Tell once how to end what Nova refuses for long: no API ends a `done` record."""
    host = incident.host
    refused_since = incident.home.refused_since
    since = refused_since or (incident.moved_at if blocking else None)
    if (
        since is None
        or (host, LIFT_REFUSED) in picture.state.notices
        or picture.now.since(since) < NOTICE_AFTER
    ):
        return NOTHING
    records = ", ".join(f"record {r.id} ({r.status})" for r in blocking[:NAMED])
    more = f" and {len(blocking) - NAMED} more" if len(blocking) > NAMED else ""
    step = once_more(host, blocking)
    text = (
        f"force-down of {host} cannot be lifted, though its nova-compute reports "
        f"({f'{records}{more}' if blocking else incident.home.refusal}). {step.text}: "
        f"{'; '.join(step.commands)}"
    )
    return Decision(events=(HostNoticed(host=host, topic=LIFT_REFUSED, text=text),))


def once_more(host: HostName, blocking: list[Migration]) -> HomeStep:
    """Return how to end what Nova has not cleared away: no API ends a record.

    One that was never ended makes the next start destroy its guest: it is ended first.
    """
    restart = (f"ssh {host} systemctl restart nova-compute",)
    if bombs := bombs_of(blocking):
        return HomeStep(
            text=f"Do NOT restart nova-compute there yet: {named(bombs)}, and its start would destroy "
            f"those guests. Make sure that nobody works on them, then {cures(bombs)}; after that, one "
            "more start",
            commands=restart,
        )
    return HomeStep(
        text="If a destination was down when it started, bring that up first. It needs one more start "
        "where two records are of one server (each start completes one), or where it came back in the "
        "middle of an evacuation",
        commands=restart,
    )


def _cleared(picture: Picture, incident: Incident) -> tuple[HostNoticeCleared, ...]:
    if (incident.host, LIFT_REFUSED) not in picture.state.notices:
        return ()
    return (HostNoticeCleared(host=incident.host, topic=LIFT_REFUSED),)
