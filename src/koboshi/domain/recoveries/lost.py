"""A request whose answer was lost: resolved by reading, and repeated only where that is safe."""

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.incidents.steps import is_given_back
from koboshi.domain.instant import Instant, latest
from koboshi.domain.judging.proof import why_host_not_proven_now
from koboshi.domain.judging.verdict import Control, Verdict, seconds
from koboshi.domain.memory.commands import Evacuate, Outcome
from koboshi.domain.memory.events import CommandAccepted, CommandEnded
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.tracing import (
    incident_of,
    own_records,
    read_since,
    step_to,
    two_records,
)
from koboshi.domain.rules import MAX_POSTS, UNKNOWN_READS, UNKNOWN_WAIT

_S = RecoveryState


def resolve(picture: Picture, recovery: Recovery) -> Decision:
    """Find out by reading whether a request whose answer was lost had its effect."""
    records = own_records(picture, recovery)
    if records is None or recovery.command is None:
        return NOTHING
    if len(records) > 1:
        return two_records(recovery)
    if records:
        return Decision(
            events=(
                CommandAccepted(
                    command=recovery.command,
                    detail=f"Nova has record {records[0].id} of it: the request had arrived",
                ),
            ),
        )
    read = picture.world.from_host[incident_of(picture, recovery).host]
    since = latest(recovery.moved_at, read.unbroken_since)
    if read.count < UNKNOWN_READS or read.at.since(since) < UNKNOWN_WAIT:
        return NOTHING
    return _ask_again(picture, recovery, since)


def _ask_again(picture: Picture, recovery: Recovery, since: Instant) -> Decision:
    """Send the same request to the same destination: nothing else may follow a lost one."""
    incident = incident_of(picture, recovery)
    opened = picture.state.commands.get(recovery.command) if recovery.command else None
    server = read_since(picture, recovery, since)
    if opened is None or not isinstance(opened.command, Evacuate) or server is None:
        return NOTHING
    if server.server is None:
        return step_to(recovery, _S.GONE, "it was deleted meanwhile", Outcome.UNRESOLVED)
    if server.server.host != incident.host:
        return step_to(
            recovery, _S.GONE, f"it is on {server.server.host} already", Outcome.UNRESOLVED
        )
    if is_home(picture, incident):
        return home_again(recovery)
    if opened.command.destination is None:
        return step_to(
            recovery,
            _S.STUCK,
            "its request left no trace in Nova, and is never sent again: Nova would choose where a second "
            "one goes. If no evacuation record of it appears, evacuate it by hand at compute API 2.13 "
            "with onSharedStorage, and Koboshi follows that",
        )
    if recovery.posts >= MAX_POSTS:
        return step_to(recovery, _S.STUCK, "no request of three left a trace in Nova")
    if why := why_host_not_proven_now(incident, picture.world, picture.now):
        if picture.now.since(recovery.moved_at) <= picture.rules.stuck_after:
            return NOTHING
        return step_to(
            recovery, _S.STUCK, f"it left no trace in Nova, and may not be asked again: {why}"
        )
    isolation = incident.isolation
    again = Evacuate(
        id=picture.new_command_id(incident, f"evacuate-{recovery.server}"),
        incident=incident.id,
        host=incident.host,
        server=recovery.server,
        destination=opened.command.destination,
        rebuilds=opened.command.rebuilds,
        known_records=opened.command.known_records,
        open_records=opened.command.open_records,
        baseline=isolation.baseline if isolation else None,
    )
    ended = CommandEnded(
        command=opened.command.id,
        outcome=Outcome.UNRESOLVED,
        detail=(
            f"no trace of it in Nova for {seconds(UNKNOWN_WAIT)}: it may be asked again, to "
            f"{again.destination} only"
        ),
    )
    return Decision(events=(ended,), commands=(again,))


def is_home(picture: Picture, incident: Incident) -> bool:
    """Return whether Nova takes no evacuation from the host any more: it is up and in service."""
    judgement = picture.judgements.get(incident.host)
    return (
        judgement is not None
        and judgement.verdict is Verdict.UP
        and judgement.control is Control.FRESH
        and is_given_back(picture, incident)
    )


def home_again(recovery: Recovery) -> Decision:
    """Return the end of a request without a trace whose host is in service again."""
    return step_to(
        recovery,
        _S.HELD,
        "its host is in service again, and no request for it left a trace: it is where its data is",
        Outcome.UNRESOLVED,
    )
